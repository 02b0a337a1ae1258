"""What happens to tasks, told to whoever wants to know."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from spry.api.outcomes import TaskStatus
    from spry.api.task import Task

    TaskEventHandler = Callable[["TaskEvent"], object]


class TaskEventType(Enum):
    """What has happened."""

    STARTED = "started"
    PROGRESS = "progress"
    OUTPUT = "output"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"
    PERSISTENCE_FAILED = "persistence_failed"


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One thing that happened to a task.

    `status` is where the task stands now, `previous_status` where it stood before (None if that did not change).
    `output_chunk` is one line with its end, `output_stream` where it was written. `progress_percent` is from 0 to 100.
    When a graph could not be saved, `task` only stands for it: it has the id and the title of the graph.
    """

    type: TaskEventType
    task_id: str
    task: Task
    timestamp: datetime
    previous_status: TaskStatus | None
    status: TaskStatus
    error: str | None = None
    progress_percent: float | None = None
    progress_message: str | None = None
    output_stream: Literal["stdout", "stderr"] | None = None
    output_chunk: str | None = None


class EventBus:
    """Tells subscribers of events, one after the other, in the thread in which they happen.

    A subscriber cannot break the work that it watches: what it raises is kept in `errors`.
    """

    __slots__ = ("_errors", "_subscribers")

    def __init__(self) -> None:
        self._subscribers: tuple[tuple[object, TaskEventHandler], ...] = ()
        self._errors: list[Exception] = []

    @property
    def errors(self) -> list[Exception]:
        """What subscribers have raised so far."""
        return list(self._errors)

    @property
    def is_heard(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._subscribers)

    def subscribe(self, subscriber: TaskEventHandler) -> Callable[[], None]:
        """Call `subscriber` with every event from now on, until the function that is returned is called."""
        if not callable(subscriber):
            raise TypeError("subscriber must be callable")
        token = object()
        self._subscribers = (*self._subscribers, (token, subscriber))

        def unsubscribe() -> None:
            self._subscribers = tuple(pair for pair in self._subscribers if pair[0] is not token)

        return unsubscribe

    @contextmanager
    def subscribed(self, subscriber: TaskEventHandler) -> Iterator[None]:
        """Be subscribed for the duration of a `with` block."""
        unsubscribe = self.subscribe(subscriber)
        try:
            yield
        finally:
            unsubscribe()

    def emit(self, event: TaskEvent) -> None:
        """Tell everybody who is subscribed."""
        for _, subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on
                self._errors.append(error)
