"""`spry queue peek spry.log.tasks`: the history as if it were a queue."""

from __future__ import annotations

from spry.api import history
from spry.errors import UsageError
from spry.store.queues import Message
from spry.view.tasklog import entries

NAME = "spry.log.tasks"
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def check(word: str) -> None:
    """UsageError for whatever would change it."""
    if word != "peek":
        raise UsageError(f"{NAME} is made of the history, and can only be looked at", f"spry queue peek {NAME} --all")


def messages(folder: str, since: int | None) -> Iterator[Message]:
    """What became of the tasks of all runs, run by run, the oldest first."""
    archive = history.archive(folder)
    if archive is None:
        return
    try:
        for run in reversed(archive.runs()):
            if since is None or run.ended is None or run.ended * 1e9 > since:
                files = run.request.get("files")
                found = entries(archive.events(run.run), [str(name) for name in _list(files)])
                yield from (Message(text, at) for text, at in found if since is None or at > since)
    finally:
        archive.close()


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
