"""What all benches share: a process measured from outside, alternating rounds, a small table."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Environment = Mapping[str, str]

ROOT = Path(__file__).resolve().parents[1]

# Linux counts the memory of the process that called exec into the peak of the one that came out of it. So a small
# process stands between the bench, which may be large, and what is measured.
LAUNCHER = """
import os, sys, time
null = os.open(os.devnull, os.O_RDWR)
files = [(os.POSIX_SPAWN_DUP2, null, stream) for stream in range(3)]
begin = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=files)
_, status, usage = os.wait4(pid, 0)
end = time.perf_counter()
print(end - begin, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


class Sample(NamedTuple):
    """One process: wall time, and the peak of its resident memory in MB."""

    seconds: float
    peak: float


def spry_command() -> list[str]:
    """The installed `spry` of this interpreter, as users start it; else the module."""
    installed = Path(sys.executable).with_name("spry")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "spry"]


def measure(argv: Sequence[str], folder: Path, env: Environment) -> Sample:
    """Run a program (absolute path first) with its output thrown away; a failure ends the bench with its message."""
    launch = [sys.executable, "-I", "-S", "-c", LAUNCHER]
    done = subprocess.run([*launch, *argv], cwd=folder, env=env, capture_output=True, text=True, check=True)
    seconds, peak, code = done.stdout.split()
    if code != "0":
        again = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
        sys.exit(f"{' '.join(argv)}: exit code {code}\n{again.stderr[-2000:]}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Sample(float(seconds), int(peak) / unit)


def alternate(contenders: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, Sample]:
    """Every contender once a round, so that a busy moment of the machine hits all; the medians."""
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            samples[name].append(run())
    return {
        name: Sample(statistics.median(s.seconds for s in found), statistics.median(s.peak for s in found))
        for name, found in samples.items()
    }


@contextmanager
def scratch() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder that is removed afterwards, and an environment whose caches and histories lie in it."""
    with tempfile.TemporaryDirectory(prefix="spry-bench-") as name:
        folder = Path(name)
        env = {key: value for key, value in os.environ.items() if not key.startswith(("SPRY", "XDG_"))}
        for key in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            env[key] = str(folder / key.lower())
        env["PYTHONPATH"] = str(ROOT)
        yield folder, env


def generated(folder: Path, shape: str, size: float) -> Path:
    """A generated page; written by another process, so that this one stays small."""
    path = folder / f"{shape}-{size:g}.md"
    with path.open("wb") as file:
        subprocess.run([sys.executable, str(ROOT / "bench" / "generate.py"), shape, str(size)], stdout=file, check=True)
    return path


def options(description: str, rounds: int) -> argparse.ArgumentParser:
    """The options that every bench has."""
    parser = argparse.ArgumentParser(description=description.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=rounds, help=f"rounds to take medians of (default {rounds})")
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    return parser


def show(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Rows as a table, or as JSON."""
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    cells = [list(rows[0])] + [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        print("  ".join((row[0].ljust(widths[0]), *rest)))
    print()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
