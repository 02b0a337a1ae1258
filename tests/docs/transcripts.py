"""The transcripts of a page, run as a reader would: the files it shows are written, its commands are typed in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pages
from pages import ROOT

from spry.core import markdown
from spry.core.source import source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from book import Forks
    from pages import Fence

HOME = "/home/ada/shop"  # what pages show in place of the folder that a test runs in
DURATION = re.compile(r"\b\d+\.\d+s\b")
RUN = re.compile(r'("run":")[^"]+')
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
SECONDS = re.compile(r'("duration":)[\d.e-]+')
PLAIN = re.compile(r"spry(?: [\w./:=,@-]+)*")  # what a shell does nothing with
PROGRAM = re.compile(r"(?:/[\w.+-]+)+/(bash|sh|python3)(?= )")


class Reader:
    """Somebody who works through one page in a folder of their own."""

    def __init__(self, folder: Path, forks: Forks, *, runbooks: bool) -> None:
        self.folder = folder / "shop"
        self._folder, self._forks = folder, forks
        self.status = 0
        (folder / "bin").mkdir()
        self.folder.mkdir()
        if runbooks:
            shutil.copytree(ROOT / "runbooks", self.folder / "runbooks")
        self._install(folder / "bin" / "spry")
        self.env = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def _install(self, path: Path) -> None:
        path.write_text(f'#!/bin/sh\nexec {sys.executable} -m spry "$@"\n', encoding="utf-8")
        path.chmod(0o755)

    def write(self, fence: Fence) -> None:
        """Make the file that a fence shows, or add to it, or change the cell of that name in it."""
        path = self.folder / fence.title
        path.parent.mkdir(parents=True, exist_ok=True)
        if "add" in fence.words:
            path.write_text(path.read_text("utf-8") + "\n" + fence.body, "utf-8")
        elif "change" in fence.words:
            path.write_text(_changed(path.read_text("utf-8"), fence.body), "utf-8")
        else:
            path.write_text(fence.body, "utf-8")

    def type(self, command: str) -> str:
        """Run a command and keep its exit code for the next one's `$?`; both its streams, as a terminal mixes them."""
        if PLAIN.fullmatch(command):
            words = command.split()[1:]
            done = self._forks.finish(*words, cwd=self.folder, env=self.env, streams=self._folder, mixed=True)
            self.status = done.exit_code % 256
            return self._shown(done.stdout)
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.status})\n{command}"],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        self.status = done.returncode
        return self._shown(done.stdout.decode())

    def _shown(self, output: str) -> str:
        return shown(output.replace(str(self.folder), HOME))


def _changed(runbook: str, cell: str) -> str:
    """A runbook with one cell replaced by another that begins with the same language and name."""
    start = cell.split()[:2]
    lines = runbook.split("\n")
    for old in markdown.cells(source(runbook))[0]:
        if lines[old.line - 1].split()[:2] == start:
            lines[old.line - 1 : old.end] = cell.rstrip("\n").split("\n")
            return "\n".join(lines)
    raise AssertionError(f"no cell {start} to change")


def replay(page: str, folder: Path, forks: Forks) -> Iterator[tuple[Fence, str, str]]:
    """Work through a page: each console fence with what it says and what really happened."""
    reader = Reader(folder, forks, runbooks=" runbooks/" in pages.text(page))
    for fence in pages.fences(page):
        if fence.title:
            reader.write(fence)
        elif fence.language == "console":
            outputs = [(command, reader.type(command)) for command, _ in fence.commands]
            yield fence, fence.body, "".join(f"$ {command}\n{output}" for command, output in outputs)


def shown(output: str) -> str:
    """Output as pages show it: the same on every machine, but for the time that things take."""
    output = "\n".join(line.rstrip() for line in output.split("\n"))
    output = PROGRAM.sub(r"/usr/bin/\1", MOMENT.sub("2026-11-21T09:30:00.000Z", output))
    return SECONDS.sub(r"\g<1>0.01", RUN.sub(r"\g<1>20261121-093000-7f3a", output))


def compared(transcript: str, *, unordered: bool = False) -> list[str]:
    """A transcript as lines without durations, to be compared."""
    lines = DURATION.sub("0.0s", transcript).rstrip("\n").split("\n")
    return sorted(lines) if unordered else lines


def rewrite(page: str, found: list[tuple[Fence, str, str]]) -> None:
    """Put what really happened into a page, where it differs."""
    lines = pages.text(page).split("\n")
    for fence, said, happened in reversed(found):
        unordered = "unordered" in fence.words
        if compared(said, unordered=unordered) != compared(happened, unordered=unordered):
            lines[fence.line : fence.end - 1] = happened.rstrip("\n").split("\n")
    (ROOT / page).write_text("\n".join(lines), encoding="utf-8")
