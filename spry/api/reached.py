"""How a run is reached from outside: by messages, under its id, and by its name in the process list."""

from __future__ import annotations

import os

from spry.api.history import place
from spry.api.queues import backend
from spry.core.events import RunFinished, RunStarted, TaskFinished, TaskRetrying, TaskStarted
from spry.engine.control import Control
from spry.errors import UsageError
from spry.execute.title import show
from spry.store.lock import run_folder
from spry.store.queues import Broker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.api.wishes import Begun
    from spry.core.events import Event
    from spry.engine.attempts import Attempts
    from spry.engine.audience import Listener

OWN = ".spry"
MOST = 3  # tasks that a title names


def control(folder: str, run: str) -> list[Listener]:
    """What obeys the messages to a run that is remembered in a folder; nothing where nobody can write any."""
    where = place(folder)
    try:
        kept = backend(where)
        files = where if kept.name == "sqlite" else ""
        return [Control(run, run_folder(where, run), files, lambda: Broker(where, kept))]
    except (OSError, UsageError):
        return []


def background(begun: Begun, home: str, run: str, attempts: Attempts) -> list[Listener]:
    """What tells whoever waits for it that a run is written down, and the process list what it does."""

    def told(event: Event) -> None:
        if isinstance(event, RunStarted):
            begun(event.run, run_folder(home, run))

    name = attempts.shown(begun.name)
    return [told, Titles(context(home), name)] if name else [told]


def context(home: str) -> str:
    """What a project is called in the process list: as its folder is, or as its history elsewhere."""
    return os.path.basename(os.path.dirname(home) if os.path.basename(home) == OWN else home) or "root"


class Titles:
    """A listener that shows in the process list how a run stands, and which tasks it is at."""

    def __init__(self, context: str, name: str) -> None:
        self._context, self._name = context, name
        self._running: dict[str, None] = {}
        self._are_many = False

    def __call__(self, event: Event) -> None:
        """Show what has changed."""
        if isinstance(event, RunStarted):
            self._are_many = len(event.tasks) > 1
        elif isinstance(event, TaskStarted):
            self._running[event.task] = None
        elif isinstance(event, TaskFinished | TaskRetrying):
            self._running.pop(event.task, None)
        elif not isinstance(event, RunFinished):
            return
        show(self._context, event.run, self._name, *self._standing(event))

    def _standing(self, event: Event) -> tuple[str, str]:
        """The status of the run, and details."""
        if isinstance(event, RunFinished):
            return "completed" if event.ok else "failed", ""
        if not self._running:
            return "waiting", ""
        names = [*self._running]
        more = [f"+{len(names) - MOST}"] if len(names) > MOST else []
        return "running", ",".join([*names[:MOST], *more]) if self._are_many else ""
