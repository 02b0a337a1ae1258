"""`--detach`, and the commands for runs that nobody waits for: `spry stop`, `kill` and `ping`."""

from __future__ import annotations

import os
from functools import partial

from spry.cli.history import folder_of
from spry.errors import FAILED, TIMED_OUT, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.cli.options import Request
    from spry.manager.detached import Begun, Starting
    from spry.view.screen import Screen

    Carry = Callable[[Request], int]

RUNNING = ("exec", "task", "runbook", "run")
GRACE = 15.0  # seconds that `spry stop` waits for the end of a run, unless told otherwise
PATIENCE = 5.0  # seconds that `spry ping` waits for an answer, unless told otherwise
WITHOUT = ("wait", "dry_run", "show_dag", "json", "interactive", "no_history", "verbose")


def detach(request: Request, screen: Screen, carry_out: Carry) -> Begun:
    """Have a run carried out in the background and print its id, if it has begun."""
    from spry.manager.detached import apart, keep_stdin

    if request.command not in RUNNING:
        raise UsageError(f"spry {request.command} does not run anything in the background", "leave out --detach")
    for name in WITHOUT:
        if getattr(request, name):
            raise UsageError(f"--{name.replace('_', '-')} and --detach exclude each other", "leave one of them out")
    if _reads_stdin(request):
        keep_stdin()
    screen.flush()
    begun = apart(partial(go, request, carry_out))
    if begun.run:
        screen.show(f"{begun.run}\n")
        screen.flush()  # whoever waits for the id waits for nothing else
    return begun


def _reads_stdin(request: Request) -> bool:
    from spry.api.single import stdin

    return bool(stdin()) and (request.command == "exec" or "-" in request.files)


def read_nothing() -> None:
    """What we were given to read is not for us."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if null:
        os.close(null)


def go(request: Request, carry_out: Carry, starting: Starting) -> int:
    """What the process in the background does."""
    import signal

    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if request.autostarted or not _reads_stdin(request):
        read_nothing()
    starting.name = request.name or request.spec or request.pipeline or request.function or _first(request)
    output = None if request.command == "exec" else "quiet"
    return carry_out(request._replace(detach=False, no_wait=False, output=output, begun=starting, no_autostart=True))


def _first(request: Request) -> str:
    """What a run is called that has no name of its own."""
    return os.path.basename((*request.names, *(request.words or ()), *request.files, request.command)[0])


def stop(request: Request, screen: Screen) -> int:
    """`spry stop ID`: end a run politely, and wait until it is over."""
    from spry.api.wishes import wishes
    from spry.manager import control

    seconds = wishes(request._replace(names=())).timeout
    for run in _wanted(request):
        if not control.stop(folder_of(request), run, GRACE if seconds is None else seconds):
            screen.say(f"{run} is still ending; spry kill {run} ends it at once")
            return TIMED_OUT
        screen.show(f"{run} {_ended(request, run)}\n")
    return 0


def kill(request: Request, screen: Screen) -> int:
    """`spry kill ID`: end a run at once."""
    from spry.manager import control

    for run in _wanted(request):
        if not control.kill(folder_of(request), run):
            screen.say(f"{run} cannot be killed")
            return FAILED
        screen.show(f"{run} {_ended(request, run)}\n")
    return 0


def ping(request: Request, screen: Screen) -> int:
    """`spry ping ID`: whether runs answer; 1 for one that is over or stopped, 124 for one that does not answer."""
    from spry.api.wishes import wishes
    from spry.manager import control

    wait = wishes(request._replace(names=())).timeout or PATIENCE
    codes = {0}
    for end in _names(request):
        run = control.find(folder_of(request), end).run
        found = control.ping(folder_of(request), run, wait)
        screen.show(f"{run} {found.state or _ended(request, run)}\n")
        if found.state == "stopped":
            screen.say(("warning", "spry: "), f"run {run} cannot answer until its process goes on (kill -CONT)")
        elif found.silent and found.asked:
            screen.say(("bad", "Error: "), f"run {run} does not answer, though its process lives: {found.silent}")
        elif found.silent:
            screen.say(("warning", "spry: "), f"run {run} was not asked, only its process looked at: {found.silent}")
        codes.add(TIMED_OUT if found.silent and found.asked else 0 if found.state == "running" else FAILED)
    return FAILED if FAILED in codes else max(codes)


def _wanted(request: Request) -> list[str]:
    """The runs that are meant, all of which have to be under way."""
    from spry.manager import control

    found = [control.find(folder_of(request), end) for end in _names(request)]
    for run in found:
        if run.state != "running":
            raise UsageError(f"run {run.run} is over", f"spry status {run.run} shows how it ended")
    return [run.run for run in found]


def _names(request: Request) -> tuple[str, ...]:
    if not request.names:
        raise UsageError(f"spry {request.command} takes the id of a run", "spry runs --status running lists them")
    return request.names


def _ended(request: Request, run: str) -> str:
    """How a run ended."""
    from spry.manager import control
    from spry.view.history import state_of

    return state_of(control.find(folder_of(request), run))


COMMANDS: Mapping[str, Callable[[Request, Screen], int]] = {"stop": stop, "kill": kill, "ping": ping}
