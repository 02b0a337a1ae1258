"""`spry result`: what came of runs, at once or as it comes."""

from __future__ import annotations

import sys

from spry.errors import UsageError
from spry.view import history as view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from spry.cli.options import Request
    from spry.store.archive import Archive
    from spry.store.logs import LogReader, Piece
    from spry.store.records import RunRecord
    from spry.view.screen import Screen

    class Coming(Protocol):
        """What yields the pieces of a log, and with `follow` those that are still to come."""

        def __call__(self, archive: Archive, reader: LogReader, run: RunRecord, *, follow: bool) -> Iterator[Piece]:
            """Go on from where the reader is."""
            ...


STDOUT = 0  # the number of that stream in a log


def of(archive: Archive, run: RunRecord, task: str = "") -> view.Result:
    """What has come so far of a run, or of a task of it: what the last attempts wrote to stdout."""
    known = {one.task: one for one in archive.tasks(run.run)}
    reader = archive.log(run.run)
    names = archive.names(run.run)
    last = {name: one.attempt for name, one in known.items()}
    output = b"".join(
        data
        for piece in reader.pieces()
        if piece.stream == STDOUT and task in ("", names[piece.task])
        if last.get(names[piece.task], piece.attempt) == piece.attempt
        for data in reader.data(piece)
    ).decode("utf-8", "replace")
    reader.close()
    return view.Result(*_ending(archive, run, task), output, run.run)


def stream(request: Request, screen: Screen, archive: Archive, run: RunRecord, task: str, coming: Coming) -> int:
    """Print stdout as it comes, attempt after attempt, and in the end how it ended."""
    if request.json or request.timeout:
        raise UsageError("--stream goes without --json and --timeout", "spry logs ID --json --follow streams JSON")
    reader = archive.log(run.run)
    names = archive.names(run.run)
    for piece in coming(archive, reader, run, follow=True):
        if piece.stream == STDOUT and task in ("", names[piece.task]):
            for data in reader.data(piece):
                screen.write("stdout", screen.clean(names[piece.task], "stdout", data))
            screen.flush()
            sys.stdout.flush()
    for name in names:
        screen.end(name)
    reader.close()
    status, code = _ending(archive, archive.run(run.run), task)
    screen.say(f"{status}, exit code {code}")
    archive.close()
    return 0


def collect(request: Request, screen: Screen, archive: Archive | None) -> int:
    """The results of all runs that are over, the oldest first, each told once."""
    if request.names or request.stream or request.timeout:
        raise UsageError("--all goes without an ID, --stream and --timeout", "spry result --all")
    found: list[view.Result] = []
    if archive is not None:
        known = archive.collected()
        over = [run for run in archive.runs() if run.state != "running" and run.run not in known]
        found = [of(archive, run) for run in reversed(over)]
    screen.show(view.results(found, as_json=request.json))
    if archive is not None:
        screen.flush()
        if found and not request.peek:
            archive.collect(one.run for one in found)
        archive.close()
    return 0


def _ending(archive: Archive, run: RunRecord, task: str) -> tuple[str, int | None]:
    """Status and exit code of a run or of a task of it."""
    if not task:
        return view.state_of(run), run.exit_code
    one = next((one for one in archive.tasks(run.run) if one.task == task), None)
    if one is None:
        return run.state, None
    return {"succeeded": "completed"}.get(one.outcome, one.outcome), one.exit_code
