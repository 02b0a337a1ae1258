"""`spry task`, `spry runbook`, `spry run`: select, preview or draw, or run."""

from __future__ import annotations

import os
import sys
from functools import partial

from spry.api.history import origin
from spry.api.places import find
from spry.api.wishes import Wishes, wishes
from spry.cli.options import names_in, no_names
from spry.core.plan import Selection, select
from spry.errors import INVALID, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spry.api.history import Origin
    from spry.api.places import File
    from spry.cli.options import Request
    from spry.core.model import Graph, Plan
    from spry.engine.audience import Listener
    from spry.store.reservations import Held
    from spry.view.plain import Output
    from spry.view.screen import Screen


def run(request: Request, screen: Screen) -> int:
    """Carry out a running command; its exit code."""
    from spry.api.load import load

    if request.command == "runbook":
        no_names(request)
    asked = wishes(request)
    looking = request.dry_run or request.show_dag
    files = find(request.files)
    graph = load(files, remember=not looking)
    _names_of_files(request, graph)
    graphs, tags = names_in(request.graph), names_in(request.tag)
    selection = Selection(request.names, graphs, tags, request.skip, request.from_, request.until)
    plan = select(graph, selection)
    come_from = None if request.no_history else origin(files, selection)
    if come_from is not None and request.context:
        come_from = come_from._replace(folder=os.path.abspath(request.context))
    if request.show_dag:
        from spry.cli.look import draw

        return draw(plan, "ascii", screen)
    if request.dry_run:
        return preview(plan, asked, request, screen, come_from, {})
    ours(files, plan, asked)
    return start(plan, asked, request, screen, come_from, files)


def ours(files: Sequence[File], plan: Plan, asked: Wishes) -> None:
    """Hide secrets of our own command line, and see to it that somebody agrees to run what a stranger wrote."""
    if plan.has_secrets:
        from spry.api.secrets import conceal

        conceal(plan, asked)
    if any(file.owner != os.geteuid() for file in files):
        from spry.api.trust import trust

        trust(files, plan, asked, has_terminal)


def _names_of_files(request: Request, graph: Graph) -> None:
    """A file that does not end in .md reads as a name; say so instead of not finding a task."""
    for name in request.names:
        if name not in graph.runbook.tasks and os.path.isfile(name):
            raise UsageError(f'Task "{name}" not found, but a file of that name is here', f"to run the file: -f {name}")


def preview(
    plan: Plan, asked: Wishes, request: Request, screen: Screen, come_from: Origin | None, done: Mapping[str, str]
) -> int:
    """Show what a run would do, and why what is done would not be run; the exit code."""
    from spry.api.previews import previews
    from spry.view import dryrun

    found, faults, clean = previews(plan, asked, come_from)
    found = [one._replace(notes=(*one.notes, done[one.task.name])) if one.task.name in done else one for one in found]
    if request.json:
        screen.show(clean(dryrun.as_json(found, skipped=plan.skipped)))
    else:
        size = screen.size("stdout")
        columns = size.columns if size else 0
        text = dryrun.text(found, skipped=plan.skipped, columns=columns, colour=screen.colours["stdout"])
        screen.show(clean(text))
    for fault in faults:
        screen.say(("bad", "Error: "), fault)
    return INVALID if faults else 0


def start(
    plan: Plan,
    asked: Wishes,
    request: Request,
    screen: Screen,
    come_from: Origin | None,
    files: Sequence[File],
    given: dict[str, Held] | None = None,
) -> int:
    """Run a plan, with the messages it is given, and show it as the request asks; its exit code."""
    from spry.api.running import run_plan

    listeners = _shown(plan, request, screen)
    try:
        result = run_plan(
            plan,
            asked,
            listeners,
            warn=partial(warn, screen),
            has_terminal=has_terminal,
            origin=come_from,
            files=files,
            given=given,
        )
    finally:
        listeners[0].close()
        if screen.runner is not None:
            screen.runner.close()
    return result.exit_code


def _shown(plan: Plan, request: Request, screen: Screen) -> tuple[Output, *tuple[Listener, ...]]:
    """The listeners that show a run as the request asks; the first has to be closed."""
    if request.json:
        from spry.view.jsonl import json_lines

        return (json_lines(screen),)
    from spry.view.plain import is_for_runner, output

    mode = request.output or ("quiet" if request.quiet else "auto")
    shown = output(mode, screen, plan, verbose=request.verbose)
    if not is_for_runner(screen, mode):
        return (shown,)
    from spry.view.actions import Annotations, Runner

    screen.runner = Runner(screen)
    return shown, Annotations(screen.runner, plan, os.environ.get("GITHUB_WORKSPACE", ""))


def warn(screen: Screen, text: str) -> None:
    """Say what no event can."""
    screen.say(("warning", "spry: "), text)


def has_terminal() -> bool:
    """Whether somebody sits there who can answer a question."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return sys.stdin is not None
