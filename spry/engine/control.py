"""Control of a run by messages: what comes into `T{run}.ctrl_in` has its effect, with an answer in `T{run}.ctrl_out`.

A look at the queues takes milliseconds, so it is taken only when their files have changed; those are looked at twice a
second, which takes microseconds. What a message asks for is done in the very way of `spry stop` and `spry kill`.
"""

from __future__ import annotations

import os
import signal
import time

from spry.core.events import RunFinished, RunStarted, TaskFinished, TaskStarted
from spry.errors import SpryError
from spry.store.control import begin, note
from spry.store.queues import Message, marks
from spry.store.rows import as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.core.events import Event
    from spry.store.queues import Broker

LOOK, ASK = 0.5, 2.0  # seconds between two looks at the files, and between two questions to a server
COMMANDS = ("STOP", "KILL", "STATUS", "PING")


class Control:
    """A listener that obeys the messages to a run, whose files are in `place` and whose queues `connect` opens.

    Those are files in the `folder` of the history, or without one on a server, which has to be asked. While they cannot
    be used the run is not controlled by them, and goes on. OSError if the files of the run cannot be written.
    """

    def __init__(self, run: str, place: str, folder: str, connect: Callable[[], Broker]) -> None:
        self._run, self._place, self._folder, self._connect = run, place, folder, connect
        self._tasks: dict[str, str] = {}
        self._marks = marks(folder) if folder else ()
        self._due, self._looks, self._kills = 0.0, 0, False
        begin(place)

    @property
    def refresh(self) -> float:
        """Seconds until the next beat is due."""
        return LOOK if self._folder or self._kills else ASK

    def __call__(self, event: Event) -> None:
        """Know how the tasks stand; once the run is over, tell whoever was late."""
        if isinstance(event, RunStarted):
            self._tasks = dict.fromkeys(event.tasks, "waiting")
        elif isinstance(event, TaskStarted):
            self._tasks[event.task] = "running"
        elif isinstance(event, TaskFinished):
            self._tasks[event.task] = event.outcome.value
        elif isinstance(event, RunFinished) and self._looks:
            self._look(over=True)

    def beat(self, now: float) -> None:
        """Look for messages, if it is time and there may be any."""
        if now < self._due:
            return
        self._due = now + self.refresh
        if self._kills:
            self._end()
            self._kills = False
        if not self._folder or self._is_changed():
            self._look()

    def _is_changed(self) -> bool:
        found = marks(self._folder)
        before = self._marks
        # A file that has changed just now may change again within the same tick of its clock: look once more then.
        self._marks = found if max(found[::2]) < time.time_ns() - LOOK * 1e9 else ()
        return found != before

    def _look(self, *, over: bool = False) -> None:
        self._looks += 1
        try:
            broker = self._connect()
            try:
                self._obey(broker, over=over)
            finally:
                broker.close()
        except SpryError:
            return  # the run goes on; `spry stop` reaches it without queues

    def _obey(self, broker: Broker, *, over: bool) -> None:
        for message in broker.peek(f"T{self._run}.ctrl_in"):
            word = message.text.strip().upper()
            answer = self._answer(word, message.id, over=over)
            broker.put([(f"T{self._run}.ctrl_out", Message(answer, broker.ids(1)[0]))])
            broker.drop(f"T{self._run}.ctrl_in", [message.id])
            if over or word not in COMMANDS:
                continue
            note(self._place, word)
            if word in ("STOP", "KILL"):
                self._kills = word == "KILL"
                self._end()

    def _answer(self, word: str, message: int, *, over: bool) -> str:
        """What is said to a command; whoever gave it knows by the id of its message that it is for them."""
        fields: dict[str, object] = {"command": word[:100], "status": "ok", "tid": self._run, "request": str(message)}
        if over:
            fields.update(status="error", message="the run is over")
        elif word not in COMMANDS:
            fields.update(status="error", message=f"there are {', '.join(COMMANDS)}")
        elif word == "PING":
            fields["message"] = "PONG"
        elif word == "STATUS":
            fields.update(task_status="running", task_pid=os.getpid(), tasks=self._tasks)
        return as_json({**fields, "timestamp": str(time.time_ns())})

    def _end(self) -> None:
        """As `spry stop` does, and for the second time as `spry kill` does."""
        os.kill(os.getpid(), signal.SIGTERM)
