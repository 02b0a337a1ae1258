"""Runbooks written by a test and run by the real command line, each in a folder and an environment of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PRIVATE = ("cache", "home", "tmp")


def cell(info: str, *lines: str, fence: str = "```") -> str:
    """A fence with its info string and the lines of its body."""
    return "\n".join([fence + info, *lines, fence, "", ""])


class Done(NamedTuple):
    """What a run left: its exit code (negative: killed by that signal) and what it wrote."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a run with `--json`."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def outcomes(self) -> dict[str, str]:
        """How each task ended, in the order in which they ended, of a run with `--json`."""
        return {event["task"]: event["outcome"] for event in self.events if event["event"] == "task_finished"}

    @property
    def json(self) -> Any:
        """The whole of stdout as JSON."""
        return json.loads(self.stdout)


class Forks:
    """The process of `forks.py`; it has no terminal."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forks.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
            start_new_session=True,
            text=True,
        )

    def run(self, request: dict[str, object]) -> int:
        """Run a command in a fork; its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def finish(
        self, *argv: str, cwd: Path, env: dict[str, str], streams: Path, stdin: bytes = b"", mixed: bool = False
    ) -> Done:
        """Run a command to its end, with no terminal; its streams are files in the folder `streams`, two if `mixed`."""
        files = {name: streams / name for name in ("stdin", "stdout", "stderr")}
        files["stdin"].write_bytes(stdin)
        files["stdout"].write_bytes(b"")
        files["stderr"].write_bytes(b"")
        request: dict[str, object] = {name: str(path) for name, path in files.items()}
        if mixed:
            request["stderr"] = request["stdout"]
        code = self.run(request | {"argv": argv, "cwd": str(cwd), "env": env})
        told = {name: files[name].read_bytes().decode("utf-8", "surrogateescape") for name in ("stdout", "stderr")}
        return Done(code, **told)

    def close(self) -> None:
        """End it."""
        self._process.communicate()


class Book:
    """A folder with runbooks. Call it to write one; `run` runs a command there, `start` leaves it running."""

    def __init__(self, place: Path, forks: Forks) -> None:
        self.place, self._forks = place, forks
        self._started: list[subprocess.Popen[bytes]] = []
        self.folder = place / "book"
        for name in ("book", *PRIVATE):
            (place / name).mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(place / "home"),
            "XDG_CACHE_HOME": str(place / "cache"),
            "TMPDIR": str(place / "tmp"),
            "LANG": "C.UTF-8",
        }

    def __call__(self, *texts: str, name: str = "Spryfile.md") -> Book:
        """Write a runbook of these texts; the same book, for what follows."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("".join(texts).encode())
        return self

    def path(self, name: str) -> Path:
        """A file of the folder."""
        return self.folder / name

    def read(self, name: str) -> str:
        """The text of a file of the folder."""
        return self.path(name).read_text("utf-8")

    def has(self, name: str) -> bool:
        """Whether the folder has a file of this name."""
        return self.path(name).exists()

    def run(self, *argv: str, stdin: bytes = b"", cwd: str = ".", env: dict[str, str] | None = None) -> Done:
        """Run a command to its end, with no terminal."""
        where = self.folder / cwd
        environ = {**self.env, **(env or {})}
        return self._forks.finish(*argv, cwd=where, env=environ, streams=self.place, stdin=stdin)

    def start(self, *argv: str, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command as a process like any other, both streams in pipes unless told otherwise."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen(
            [sys.executable, "-m", "spry", *argv],
            cwd=self.folder,
            env={**self.env, "PYTHONPATH": str(ROOT), **(env or {})},
            start_new_session=True,
            **options,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Stop what a failed test left running."""
        for process in self._started:
            if process.poll() is None:
                process.terminate()
                try:
                    process.communicate(timeout=20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate(timeout=20)

    def fifo(self, name: str) -> Path:
        """A named pipe in the folder: a task that opens it waits for its other end."""
        os.mkfifo(self.path(name))
        return self.path(name)

    def everything(self) -> dict[str, tuple[int, int]]:
        """Every file in reach of a run with its size and time: folder, cache, home and scratch."""
        found = {}
        for top in ("book", *PRIVATE):
            for path in sorted((self.place / top).rglob("*")):
                stat = path.lstat()
                found[str(path.relative_to(self.place))] = (stat.st_size, stat.st_mtime_ns)
        return found
