"""How a message gets through a task: from the inbox into reserved, and from there, as its result, into the outbox.

Each step is one transaction of the broker, and the process may die between any two of them:

1. `take` moves the message from `Q` to `Q.reserved`. Whoever dies after that leaves it there.
2. `deliver` writes the result into the outbox and, in the same transaction, a note into `Q.delivered` that names the
   message. From here on the message is done.
3. The message is deleted from `Q.reserved`, then the note. Whoever dies before that leaves a note, and `settle`, which
   comes before everything else that looks into reserved, does the rest. It may be done twice, and by anybody.

So no result is written twice, and no message is lost. A message in reserved is in somebody's hands as long as a lock of
its name is held, which nobody does once the process has ended, however it did.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress

from spry.errors import HostError, UsageError
from spry.record import NamedTuple
from spry.store.lock import is_held
from spry.store.queues import CREATE, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.store.queues import Broker

RESERVED, DELIVERED = ".reserved", ".delivered"
HELD, GATE = "held", "held.lock"


class Held(NamedTuple):
    """A message in our hands; `lock` is the descriptor that says so."""

    inbox: str
    message: Message
    lock: int


class Reservations:
    """The messages of one project that tasks have in their hands."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._folder = os.path.join(broker.folder, HELD)
        try:
            os.makedirs(self._folder, 0o700, exist_ok=True)
        except OSError as error:
            raise _unusable(error) from None

    def take(self, inbox: str, since: int | None = None) -> Held | None:
        """Take the oldest message of a queue, or the oldest after an id, into our hands; None if there is none.

        UsageError if it is in somebody else's.
        """
        self.settle(inbox)
        with self._gate(fcntl.LOCK_SH):
            message = self.broker.move(inbox, inbox + RESERVED, since=since)
            if message is None:
                return None
            try:
                lock = os.open(self._path(message.id), CREATE, 0o600)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self.broker.move(inbox + RESERVED, inbox, message.id)
                if isinstance(error, BlockingIOError):
                    why = f"the message of {inbox} is in the hands of a task that is at work"
                    raise UsageError(why, "wait for it, or stop it") from None
                raise _unusable(error) from None
        return Held(inbox, message, lock)

    def deliver(self, held: Held, outbox: str, text: str) -> bool:
        """Write the result of a message into the outbox; False, and nothing is written, if it was taken from us."""
        reserved = held.inbox + RESERVED
        if not self.broker.has(reserved, held.message.id):
            return False
        result, note = self.broker.ids(2)
        records = [(outbox, Message(text, result)), (held.inbox + DELIVERED, Message(str(held.message.id), note))]
        self.broker.put(records)
        with suppress(HostError):  # it is done; what cannot be tidied now is settled later
            self.broker.drop(reserved, [held.message.id])
            self.broker.drop(held.inbox + DELIVERED, [note])
        return True

    def drop(self, held: Held) -> None:
        """Delete a message in our hands."""
        self.broker.drop(held.inbox + RESERVED, [held.message.id])

    def give_back(self, held: Held) -> None:
        """Let go of a message, and move it back to its place in the inbox, where the next one may take it at once."""
        self.let_go(held)
        self.settle(held.inbox)
        self.broker.move(held.inbox + RESERVED, held.inbox, held.message.id)

    def let_go(self, held: Held) -> None:
        """Our hands are off a message, wherever it is by now."""
        if self.is_ours(held):
            _remove(self._path(held.message.id))
        os.close(held.lock)

    def is_ours(self, held: Held) -> bool:
        """Whether nobody has let go of a message, in this process or another one that shares its lock."""
        try:
            return os.path.samestat(os.stat(self._path(held.message.id)), os.fstat(held.lock))
        except FileNotFoundError:
            return False

    def settle(self, inbox: str) -> None:
        """Finish what somebody who died could not: messages that are done leave reserved."""
        for note in self.broker.peek(inbox + DELIVERED):
            self.broker.drop(inbox + RESERVED, [int(note.text)])
            self.broker.drop(inbox + DELIVERED, [note.id])

    def requeue(self, inbox: str, target: str, most: int | None = None) -> tuple[int, int]:
        """Move what is in reserved, and in nobody's hands, to a queue: how many were moved, how many are held."""
        self.settle(inbox)
        moved = held = 0
        with self._gate(fcntl.LOCK_EX):
            for message in self.broker.peek(inbox + RESERVED):
                if moved == most:
                    break
                if self._is_held(message.id):
                    held += 1
                elif self.broker.move(inbox + RESERVED, target, message.id):
                    moved += 1
        return moved, held

    def _is_held(self, message: int) -> bool:
        path = self._path(message)
        try:
            held = is_held(path)
        except OSError as error:
            raise _unusable(error) from None
        if not held:
            _remove(path)
        return held

    @contextmanager
    def _gate(self, how: int) -> Iterator[None]:
        """Many may take messages at a time; whoever looks for those that nobody holds is alone with that."""
        try:
            gate = os.open(os.path.join(self.broker.folder, GATE), CREATE, 0o600)
        except OSError as error:
            raise _unusable(error) from None
        try:
            fcntl.flock(gate, how)
            yield
        finally:
            os.close(gate)

    def _path(self, message: int) -> str:
        return os.path.join(self._folder, str(message))


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _unusable(error: OSError) -> HostError:
    message = f"messages cannot be held: {error.filename}: {error.strerror}"
    return HostError(message, "see to room and rights in that folder")
