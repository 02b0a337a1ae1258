"""`spry exec`, and the commands that prepare for it: `spry init` and `spry spec`."""

from __future__ import annotations

import os
import sys
from functools import partial

from spry.cli.options import JSON, REPLACE, is_runbook, only_for
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.cli.options import Request
    from spry.errors import Problem
    from spry.view.plain import Output
    from spry.view.screen import Screen

ACTIONS = ("create", "list", "show", "validate", "delete", "generate")


def execute(request: Request, screen: Screen) -> int:
    """`spry exec`: run one thing and end with its exit code."""
    from spry.api.execution import execution
    from spry.api.running import run_plan
    from spry.cli.run import has_terminal, ours, warn
    from spry.cli.unread import Unread

    found = execution(request)
    if found.files:
        ours(found.files, found.plan, found.asked)
    listener: Output
    if request.json:
        from spry.view.jsonl import json_lines

        listener = json_lines(screen)
    else:
        from spry.view.passing import Passing
        from spry.view.plain import Written

        streams = request.stream or (found.stream and not request.no_stream)
        listener = Written(Passing(screen, found.plan, stream=streams), screen)
    come_from = None if request.no_history else found.origin
    try:
        result = run_plan(
            found.plan,
            found.asked,
            [listener, Unread(screen)],
            warn=partial(warn, screen),
            has_terminal=has_terminal,
            origin=come_from,
            files=[file for file in found.files if is_runbook(file.path)],
        )
    finally:
        listener.close()
    return result.exit_code


def init(request: Request, screen: Screen) -> int:
    """`spry init`: make the current folder a project."""
    from spry.api.places import OWN
    from spry.api.project import make

    if request.names or request.files:
        raise UsageError("spry init takes no words: it is for the current folder", "spry -C DIR init is for another")
    is_new = make(os.getcwd(), autostart=not request.no_autostart)
    screen.show(f"{'Initialized' if is_new else 'Already there:'} spry project in {OWN}/\n")
    return 0


def spec(request: Request, screen: Screen) -> int:
    """`spry spec ACTION`: look after saved specs."""
    action, *names = request.names or ("",)
    if action not in ACTIONS:
        from spry.core.text import did_you_mean, listing

        hint = did_you_mean(action, ACTIONS) or f"it knows {listing(ACTIONS)}"
        raise UsageError(f'spry spec does not know "{action}"', hint)
    if request.files and action != "validate":
        raise UsageError(
            f"{request.files[0]} is a runbook, and needs no spec", "spry exec --spec FILE.md#TASK runs a task of it"
        )
    only_for(request, (REPLACE, "create"), (JSON, "list"))
    return SPECS[action](names, request, screen)


def _create(names: list[str], request: Request, screen: Screen) -> int:
    """Keep a spec, from a file or stdin, once it is known to be right."""
    from spry.api import specs
    from spry.api.places import STDIN
    from spry.core.source import Source, decode
    from spry.core.taskspec import pipeline, task_spec
    from spry.errors import RunbookError

    if len(names) not in (1, 2):
        raise UsageError(
            "spry spec create takes a name, and a file", "spry spec create NAME FILE, or: … | spry spec create NAME"
        )
    path = names[1] if len(names) == 2 and names[1] != "-" else STDIN
    data = sys.stdin.buffer.read() if path == STDIN else _read(path)
    source = decode(data, path, os.getcwd())
    if not isinstance(source, Source):
        raise RunbookError([source])
    kind = request.kind or "task"
    (task_spec if kind == "task" else pipeline)(source, names[0])
    saved = specs.save(names[0], kind, data, _folder(request), replace=request.replace)
    screen.say(f"saved {kind} {names[0]}: {os.path.relpath(saved)}")
    return 0


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or '').lower()}", "name a readable JSON file") from None


def _list(names: list[str], request: Request, screen: Screen) -> int:
    from spry.api import specs
    from spry.api.project import needed

    _count(names, 0, "list takes no name")
    needed(_folder(request))
    kinds = (request.kind,) if request.kind else tuple(specs.SHELVES)
    found = [(name, kind) for kind in kinds for name in specs.saved(kind, _folder(request))]
    if request.json:
        import json

        screen.show(json.dumps([{"name": name, "type": kind} for name, kind in found], indent=2) + "\n")
    else:
        screen.show("".join(f"{kind:<8}  {name}\n" for name, kind in found) or "no specs are saved here\n")
    return 0


def _show(names: list[str], request: Request, screen: Screen) -> int:
    from spry.api import specs

    _count(names, 1, "show takes one name")
    found = specs.find(names[0], request.kind or "task", _folder(request))
    screen.write("stdout", _read(found.path))
    return 0


def _validate(names: list[str], request: Request, screen: Screen) -> int:
    """Check specs by name or path; all that is wrong with all of them."""
    from spry.api import specs
    from spry.errors import RunbookError

    names = [*names, *request.files]
    if not names:
        raise UsageError("spry spec validate takes names or paths", "spry spec list shows what is saved")
    problems: list[Problem] = []
    kind = request.kind or "task"
    for name in names:
        try:
            if is_runbook(name.partition("#")[0]):
                _of_runbook(name, kind)
                continue
            found = specs.find(name, kind, _folder(request))
            (specs.read_task if kind == "task" else specs.read_pipeline)(found)
        except RunbookError as error:
            problems += error.problems
    if problems:
        raise RunbookError(problems)
    screen.say("1 spec is valid" if len(names) == 1 else f"{len(names)} specs are valid")
    return 0


def _of_runbook(word: str, kind: str) -> None:
    """Check `runbook.md#task`, which is a spec, too, or a whole runbook, which is a pipeline."""
    from spry.api.load import load
    from spry.api.places import find
    from spry.core.plan import Selection, select

    path, _, name = word.partition("#")
    if bool(name) != (kind == "task"):
        hint = f"write {path}#NAME" if kind == "task" else f"write {path}, or leave out --type pipeline"
        raise UsageError(f"{word} is no {kind}", hint)
    select(load(find([path])), Selection((name,) if name else ()))


def _delete(names: list[str], request: Request, screen: Screen) -> int:
    from spry.api import specs

    _count(names, 1, "delete takes one name")
    path = specs.delete(names[0], request.kind or "task", _folder(request))
    screen.say(f"removed {os.path.relpath(path)}")
    return 0


def _generate(names: list[str], request: Request, screen: Screen) -> int:
    from spry.view.templates import template

    _count(names[:1], len(names), "generate takes one name at most")
    screen.show(template(request.kind or "task", names[0] if names else "example"))
    return 0


def _count(names: list[str], wanted: int, what: str) -> None:
    if len(names) != wanted:
        raise UsageError(f"spry spec {what}", "spry spec --help shows how")


def _folder(request: Request) -> str:
    return os.path.abspath(request.context or os.getcwd())


SPECS: Mapping[str, Callable[[list[str], Request, Screen], int]] = {
    "create": _create,
    "list": _list,
    "show": _show,
    "validate": _validate,
    "delete": _delete,
    "generate": _generate,
}
COMMANDS: Mapping[str, Callable[[Request, Screen], int]] = {"exec": execute, "init": init, "spec": spec}
