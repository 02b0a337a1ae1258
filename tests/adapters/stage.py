"""Real processes of the command line under conditions that a test sets: limits, small disks, odd callers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from book import Forks, cell

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds after which a run counts as hung, also on a machine that has much else to do
SPRY = (sys.executable, "-m", "spry")

# Linux counts what the caller of exec had in memory into the peak of the program; so a small one stands between.
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
open(sys.argv[1], "w").write(str(usage.ru_maxrss // (1024 if sys.platform == "linux" else 1024 * 1024)))
os._exit(os.waitstatus_to_exitcode(status) & 255)
"""

__all__ = ["PATIENCE", "ROOT", "SPRY", "Done", "Stage", "cell", "small_disk"]


class Done(NamedTuple):
    """What a command left: its exit code (negative: killed by that signal) and what it wrote."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        """What it said on stderr."""
        return self.err.splitlines()

    @property
    def json(self):
        """Its stdout as JSON."""
        return json.loads(self.out)

    @property
    def events(self) -> list[dict]:
        """Its stdout as events."""
        return [json.loads(line) for line in self.out.splitlines()]


class Stage:
    """A folder with a runbook and a private environment. `prelude` is a line of shell that comes before spry."""

    def __init__(self, place: Path, forks: Forks) -> None:
        self._forks = forks
        self.place, self.folder = place, place / "book"
        self.home = place / "home"
        self.scratch = place / "scratch"
        for path in (self.folder, self.home, self.scratch):
            path.mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home),
            "TMPDIR": str(self.scratch),
            "XDG_RUNTIME_DIR": str(self.scratch),
            "LANG": "C.UTF-8",
        }

    def write(self, *cells: str) -> Stage:
        """Write the runbook."""
        (self.folder / "Spryfile.md").write_text("".join(cells))
        return self

    def own(self) -> Path:
        """Give the runbook a history beside it; its folder."""
        (self.folder / ".spry").mkdir(exist_ok=True)
        return self.folder / ".spry"

    def start(self, *argv: str, prelude: str = "", env: dict[str, str] | None = None, **options) -> subprocess.Popen:
        """Start a command; both streams are pipes unless told otherwise."""
        command = (*SPRY, *argv)
        if prelude:
            command = ("/bin/bash", "-c", f'{prelude}\nexec "$@"', "stage", *command)
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        environ = {name: value for name, value in (self.env | (env or {})).items() if value is not None}
        return subprocess.Popen(command, cwd=self.folder, env=environ, start_new_session=True, **options)

    def spry(self, *argv: str, **how) -> Done:
        """Run a command to its end."""
        with self.start(*argv, **how) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except BaseException:  # its time is over, or the test's
                process.kill()
                raise
        return Done(process.returncode, out or b"", (err or b"").decode(errors="replace"))

    def look(self, *argv: str) -> Done:
        """Run a command that only looks, in a fork: nothing depends on how it was started."""
        done = self._forks.finish(*argv, cwd=self.folder, env=self.env, streams=self.place)
        return Done(done.exit_code, done.stdout.encode("utf-8", "surrogateescape"), done.stderr)

    def measured(self, *argv: str, stdout=subprocess.DEVNULL) -> tuple[Done, int]:
        """Run a command; what it left, and the peak of its memory in MB."""
        peak = self.place / "peak"
        launch = (sys.executable, "-I", "-S", "-c", MEASURE, str(peak), *SPRY, *argv)
        done = subprocess.run(
            launch, cwd=self.folder, env=self.env, stdout=stdout, stderr=subprocess.PIPE, timeout=PATIENCE, check=False
        )
        return Done(done.returncode, done.stdout or b"", done.stderr.decode()), int(peak.read_text())

    def runs(self) -> list[dict]:
        """The runs in the history, the latest first."""
        done = self.look("runs", "--json")
        assert done.code == 0, done.err
        return done.json

    def last(self) -> str:
        """The latest run."""
        return self.runs()[0]["run"]

    def log(self, task: str, stream: str = "") -> bytes:
        """What the log of the latest run has of a task, byte for byte."""
        return self.look("logs", f"{self.last()}/{task}", "--raw").out

    def left_behind(self) -> list[str]:
        """What a run that is over has left in the folder for temporary files."""
        return sorted(os.listdir(self.scratch))


@contextmanager
def small_disk(folder: Path, size: str):
    """A file system of a certain size in place of a folder."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
