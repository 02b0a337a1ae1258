"""`spry workspace run|status|dag`: one task over many repositories."""

from __future__ import annotations

from spry.api.history import origin
from spry.api.wishes import Wishes, wishes
from spry.cli import tellings
from spry.cli.run import has_terminal, ours, preview
from spry.core.plan import Selection
from spry.errors import UsageError
from spry.view import workspace as view
from spry.workspace.books import opened
from spry.workspace.crew import Stage
from spry.workspace.discovery import NoRepositoriesError, chosen, discover
from spry.workspace.joined import combined, join
from spry.workspace.running import Order, run_in_all, shares_of
from spry.workspace.standing import standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spry.cli.options import Request
    from spry.view.screen import Screen
    from spry.workspace.joined import Share


def workspace(request: Request, screen: Screen) -> int:
    """Carry out one of the commands; its exit code."""
    if request.files:
        raise UsageError(f"{request.files[0]}: the repositories of a workspace have their own runbooks", "leave it out")
    try:
        return COMMANDS[request.command](request, screen)
    except NoRepositoriesError as error:
        screen.say(("warning", error.message))
        screen.say(f"  hint: {error.hint}")
        return error.exit_code


def run(request: Request, screen: Screen) -> int:
    """`spry workspace run TASK`."""
    if len(request.names) != 1:
        raise UsageError("workspace run needs the name of one task", "spry workspace status lists the tasks of each")
    order = Order(request.names[0], wishes(request), request.parallel)
    repositories = discover()
    books = opened(repositories, remember=not request.dry_run)
    names = {one.name for one in chosen(repositories, request.repos)}
    picked = [book for book in books if book.name in names]
    if request.dry_run:
        return _preview(shares_of(books, picked, order), order, request, screen)
    if request.parallel and request.fail_fast:
        screen.say(("warning", "spry: "), "--fail-fast is ignored with --parallel")
    told = tellings.JsonTold(screen) if request.json else tellings.Told(request, screen)
    stage = Stage(told.warn, has_terminal, told.shown, _agree, remember=not request.no_history, paired=True)
    return run_in_all(books, picked, order, stage, told).exit_code


def _agree(share: Share, asked: Wishes) -> None:
    ours(share.book.files, share.plan, asked)


def status(request: Request, screen: Screen) -> int:
    """`spry workspace status`: the repositories, with their runbooks and what they run in."""
    if request.names:
        raise UsageError(f'workspace status takes no names, not "{request.names[0]}"', "choose with --repos")
    books = opened(chosen(discover(), request.repos))
    found = [standing(book) for book in books]
    if request.json:
        import json

        screen.show(json.dumps([one._asdict() for one in found], indent=2) + "\n")
    else:
        size = screen.size("stdout")
        columns = size.columns if size else 0
        screen.show(view.table(found, columns=columns, colour=screen.colours["stdout"]))
    return 0


def dag(request: Request, screen: Screen) -> int:
    """`spry workspace dag [TASK]`: every task of every repository, or one task and what it needs, as one graph."""
    from spry.cli.look import draw

    if len(request.names) > 1:
        raise UsageError("workspace dag draws the whole workspace, or one task", "name one task, or none")
    repositories = discover()
    books = opened(repositories)
    names = {one.name for one in chosen(repositories, request.repos)}
    picked = [book for book in books if book.name in names]
    for book in picked:
        if book.error is not None:
            raise book.error
    if request.names:
        shares = shares_of(books, picked, Order(request.names[0], Wishes(), parallel=True))
    else:
        shares = join(books, None, [book.name for book in picked if book.tasks])
    if not shares:
        raise UsageError("no repository of this workspace has a task", "spry workspace status lists them")
    return draw(combined(shares), request.format or "ascii", screen)


def _preview(shares: Sequence[Share], order: Order, request: Request, screen: Screen) -> int:
    """What would be run in each repository, and nothing is."""
    codes = []
    for share in shares:
        declared = {one.name for step in share.plan.steps.values() for one in step.task.params}
        params = {name: value for name, value in order.asked.params.items() if name in declared}
        come_from = None if request.no_history else origin(share.book.files, Selection(share.roots))
        screen.begin("stdout")
        if not request.json:
            screen.show(f"{view.RULE}\n{share.name}\n{view.RULE}\n")
        codes.append(preview(share.plan, order.asked._replace(params=params), request, screen, come_from, {}))
    return max(codes, default=0)


COMMANDS: Mapping[str, Callable[[Request, Screen], int]] = {
    "workspace run": run,
    "workspace status": status,
    "workspace dag": dag,
}
