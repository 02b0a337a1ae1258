"""`spry result`: what came of runs, at once or as it comes."""

from __future__ import annotations

import sys

from spry.errors import FAILED, OK, TIMED_OUT, HostError, UsageError
from spry.store.outputs import LARGE, spill
from spry.view import history as view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
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


def of(archive: Archive, run: RunRecord, task: str = "", *, as_json: bool = False) -> view.Result:
    """What has come so far of a run, or of a task of it: what the last attempts wrote to stdout.

    For JSON, what is over and too large to be text is kept in a file, to which the result refers.
    """
    reader = archive.log(run.run)
    reference = None
    if (
        as_json
        and run.state != "running"
        and sum(piece.length for _, piece in _last(archive, reader, run, task)) > LARGE
    ):
        reference = _kept(archive, run, task)
    reader.close()
    reader = archive.log(run.run)
    output = ((name, data) for name, piece in _last(archive, reader, run, task) for data in reader.data(piece))
    return view.Result(*_ending(archive, run, task), _then(output, reader.close), run.run, reference)


def _last(archive: Archive, reader: LogReader, run: RunRecord, task: str) -> Iterator[tuple[str, Piece]]:
    """What the last attempts wrote to stdout, with the names of their tasks."""
    names = archive.names(run.run)
    last = {one.task: one.attempt for one in archive.tasks(run.run)}
    for piece in reader.pieces():
        name = names[piece.task]
        if piece.stream == STDOUT and task in ("", name) and last.get(name, piece.attempt) == piece.attempt:
            yield name, piece


def _kept(archive: Archive, run: RunRecord, task: str) -> Mapping[str, object]:
    """Keep an output in a file of its own."""
    reader = archive.log(run.run)
    number = f".{archive.names(run.run).index(task)}" if task else ""
    chunks = (data for _, piece in _last(archive, reader, run, task) for data in reader.data(piece))
    try:
        return spill(archive.folder, run.run + number, chunks)._asdict()
    except OSError as error:
        where = error.filename or archive.folder
        raise HostError(
            f"the output cannot be kept: {where}: {error.strerror}", "make room, or use spry logs"
        ) from None
    finally:
        reader.close()


def show(found: view.Result, request: Request, screen: Screen) -> None:
    """A result a little at a time, however much output there is: as an object, or as it is and what came of it."""
    if request.json:
        for text in view.result_as_json(found):
            screen.show(text)
        screen.show("\n")
        return
    names = set()
    for name, data in found.output:
        names.add(name)
        screen.write("stdout", screen.clean(name, "stdout", data))
    for name in names:
        screen.end(name)
    screen.begin("stdout")
    screen.show(f"{view.ending(found.status, found.code)}\n")


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
    over = archive.run(run.run)
    screen.say(view.ending(*_ending(archive, over, task)))
    code = exit_code(archive, over, task)
    archive.close()
    return code


def exit_code(archive: Archive, run: RunRecord, task: str) -> int:
    """That of a run; of a task of it 0, 124 or 1. 124 for what is not over, so that nobody takes it for a success."""
    one = next((one for one in archive.tasks(run.run) if one.task == task), None)
    if one is not None:
        return OK if one.outcome == "succeeded" else TIMED_OUT if one.reason == "timeout" else FAILED
    if run.state == "running":
        return TIMED_OUT
    return FAILED if task or run.exit_code is None else run.exit_code


def collect(request: Request, screen: Screen, archive: Archive | None) -> int:
    """The results of all runs that are over, the oldest first, each told once."""
    if request.names or request.stream or request.timeout:
        raise UsageError("--all goes without an ID, --stream and --timeout", "spry result --all")
    found: list[view.Result] = []
    if archive is not None:
        known = archive.collected()
        over = [run for run in archive.runs() if run.state != "running" and run.run not in known]
        found = [of(archive, run, as_json=request.json) for run in reversed(over)]
    _show_all(found, request, screen)
    if archive is not None:
        screen.flush()
        if found and not request.peek:
            archive.collect(one.run for one in found)
        archive.close()
    return 0


def _show_all(found: Sequence[view.Result], request: Request, screen: Screen) -> None:
    """Results one after the other: a list of objects, or each below the id of its run."""
    for number, one in enumerate(found):
        screen.show(("," if number else "[") if request.json else f"run {one.run}\n")
        show(one, request, screen)
    if request.json:
        screen.show("]\n" if found else "[]\n")


def _then(output: Iterator[tuple[str, bytes]], act: Callable[[], None]) -> Iterator[tuple[str, bytes]]:
    yield from output
    act()


def _ending(archive: Archive, run: RunRecord, task: str) -> tuple[str, int | None]:
    """Status and exit code of a run or of a task of it."""
    if not task:
        return view.state_of(run), run.exit_code
    one = next((one for one in archive.tasks(run.run) if one.task == task), None)
    if one is None:
        return run.state, None
    return {"succeeded": "completed"}.get(one.outcome, one.outcome), one.exit_code
