"""Print the shell commands of README's "Install and run" section, one a line, as it prints them."""

import re
from pathlib import Path


def commands(readme: str) -> list[str]:
    """Return the lines of the shell blocks in the section that sets everything up."""
    section = readme.split("## Install and run", 1)[1].split("\n## ", 1)[0]
    return [
        line for block in re.findall(r"```bash\n(.*?)```", section, re.DOTALL) for line in block.splitlines() if line
    ]


if __name__ == "__main__":
    print("\n".join(commands((Path(__file__).parent.parent / "README.md").read_text())))
