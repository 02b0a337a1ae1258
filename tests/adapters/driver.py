"""Attempts run to their end by a real executor, and what became of them."""

from __future__ import annotations

import os
from typing import NamedTuple

from spry.execute.protocol import Attempt, Executor, Exited, Notice, Output

ENV = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items() if name != "OLDPWD"}
BASH = "/bin/bash"


class Result(NamedTuple):
    code: int | None
    signal: int | None
    error: str
    stdout: bytes
    stderr: bytes


class Driver:
    """Starts attempts and waits for notices, keeping all that was told."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.notices: list[Notice] = []

    def start(self, script: str, *, task="one", cwd=None, env=ENV, argv=None, stdin="") -> None:
        argv = argv or (BASH, "-c", script, "runbook.md")
        self.executor.start(Attempt(task, 1, argv, env, cwd or os.getcwd(), stdin=stdin))

    def until(self, wanted) -> Notice:
        """Wait for the first notice that `wanted` accepts."""
        while told := self.executor.wait(20):
            self.notices += told
            for notice in told:
                if wanted(notice):
                    return notice
        raise AssertionError("nothing happened for 20 seconds")

    def until_said(self, data: bytes, task="one") -> None:
        self.until(lambda notice: isinstance(notice, Output) and data in self.output(task, notice.stream))

    def output(self, task="one", stream=1) -> bytes:
        mine = [notice for notice in self.notices if isinstance(notice, Output)]
        return b"".join(notice.data for notice in mine if (notice.task, notice.stream) == (task, stream))

    def ended(self, task="one") -> Result:
        """Wait for the end of a task."""
        exited = next((notice for notice in self.notices if isinstance(notice, Exited) and notice.task == task), None)
        exited = exited or self.until(lambda notice: isinstance(notice, Exited) and notice.task == task)
        return Result(exited.code, exited.signal, exited.error, self.output(task, 1), self.output(task, 2))

    def run(self, script: str, **how) -> Result:
        self.start(script, **how)
        return self.ended(how.get("task", "one"))


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b") ")[2][:1] not in b"ZX"
    except FileNotFoundError:
        return False
