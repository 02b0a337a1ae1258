"""Runs that are under way, from outside: whether they live, and an end for them."""

from __future__ import annotations

import signal
import time

from spry.api.history import archive, place, sweep
from spry.api.queues import connect
from spry.core.text import format_duration
from spry.errors import SpryError, UsageError
from spry.execute.identity import state, tell
from spry.record import NamedTuple
from spry.store.control import listens, note
from spry.store.lock import alive, holder, run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.store.queues import Broker
    from spry.store.records import RunRecord

STOPPED = ("T", "t")  # states of a process
LOOK = 0.02  # seconds between two looks whether a run is over
AGAIN = 0.3  # seconds between a first and a second signal, which would else be one
PATIENCE = 5.0  # seconds for a run to kill its tasks before it is killed itself


def find(folder: str, end: str) -> RunRecord:
    """The run in the history of a folder whose id ends like this; UsageError if there is none."""
    found = archive(folder)
    if found is None:
        raise UsageError("nothing has been run here", "spry runs lists the runs of a folder")
    try:
        return found.run(end)
    finally:
        found.close()


def stop(folder: str, run: str, wait: float) -> bool:
    """End a run as Ctrl-C does: its tasks politely, its clean-up tasks run. Whether it is over after `wait` seconds."""
    _note(folder, run, "stop")
    _signal(folder, run, signal.SIGTERM)
    return _over(folder, run, wait)


def kill(folder: str, run: str) -> bool:
    """End a run at once: its tasks are killed, no clean-up task starts. Whether it is over."""
    _note(folder, run, "kill")
    _signal(folder, run, signal.SIGTERM)
    if _over(folder, run, AGAIN):
        return True
    _signal(folder, run, signal.SIGTERM)
    if _over(folder, run, PATIENCE):
        return True
    _signal(folder, run, signal.SIGKILL)
    is_over = _over(folder, run, PATIENCE)
    sweep(run)
    return is_over


class Pong(NamedTuple):
    """What came of a ping: `running`, `stopped` (by Ctrl-Z or SIGSTOP), or nothing for a run whose process has ended.

    `silent` is why a run that runs has not answered; `asked` is false for one that could not be asked.
    """

    state: str
    silent: str = ""
    asked: bool = True


def ping(folder: str, run: str, wait: float) -> Pong:
    """Ask a run by a message whether it is there, and wait for its answer, at most so many seconds."""
    home = place(folder)
    now = state(holder(home, run)) if alive(home, run) else ""
    if not now:
        return Pong("")
    if now in STOPPED:
        return Pong("stopped")
    if not listens(run_folder(home, run)):
        return _unasked(folder, run, "it began before there were queues here, and listens to no messages")
    try:
        broker = connect(folder)
    except SpryError as error:
        return _unasked(folder, run, error.message)
    try:
        answer = _answer(broker, home, run, wait)
    finally:
        broker.close()
    return _understood(folder, run, answer, wait)


def _unasked(folder: str, run: str, why: str) -> Pong:
    _note(folder, run, "ping")
    return Pong("running", why, asked=False)


def _understood(folder: str, run: str, answer: str, wait: float) -> Pong:
    if "PONG" in answer:
        return Pong("running")
    if not answer and alive(place(folder), run):
        return Pong("running", f"there was no answer within {format_duration(wait)}")
    _over(folder, run, PATIENCE)  # it says so itself, or has ended without a word
    return Pong("")


def _answer(broker: Broker, home: str, run: str, wait: float) -> str:
    """What a run answers to a ping, or nothing. What is asked and answered here is nobody else's, and does not stay."""
    asked, until = broker.write(f"T{run}.ctrl_in", "PING"), time.monotonic() + wait
    while True:
        for message in broker.peek(f"T{run}.ctrl_out"):
            if f'"request":"{asked}"' in message.text:
                broker.drop(f"T{run}.ctrl_out", [message.id])
                return message.text
        if time.monotonic() >= until or not alive(home, run):
            broker.drop(f"T{run}.ctrl_in", [asked])
            return ""
        time.sleep(LOOK)


def _note(folder: str, run: str, command: str) -> None:
    """Let the log of tasks show a command to a run that lives."""
    home = place(folder)
    if alive(home, run):
        note(run_folder(home, run), command)


def _signal(folder: str, run: str, number: int) -> None:
    """Signal the process of a run, if it is still the one that holds the run's lock."""
    home = place(folder)
    if alive(home, run) and tell(holder(home, run), number) and number != signal.SIGKILL:
        tell(holder(home, run), signal.SIGCONT)  # who is stopped cannot obey


def _over(folder: str, run: str, seconds: float) -> bool:
    """Whether nobody holds the lock of a run any more, within so many seconds."""
    home, until = place(folder), time.monotonic() + seconds
    while alive(home, run):
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK)
    return True
