"""The messages of a run: what its tasks take from their inboxes, and what becomes of it."""

from __future__ import annotations

import os

from spry.core.events import Outcome
from spry.errors import HostError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.core.events import TaskFinished
    from spry.core.model import Task
    from spry.engine.captures import Keeper
    from spry.engine.secrets import Secrets
    from spry.store.queues import Broker
    from spry.store.reservations import Held, Reservations

CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


class Messages:
    """Gives each task with an inbox one message, for all its attempts, and its result to the outbox.

    `names` are the queues behind the names that tasks give, `scratch` is a private folder for what they read; `held`
    are messages that tasks have from the start.
    """

    def __init__(
        self,
        reservations: Reservations,
        names: Mapping[str, str],
        scratch: str,
        warn: Callable[[str], None],
        held: dict[str, Held],
    ) -> None:
        self.reservations, self.names, self.scratch, self.warn = reservations, names, scratch, warn
        self.held = held
        self.idle: set[str] = set()

    @property
    def broker(self) -> Broker:
        """The queues themselves."""
        return self.reservations.broker

    def begin(self, task: Task) -> bool:
        """An attempt begins: whether there is something to do. HostError where the queues cannot be used."""
        if task.inbox is None:
            return True
        held = self.held.get(task.name) or self.reservations.take(self.names[task.inbox])
        if held is None:
            self.idle.add(task.name)
            return False
        self.held[task.name] = held
        _write(self._file(held), held.message.text)
        return True

    def told(self, task: Task, run: str) -> dict[str, str]:
        """The variables that tell a task about its message.

        The key is the same whenever this task has this message, also in another run.
        """
        if task.name not in self.held:
            return {}
        message = str(self.held[task.name].message.id)
        return {
            "SPRY_MESSAGE_ID": message,
            "SPRY_TASK_ID": f"{run}/{task.name}",
            "SPRY_IDEMPOTENCY_KEY": f"{task.name}:{message}",
        }

    def stdin(self, task: Task) -> str:
        """The file that a task reads on stdin; empty if it has no message."""
        return self._file(self.held[task.name]) if task.name in self.held else ""

    def remark(self, task: Task) -> str:
        """What there is to say of a task that had nothing to do."""
        return f"nothing to do, {task.inbox} is empty" if task.name in self.idle else ""

    def keep(self, task: Task, keeper: Keeper | None, secrets: Secrets | None) -> str:
        """A task has succeeded: deliver its result. What is wrong with that, or nothing; HostError as `begin`."""
        if task.name in self.idle:
            return ""
        held = self.held.get(task.name)
        if task.outbox is None:
            if held is not None:
                self.reservations.drop(held)
            return ""
        assert keeper is not None
        try:
            text = _text(keeper)
            if secrets is not None and secrets.are_in({"": text}):
                return f"its output holds a secret, and a queue is written to disk: nothing was put into {task.outbox}"
            return self._deliver(held, task.outbox, text)
        except (UsageError, UnicodeDecodeError) as error:
            why = error.message if isinstance(error, UsageError) else "it is not UTF-8 text"
            return f"its output cannot be a message for {task.outbox}: {why}"

    def _deliver(self, held: Held | None, outbox: str, text: str) -> str:
        if held is None:
            self.broker.write(self.names[outbox], text)
        elif not self.reservations.deliver(held, self.names[outbox], text):
            return f"its message was taken out of {held.inbox}.reserved meanwhile: nothing was put into {outbox}"
        return ""

    def finished(self, task: Task, event: TaskFinished) -> None:
        """A task has its outcome: if it failed its policy says what becomes of the message, else it is done with.

        One that was cancelled could do nothing about it: its message goes back.
        """
        held = self.held.pop(task.name, None)
        if held is None:
            return
        policy = "requeue" if event.outcome is Outcome.CANCELLED else task.reserved or "keep"
        if event.outcome is Outcome.SUCCEEDED:
            policy = "keep"  # it is gone already
        try:
            self._part(held, policy)
        except HostError as error:
            self.warn(f"the message of {task.name} stays in {held.inbox}.reserved: {error.message}")

    def _part(self, held: Held, policy: str) -> None:
        """Let go of a message as a policy says."""
        self._forget(held)
        if policy == "requeue":
            self.reservations.give_back(held)
            return
        try:
            if policy == "clear":
                self.reservations.drop(held)
        finally:
            self.reservations.let_go(held)

    def close(self) -> None:
        """The run is over; what is still in our hands stays where it is."""
        for held in self.held.values():
            self._part(held, "keep")
        self.held.clear()
        self.broker.close()

    def _forget(self, held: Held) -> None:
        """Remove what the task could read."""
        try:
            os.unlink(self._file(held))
        except OSError:
            return  # the folder goes as a whole

    def _file(self, held: Held) -> str:
        return f"{self.scratch}/message-{held.message.id}"


def _write(path: str, text: str) -> None:
    try:
        with open(os.open(path, CREATE, 0o600), "wb") as stream:
            stream.write(text.encode())
    except OSError as error:
        raise HostError(f"a message cannot be handed over: {path}: {error.strerror}", "make room there") from error


def _text(keeper: Keeper) -> str:
    """What a task wrote to stdout, without its last newline; UnicodeDecodeError or UsageError if it is no text."""
    if keeper.fault is not None:
        raise UsageError(f"it could not be kept: {keeper.fault.strerror}")
    text = b"".join(keeper.chunks()).decode()
    if "\0" in text:
        raise UsageError("it has a NUL byte")
    return text.removesuffix("\n")
