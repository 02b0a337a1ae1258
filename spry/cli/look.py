"""The commands that look and never run: ls, show, check, dag."""

from __future__ import annotations

import os

from spry.api.load import InvalidRunbookError, load
from spry.api.places import find
from spry.cli.options import names_in, no_names
from spry.errors import INVALID, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spry.cli.options import Request
    from spry.core.model import Plan, Task
    from spry.errors import Problem
    from spry.view.screen import Screen


def listing(request: Request, screen: Screen) -> int:
    """`spry ls`: the tasks; those of a runbook whose scripts cannot be expanded are listed too, with what is wrong."""
    from spry.view import listing as view

    no_names(request)
    problems: Sequence[Problem] = ()
    try:
        graph = load(find(request.files))
    except InvalidRunbookError as error:
        if error.sketch is None:
            raise
        graph, problems = error.sketch, error.problems
    screen.show(
        view.as_json(graph) if request.json else view.table(graph, columns=_columns(screen), colour=_colour(screen))
    )
    if problems:
        from spry.view.problems import report, tally

        screen.show(f"\n{report(problems)}\n{tally(problems)}; nothing of this runbook runs.\n", "stderr")
    return 0


def show(request: Request, screen: Screen) -> int:
    """`spry show NAME…`: everything that is known of tasks."""
    from spry.api.secrets import known
    from spry.core.text import did_you_mean
    from spry.view import listing as view

    files = find(request.files)
    graph = load(files)
    clean = known(graph).text
    states: Mapping[str, object] = {}
    if any(_has_files(graph.runbook.tasks.get(name)) for name in request.names):
        from spry.api.freshness import standings

        states = standings(graph, files[0].folder, request.names)
    for number, name in enumerate(request.names):
        if name not in graph.runbook.tasks:
            raise UsageError(
                f'Task "{name}" not found', did_you_mean(name, graph.runbook.tasks) or "spry ls lists them"
            )
        text = view.show(graph, name, state=str(states.get(name, "")), columns=_columns(screen), colour=_colour(screen))
        screen.show("\n" * bool(number) + clean(text))
    if not request.names:
        raise UsageError("show needs the name of a task", "spry ls lists them")
    return 0


def _has_files(task: Task | None) -> bool:
    return task is not None and bool(task.inputs or task.outputs)


def check(request: Request, screen: Screen) -> int:
    """`spry check [PATH…]`: every problem of every file; exit code 2 if there is one."""
    from spry.api.checking import check_paths
    from spry.view import checks
    from spry.view.problems import report, tally

    found = check_paths((*request.names, *request.files))
    if request.format in {"json", "github", "sarif"}:
        from spry import __version__

        forms = {"json": checks.as_json, "github": checks.as_github}
        form = forms.get(request.format)
        screen.show(form(found.problems) if form else checks.as_sarif(found.problems, __version__))
    elif found.problems:
        screen.show(report(found.problems, columns=_columns(screen), colour=_colour(screen)) + "\n")
        screen.show(f"{tally(found.problems)}; ")
    if request.format in {None, "text"}:
        screen.show(found.summary + "\n")
    return INVALID if found.invalid else 0


def dag(request: Request, screen: Screen) -> int:
    """`spry dag [NAME…]`: a picture of the whole graph, or of what was selected."""
    from spry.core.plan import Selection, select

    graph = load(find(request.files))
    narrowed = bool(request.names or request.graph or request.tag)
    graphs, tags = names_in(request.graph), names_in(request.tag)
    plan = select(graph, Selection(request.names, graphs, tags, everything=not narrowed))
    return draw(plan, request.format or "ascii", screen)


def draw(plan: Plan, form: str, screen: Screen) -> int:
    """Show the picture of a plan on stdout."""
    from spry.view.dag import draw as drawn

    screen.show(drawn(plan, form, _columns(screen) or 80, colour=_colour(screen), ascii_only=_ascii()))
    return 0


def _columns(screen: Screen) -> int:
    size = screen.size("stdout")
    return size.columns if size else 0


def _colour(screen: Screen) -> bool:
    return screen.colours["stdout"]


def _ascii() -> bool:
    """Whether the locale has no box-drawing characters."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    return locale in {"C", "POSIX"} and not os.environ.get("PYTHONUTF8")


COMMANDS: Mapping[str, Callable[[Request, Screen], int]] = {
    "ls": listing,
    "show": show,
    "check": check,
    "dag": dag,
}
