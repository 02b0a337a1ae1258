"""Sixteen ways in which a task leaves processes behind, and how to see that none of them is alive.

Every process of a stage has the stage's folder in its environment or, where it threw that away, among its arguments:
so nobody can hide by leaving its group, its session or its parent.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from stage import Stage, cell

PATIENCE = 20  # seconds, on a machine that has much else to do

# `$UP` says that it runs and stays; `$BARE` is the same for who has no environment.
SHAPES = {
    "a child in the foreground": "$UP",
    "a child in the background, waited for": "$UP & wait",
    "a shell that leaves": "( $UP & )",
    "nohup": "nohup $UP & :",
    "disown": "$UP & disown",
    "setsid in the background": "setsid $UP & :",
    "setsid -f": "setsid -f $UP",
    "a daemon": "$DAEMON $UP",
    "a daemon without an environment": "env -i $SETSID -f $BARE",
    "a daemon without an environment, of a daemon": "env -i $SETSID -f $SETSID -f $BARE",
    "a group of its own": "set -m; $UP & set +m",
    "deaf to TERM and INT": "(trap '' TERM INT HUP; exec $UP) & :",
    "a daemon deaf to TERM and INT": "setsid -f bash -c \"trap '' TERM INT HUP; exec $UP\"",
    "one that stands still": "$UP & kill -STOP $!",
    "a daemon that stands still": "setsid -f bash -c 'echo >> \"$READY\"; kill -STOP $$; :'",
    "one that starts itself again": "setsid -f bash $AGAIN",
}
FOREGROUND = ("a child in the foreground", "a child in the background, waited for")
UNHEARD = ("one that stands still",)  # it may be stopped before it could say that it runs

STAY = """#!/bin/bash
echo >> "$2"
exec tail -f "$1"
"""
AGAIN = """echo >> "$READY"
exec setsid -f bash "$0"
"""
DAEMON = """import os, sys
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.execv("/bin/bash", ["/bin/bash", *sys.argv[1:]])
"""


def prepare(stage: Stage) -> Stage:
    """Write the programs that the shapes use, and a pipe in which they say that they run."""
    (stage.place / "beat").write_text("")
    (stage.place / "stay").write_text(STAY)
    (stage.place / "again").write_text(AGAIN)
    (stage.place / "daemon").write_text(DAEMON)
    os.mkfifo(stage.place / "ready")
    return stage


def script(stage: Stage, shape: str) -> str:
    """The lines that make a shape; what they leave holds no pipe of the task's."""
    place = stage.place
    up = f"bash {place}/stay {place}/beat {place}/ready"
    words = {
        "$UP": up.removeprefix("bash ") if shape == "a daemon" else up,
        "$BARE": f"/bin/bash {place}/stay {place}/beat {place}/ready",
        "$DAEMON": f"python3 -S {place}/daemon",
        "$SETSID": shutil.which("setsid") or "setsid",
        "$READY": f"{place}/ready",
        "$AGAIN": f"{place}/again",
    }
    text = SHAPES[shape]
    for name, value in words.items():
        text = text.replace(name, value)
    return f"export READY={place}/ready\nexec >/dev/null 2>&1\n{text}"


def stays(stage: Stage, shape: str, info: str) -> str:
    """A cell whose task leaves a shape behind and stays."""
    return cell(info, script(stage, shape), f"exec bash {stage.place}/stay {stage.place}/beat {stage.place}/ready")


class Ready:
    """Waits until so many processes have said that they run; keeps the pipe open for those that say so for ever."""

    def __init__(self, stage: Stage) -> None:
        self._pipe = os.open(stage.place / "ready", os.O_RDWR | os.O_NONBLOCK)
        self._lines = 0

    def wait(self, count: int) -> None:
        def enough() -> bool:
            with suppress(BlockingIOError):
                self._lines += os.read(self._pipe, 65536).count(b"\n")
            return self._lines >= count

        until(enough, f"only {self._lines} of {count} run")

    def close(self) -> None:
        os.close(self._pipe)


def until(true, words: str = "it never came") -> None:
    """Look again and again until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, words
        time.sleep(0.005)


def alive(place: Path) -> dict[int, str]:
    """Who has a folder in its environment or among its arguments, and is more than a zombie."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                told = [Path(f"/proc/{name}/{what}").read_bytes() for what in ("cmdline", "environ")]
            except OSError:
                continue
            if os.fsencode(place) in b"\0".join(told):
                found[int(name)] = told[0].replace(b"\0", b" ").decode(errors="replace")
    return found


def survivors(stage: Stage) -> list[str]:
    """The commands of all who are alive of a stage."""
    return list(alive(stage.place).values())


def kill_all(stage: Stage) -> None:
    """After a failed test: end whoever is left."""
    while found := alive(stage.place):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def parent(pid: int) -> int:
    """The parent of a process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()[1])
    except OSError:
        return 0


def state(pid: int) -> str:
    """The letter of a process's state; X if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1].decode()
    except OSError:
        return "X"


def runner(stage: Stage, guardian: int) -> int:
    """The other one of the pair that a command has become."""
    pids = []
    until(lambda: pids.extend(pid for pid in alive(stage.place) if parent(pid) == guardian) or pids, "no pair")
    return pids[0]
