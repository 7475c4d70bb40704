"""What a command takes before anything is computed: start-up, the first figure, and what is compiled."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from timing import Row, in_fresh_process, interleaved, ratio_row

SCRIPTS = Path(__file__).parent
COMMAND = [sys.executable, "-c", "import sys; from stdpjax import cli; sys.exit(cli.main())"]
STUDY = "stdp_window"
run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
import_jax = partial(run, [sys.executable, "-c", "import jax"])  # the measure of how fast the machine starts programs


def first_figure(cache: Path | None) -> float:
    """Return the seconds from the start of a run of a study to its figure."""
    with tempfile.TemporaryDirectory() as folder:
        figure = Path(folder, STUDY, "figure.png")
        # JAX's own variable would be followed too.
        environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
        environment["STDPJAX_CACHE"] = "" if cache is None else str(cache)
        start = time.perf_counter()
        command = [*COMMAND, "run", STUDY, "--smoke", "--out", folder]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
            while not figure.exists():
                if process.poll() is not None and not figure.exists():
                    raise SystemExit(f"stdpjax run {STUDY} --smoke: no figure, exit code {process.returncode}")
                time.sleep(0.005)
            return time.perf_counter() - start


def start_up(n_repeats: int) -> Iterator[Row]:
    """The help, and the first figure of a run, against the import of JAX."""
    ways = {"help": partial(run, [*COMMAND, "--help"]), "import": import_jax}
    seconds = interleaved(ways, n_repeats)
    yield ratio_row("`stdpjax --help` / `import jax`", seconds, "help", "import", 1.5)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        first_figure(cache)
        for what, where, bound in (("", None, 15.0), (" with a filled cache", cache, 10.0)):
            figures = {"figure": partial(first_figure, where), "import": import_jax}
            seconds = interleaved(figures, min(n_repeats, 3))
            what = f"first figure of `stdpjax run {STUDY} --smoke`{what} / `import jax`"
            yield ratio_row(what, seconds, "figure", "import", bound)


COMPILED = """
import sys, tempfile
sys.path.insert(0, {scripts!r})
from compilations import compiled_by
with tempfile.TemporaryDirectory() as folder:
    done = compiled_by(["run", {study!r}, "--smoke", "--out", folder])
assert done.code == 0
result = {{"programs": done.programs.total(), "seconds": sum(done.seconds.values())}}
"""
# Programs that each study's smoke run may compile.
MOST_PROGRAMS: Mapping[str, int] = {"stdp_window": 45, "fixed_points": 32, "langevin_density": 45}


def compilations(n_repeats: int) -> Iterator[Row]:
    """Programs that some studies compile without a cache, and the time that this takes."""
    all_done = []
    for study, bound in MOST_PROGRAMS.items():
        done = in_fresh_process(COMPILED.format(scripts=str(SCRIPTS), study=study))
        yield {
            "what": f"programs that `stdpjax run {study} --smoke` compiles",
            "ratio": done["programs"],
            "bound": bound,
        }
        all_done.append(done)
    pair = [sum(done["seconds"] for done in all_done), statistics.median(interleaved({"": import_jax}, n_repeats)[""])]
    what = "tracing, lowering and compiling them / `import jax`"
    yield {"what": what, "ratio": pair[0] / pair[1], "seconds": pair, "bound": 20.0}
