"""What a command compiles: programs and seconds, by the line of the package that needs them and by program.

    python scripts/compilations.py reproduce --smoke --out results-compilations
    python scripts/compilations.py --most 60 run stability --seed 1

It runs the command line in this process, without a cache of compiled programs, and then prints the seconds of tracing,
lowering and compiling, the lines that took longest, and how often each small operation was compiled alone: outside of
`jit` each of them, in each shape, is a program.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.monitoring

import stdpjax
from stdpjax import cli

PACKAGE = str(Path(stdpjax.__file__).parent)
STAGES = {
    "/jax/core/compile/jaxpr_trace_duration": "tracing",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lowering",
    "/jax/core/compile/backend_compile_duration": "compiling",
}


def place() -> str:
    """Return the line of the package that is at work."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(PACKAGE):
            return f"{name[len(PACKAGE) + 1 :]}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back
    return "elsewhere"


class Compiled(NamedTuple):
    """What a command compiled."""

    code: int
    """Its exit code."""
    wall: float
    seconds: Mapping[str, float]
    """Of each stage."""
    programs: Counter[str]
    lines: Mapping[str, tuple[int, float]]
    """Programs and seconds, by the line of the package."""


def compiled_by(command: Sequence[str]) -> Compiled:
    """Run a command of `stdpjax` in this process, without a cache of compiled programs, and count what it compiles."""
    seconds, programs = defaultdict[str, float](float), Counter[str]()
    at_line = defaultdict[str, tuple[int, float]](lambda: (0, 0.0))

    def note(event: str, duration_secs: float, **kwargs: Any) -> None:
        stage = STAGES.get(event)
        if stage is None:
            return
        seconds[stage] += duration_secs
        line = place()
        count, took = at_line[line]
        at_line[line] = (count + (stage == "compiling"), took + duration_secs)
        if stage == "compiling":
            programs[str(kwargs.get("fun_name", "unnamed"))] += 1

    jax.config.update("jax_enable_compilation_cache", False)
    jax.monitoring.register_event_duration_secs_listener(note)
    began = time.perf_counter()
    code = cli.main(command)
    return Compiled(code, time.perf_counter() - began, seconds, programs, at_line)


def main() -> int:
    """Run a command and print what it compiled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=40, help="lines and programs to print (default: 40)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="of `stdpjax`, with its options")
    options = parser.parse_args()
    done = compiled_by(options.command)
    parts = ", ".join(f"{name} {value:.1f} s" for name, value in done.seconds.items())
    print(f"\n{sum(done.programs.values())} programs in {done.wall:.1f} s of the command: {parts}")
    for line, (count, took) in sorted(done.lines.items(), key=lambda item: -item[1][1])[: options.most]:
        print(f"{took:8.2f} s {count:5d}  {line}")
    most = done.programs.most_common(options.most)
    print("compiled most often:", ", ".join(f"{name} {count}" for name, count in most))
    return done.code


if __name__ == "__main__":
    sys.exit(main())
