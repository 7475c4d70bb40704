"""Time this library against NumPy, Numba and stock JAX, in one run and interleaved; ratios of medians come first.

    python scripts/benchmark.py                      everything, a few minutes on two cores
    python scripts/benchmark.py --only protocol      one section
    python scripts/benchmark.py --device gpu         on an accelerator
    python scripts/benchmark.py --brian2-python PATH interpreter of an environment with Brian2, for one more row
    python scripts/benchmark.py --history FILE.png   measures nothing, draws what was measured before

Writes `benchmarks.json` and prints a Markdown table; `--write` puts it into `benchmarks.md`, and its numbers into the
history, `benchmarks.jsonl`. Needs `pip install numba`.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import history
import jax
from rows_commands import compilations, start_up
from rows_networks import kernels, network
from rows_spikes import brian2, cold_start, generator, memory, protocol, scaling, updates
from timing import Row, machine

START, END = "<!-- benchmarks -->", "<!-- end of benchmarks -->"

SECTIONS: dict[str, Callable[[int], Iterator[Row]]] = {
    "protocol": protocol,
    "updates": updates,
    "generator": generator,
    "memory": memory,
    "scaling": scaling,
    "cold_start": cold_start,
    "start_up": start_up,
    "compilations": compilations,
    "network": network,
    "kernels": kernels,
}


def markdown(result: Mapping[str, Any]) -> str:
    """Return the table."""
    where = result["machine"]
    device = "" if where["backend"] == "cpu" else f", {where['device']}"
    lines = [
        f"Measured on {where['cores']} cores ({where['cpu']}{device}), JAX {where['jax']}, Python {where['python']}, "
        f"medians of {result['repeats']} interleaved runs, load average {where['load_average']:.1f} before them:",
        "",
        "| what | ratio or value | over the rounds | should be at most |",
        "|---|---|---|---|",
    ]
    for row in result["rows"]:
        spread = "{:.3g} … {:.3g}".format(*row["range"]) if "range" in row else ""
        bound = f"{row['bound']:.3g}" if row.get("bound") else ""
        lines.append(f"| {row['what']} | {row['ratio']:.3g} | {spread} | {bound} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the arguments, run the sections, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SECTIONS, action="append", help="sections to run, all by default")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="where to run; JAX's choice by default")
    parser.add_argument("--out", type=Path, default=Path("benchmarks.json"))
    parser.add_argument("--brian2-python", type=Path, metavar="PATH", help="interpreter of an environment with Brian2")
    parser.add_argument("--write", action="store_true", help="put the table into scripts/benchmarks.md and the history")
    parser.add_argument("--history", type=Path, metavar="FILE.png", help="draw the history, and measure nothing")
    arguments = parser.parse_args()
    if arguments.history:
        history.picture().savefig(arguments.history, dpi=130)
        return
    if arguments.write and arguments.only:
        parser.error("--write: expected all sections, got --only")
    if arguments.device:
        platform_name = {"cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}[arguments.device]
        os.environ["JAX_PLATFORMS"] = platform_name  # for the fresh processes
        jax.config.update("jax_platforms", platform_name)
    result: dict[str, Any] = {"machine": machine(), "repeats": arguments.repeats, "rows": []}
    sections = {name: SECTIONS[name] for name in arguments.only or SECTIONS}
    if arguments.brian2_python:
        sections["brian2"] = partial(brian2, arguments.brian2_python)
    for name, section in sections.items():
        for row in section(arguments.repeats):
            result["rows"].append({"section": name, **row})
            print(f"{row['ratio']:8.3g}  {row['what']}  {row.get('seconds', '')}", file=sys.stderr)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    table = markdown(result)
    print(table)
    if arguments.write:
        page = Path(__file__).parent / "benchmarks.md"
        before, rest = page.read_text().split(START)
        page.write_text(f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}")
        history.keep(result["machine"], result["rows"])


if __name__ == "__main__":
    main()
