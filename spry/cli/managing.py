"""`spry manager`, and the manager that is started when something has to start by itself."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial

from spry.errors import FAILED, TIMED_OUT, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.cli.options import Request
    from spry.core.manifest import Manifest
    from spry.manager.detached import Begun, Starting
    from spry.view.screen import Screen

    Carry = Callable[[Request], int]

GRACE = 15.0  # seconds for a manager to leave


def manager(request: Request, screen: Screen, carry_out: Carry) -> int:
    """`spry manager status|start|stop|run`."""
    from spry.api.project import needed

    action = request.names[0] if len(request.names) == 1 else ""
    if action not in MANAGER:
        from spry.core.text import did_you_mean

        hint = did_you_mean(action, MANAGER) or "it knows status, start, stop and run"
        raise UsageError(f'spry manager does not know "{" ".join(request.names)}"', hint)
    needed(_folder(request))
    return MANAGER[action](request, screen, carry_out)


def _status(request: Request, screen: Screen, _: Carry) -> int:
    """Who the manager is, and how what it has started stands; 1 without one."""
    from spry.api.history import place
    from spry.manager.election import present
    from spry.manager.service import account

    home = place(_folder(request))
    pid = present(home).partition(" ")[0]
    targets = account(home).get("targets", {}) if pid else {}
    if request.json:
        import json

        screen.show(json.dumps({"pid": int(pid) if pid else None, "targets": targets}, indent=2) + "\n")
    else:
        screen.show(f"the manager is process {pid}\n" if pid else "no manager is running\n")
        for name, one in targets.items() if isinstance(targets, dict) else ():
            screen.show(f"{name}: {one['mode']}, {'running as' if one['up'] else 'not running, last'} {one['run']}\n")
    return 0 if pid else FAILED


def _start(request: Request, screen: Screen, carry_out: Carry) -> int:
    """Begin a manager in the background, unless there is one."""
    from spry.manager.detached import apart
    from spry.manager.service import lifetime

    lifetime()  # what is wrong with it is for whoever asks to know
    begun = apart(partial(_serve, request, carry_out))
    if begun.code == 0:
        screen.say("the manager was started" if begun.run else "a manager is running already")
    return begun.code


def _stop(request: Request, screen: Screen, _: Carry) -> int:
    """Have the manager leave; what it has started goes on."""
    from spry.api.history import place
    from spry.manager.election import end, present

    home = place(_folder(request))
    was = present(home)
    if not end(home, GRACE):
        screen.say("the manager has not left yet")
        return TIMED_OUT
    screen.say("the manager has left; what it started goes on" if was else "no manager is running")
    return 0


def _run(request: Request, screen: Screen, carry_out: Carry) -> int:
    """Be the manager, here."""
    screen.flush()
    return _serve(request, carry_out, None)


def _serve(request: Request, carry_out: Carry, starting: Starting | None) -> int:
    """Be the manager, if nobody else is."""
    from spry.api.history import place
    from spry.manager.election import elected
    from spry.manager.service import LOG, Manager, lifetime

    folder = os.path.abspath(_folder(request))
    home, idle = place(folder), lifetime()
    lock = elected(home)
    if lock < 0:
        return 0
    if starting is not None:
        from spry.cli.background import read_nothing

        read_nothing()
        os.makedirs(os.path.join(home, "logs"), 0o700, exist_ok=True)
        starting("manager", os.path.join(home, "logs"), LOG)
    Manager(folder, partial(_launch, folder, carry_out), _note, lock).run(idle)
    os.close(lock)
    return 0


def _note(text: str) -> None:
    """A line of the manager's log."""
    import time

    from spry.core.events import rfc3339

    with suppress(OSError):  # a full disk is no reason to look after nothing any more
        os.write(2, f"{rfc3339(time.time())} {text}\n".encode())


def _launch(folder: str, carry_out: Carry, one: Manifest) -> Begun:
    """Begin the run of a manifest."""
    from spry.cli.background import go
    from spry.cli.options import Request
    from spry.manager.detached import apart

    request = Request("exec", chdir=folder, context=folder, autostarted=one.name, no_autostart=True)
    is_task = one.kind == "task"
    request = request._replace(spec=one.target) if is_task else request._replace(pipeline=one.target)
    return apart(partial(go, request, carry_out))


def summon(request: Request, carry_out: Carry) -> None:
    """See to it that there is a manager where something starts by itself."""
    from spry.api.places import project

    home = project(os.path.abspath(request.context or os.getcwd()))
    folder = os.path.join(home, "autostart") if home else ""
    if request.no_autostart or not os.path.isdir(folder) or not os.listdir(folder):
        return
    assert home is not None
    from spry.manager.autostart import wanted

    if wanted(home):
        see_to(home, request, carry_out)


def watch(home: str, request: Request, carry_out: Carry) -> None:
    """See to it that there is a manager for a run in the background, if it is written down in a project.

    Without one the run is as good. Where nothing may start by itself, no manager does.
    """
    from spry.api.places import OWN
    from spry.manager.autostart import enabled

    if os.path.basename(home) == OWN and not request.no_autostart and enabled("SPRY_AUTOSTART_TASKS"):
        see_to(home, request, carry_out)


def see_to(home: str, request: Request, carry_out: Carry) -> None:
    """Start the manager of a project unless there is one; what keeps it from starting is told on stderr."""
    from spry.errors import HostError
    from spry.manager.election import present

    if present(home):
        return
    from spry.manager.detached import apart

    try:
        apart(partial(_serve, request._replace(context=os.path.dirname(home)), carry_out))
    except HostError as error:
        os.write(2, f"spry: no manager was started: {error.message}\n".encode())


def _folder(request: Request) -> str:
    return os.path.abspath(request.context or os.getcwd())


MANAGER: Mapping[str, Callable[[Request, Screen, Carry], int]] = {
    "status": _status,
    "start": _start,
    "stop": _stop,
    "run": _run,
}
