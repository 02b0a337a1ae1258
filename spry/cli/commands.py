"""From a request to its command: which module does what."""

from __future__ import annotations

import os
import sys

from spry.cli.options import exclusive
from spry.errors import INTERNAL, SpryError, UsageError
from spry.view.screen import Screen, standard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.cli.options import Request


def carry_out(request: Request) -> int:
    """Do what was asked for and say what went wrong with it; the exit code."""
    screen = standard(no_color=request.no_color)
    try:
        exclusive(request)
        code = (_detach if request.detach or request.no_wait else _command)(request, screen)
    except SpryError as error:
        code = explained(error, screen)
    screen.close()
    if screen.error is not None:
        _complain(screen.error)
        return code or INTERNAL
    return code


def _detach(request: Request, screen: Screen) -> int:
    from spry.cli.background import detach

    begun = detach(request, screen, carry_out)
    if begun.run:
        from spry.cli.managing import watch

        watch(begun.home, request, carry_out)
    return begun.code


def _command(request: Request, screen: Screen) -> int:
    if request.chdir is not None:
        try:
            os.chdir(request.chdir)
        except OSError as error:
            raise UsageError(f"{request.chdir}: {(error.strerror or '').lower()}", "name a folder with -C") from None
    if request.context and not os.path.isdir(request.context):
        raise UsageError(f"--context {request.context}: no such folder", "name the folder of a project")
    if request.command in {"task", "runbook", "run"}:
        from spry.cli.run import run

        return run(request, screen)
    if request.command == "exec":
        from spry.cli.managing import summon

        summon(request, carry_out)
    if request.command in {"exec", "init", "spec"}:
        from spry.cli import execute

        return execute.COMMANDS[request.command](request, screen)
    if request.command in {"stop", "kill", "ping", "manager"}:
        return _control(request, screen)
    if request.command in {"runs", "status", "logs", "result", "resume"}:
        from spry.cli import history

        return history.COMMANDS[request.command](request, screen)
    return _another(request, screen)


def _another(request: Request, screen: Screen) -> int:
    """The commands that are about something else than runs."""
    if request.command == "system":
        from spry.cli.system import system

        return system(request, screen)
    if request.command == "queue":
        from spry.cli import queues

        return queues.queue(request, screen)
    if request.command.startswith("workspace "):
        from spry.cli.workspace import workspace

        return workspace(request, screen)
    if request.command == "artifacts":
        from spry.cli.artifacts import artifacts

        return artifacts(request, screen)
    from spry.cli import look

    return look.COMMANDS[request.command](request, screen)


def _control(request: Request, screen: Screen) -> int:
    """What is done to others that run."""
    if request.command == "manager":
        from spry.cli.managing import manager

        return manager(request, screen, carry_out)
    from spry.cli import background

    return background.COMMANDS[request.command](request, screen)


def explained(error: SpryError, screen: Screen) -> int:
    """Say what went wrong, for people, on stderr; the exit code it asks for."""
    from spry.view.problems import explain

    size = screen.size("stderr")
    text = explain(error, columns=size.columns if size else 0, colour=screen.colours["stderr"])
    screen.begin("stderr")
    screen.show(text, "stderr")
    return error.exit_code


def _complain(error: OSError) -> None:
    """Output that could not be written may be the part that mattered; say so if stderr still works."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"spry: output could not be written: {error.strerror}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return
