"""Queues of messages, kept by simplebroker: this module is the only one that knows so.

A message has an id, which is also the time of its writing in nanoseconds: it is unique among all queues and stays when
a message is moved. So a queue gives its messages in the order in which they were written, wherever they were meanwhile.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager

from spry.errors import HostError, UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from simplebroker import BrokerTarget

FOLDER, NAME = "queues", "broker.db"
LARGEST = 512 * 1024 * 1024  # bytes of one message
SETTINGS = {"BROKER_MAX_MESSAGE_SIZE": LARGEST}
PATIENCE = 5  # seconds for a server to answer
PAGE = 100  # messages that are looked at in one go
MAGIC = b"SQLite format 3\0"
CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Message(NamedTuple):
    """One message of a queue."""

    text: str
    id: int


class Count(NamedTuple):
    """How many messages wait in a queue."""

    queue: str
    messages: int


class Backend(NamedTuple):
    """What keeps the messages: a file in the project (`sqlite`), or a server with its URL."""

    name: str = "sqlite"
    url: str = ""


class Broker:
    """Every queue of one project; each call is one transaction. Raises HostError where that fails.

    Names of queues are valid ones, see `core.values.queue`; ValueError otherwise.
    """

    def __init__(self, place: str, backend: Backend) -> None:
        """The queues in the folder of a history, made if need be."""
        folder = os.path.join(place, FOLDER)
        self.folder = folder
        self._where, self._hint = f"the {backend.name} server", "see that it runs, and that its URL is right"
        if backend.name == "sqlite":
            self._where = os.path.join(folder, NAME)
            self._hint = "see to room and rights in that folder, and that no other program holds it"
        self._open = ExitStack()
        try:
            from simplebroker import open_broker, resolve_config  # noqa: PLC0415 - an extra, and slow to import
        except ImportError as error:
            message = f"queues need simplebroker, which cannot be imported ({error})"
            raise HostError(message, "install it with: pip install 'spry[queues]'") from None
        config = resolve_config(env={}, override=SETTINGS)
        with self._explained():
            os.makedirs(folder, 0o700, exist_ok=True)
            target = _file(folder) if backend.name == "sqlite" else _server(backend)
            self._broker = self._open.enter_context(open_broker(target, config=config))

    def close(self) -> None:
        """Give back what it holds."""
        self._open.close()

    def write(self, queue: str, text: str) -> int:
        """Put a message at the end of a queue; its id."""
        with self._explained():
            return self._broker.write(queue, text)

    def ids(self, count: int) -> list[int]:
        """Ids for messages that are written with `put`, in order."""
        with self._explained():
            return [self._broker.generate_timestamp() for _ in range(count)]

    def put(self, records: Iterable[tuple[str, Message]]) -> None:
        """Put messages with known ids into queues, all or none."""
        with self._explained():
            self._broker.insert_messages((queue, message.text, message.id) for queue, message in records)

    def peek(self, queue: str, since: int | None = None) -> Iterator[Message]:
        """The messages of a queue, the oldest first, those written after `since` (an id) if it is given."""
        while True:
            with self._explained():
                page = self._broker.peek_many(queue, PAGE, with_timestamps=True, after_timestamp=since)
            found = [_message(one) for one in page]
            yield from found
            if len(found) < PAGE:
                return
            since = found[-1].id

    def has(self, queue: str, message: int) -> bool:
        """Whether a message is in a queue."""
        with self._explained():
            return self._broker.peek_one(queue, exact_timestamp=message) is not None

    def move(self, source: str, target: str, message: int | None = None, since: int | None = None) -> Message | None:
        """Move one message, the oldest, or the oldest after `since`, or a certain one; None if there is none."""
        with self._explained():
            if since is None:
                moved = self._broker.move_one(source, target, exact_timestamp=message, with_timestamps=True)
            else:
                found = self._broker.move_many(source, target, 1, with_timestamps=True, after_timestamp=since)
                moved = found[0] if found else None
        return None if moved is None else _message(moved)

    def drop(self, queue: str, messages: Sequence[int]) -> None:
        """Delete messages of a queue by their ids, as far as they are there."""
        with self._explained():
            self._broker.delete_message_ids(queue, messages)

    def delete(self, queue: str) -> int:
        """Delete a queue with all its messages; how many waited."""
        with self._explained():
            waiting = self._broker.get_queue_stat(queue).pending
            self._broker.delete(queue)
        return waiting

    def queues(self) -> list[Count]:
        """The queues in which messages wait, by name."""
        with self._explained():
            found = self._broker.list_queue_stats()
        return sorted(Count(one.queue, one.pending) for one in found if one.pending)

    def broadcast(self, text: str, queues: Sequence[str]) -> int:
        """Put a message into each of these queues that is there, all or none; how many those were."""
        with self._explained():
            return self._broker.broadcast(text, queue_names=queues) if queues else 0

    def aliases(self) -> dict[str, str]:
        """The other names of queues, each with the queue that it stands for."""
        with self._explained():
            return dict(self._broker.list_aliases())

    def add_alias(self, alias: str, target: str) -> None:
        """Give a queue another name; UsageError where that name stands for something else, or is a queue's."""
        with self._explained():
            if self._broker.queue_exists_and_has_messages(alias):
                message = f'"{alias}" is a queue with messages, which could not be reached behind an alias'
                raise UsageError(message, f"move them first: spry queue move {alias} {target} --all")
            try:
                self._broker.add_alias(alias, target)
            except ValueError as error:
                raise UsageError(str(error), "spry queue alias list shows them all") from None

    def remove_alias(self, alias: str) -> None:
        """Take such a name away again; UsageError if it is none."""
        with self._explained():
            if not self._broker.has_alias(alias):
                raise UsageError(f'there is no alias "{alias}"', "spry queue alias list shows them all")
            self._broker.remove_alias(alias)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Whatever goes wrong with the broker, in one line and with something to do about it."""
        from simplebroker.ext import BrokerError, MessageError  # noqa: PLC0415 - as above

        try:
            yield
        except MessageError as error:
            raise UsageError(f"this cannot be a message: {error}", "messages are text of at most 512 MB") from None
        except (BrokerError, OSError, RuntimeError) as error:
            raise HostError(f"the queues cannot be used: {self._where}: {error}", self._hint) from None


def marks(folder: str) -> tuple[int, ...]:
    """What changes when a message comes or goes, at the price of a look at files: moments and sizes in turn.

    `folder` is that of a history. All are 0 where no message is kept in a file.
    """
    found: list[int] = []
    for name in (NAME, f"{NAME}-wal"):
        try:
            seen = os.stat(os.path.join(folder, FOLDER, name))
        except OSError:
            found += (0, 0)
        else:
            found += (seen.st_mtime_ns, seen.st_size)
    return tuple(found)


def instant(text: str) -> int:
    """The id of a message, or a point in time, as an id; UsageError for anything else."""
    from simplebroker.ext import TimestampError, TimestampGenerator  # noqa: PLC0415 - as above

    try:
        return int(TimestampGenerator.validate(text))
    except TimestampError:
        hint = "write a timestamp of --json, 2026-01-31T12:00:00Z, or 1700000000s"
        raise UsageError(f'--since: "{text}" is no point in time', hint) from None


def _message(found: object) -> Message:
    assert isinstance(found, tuple)
    return Message(str(found[0]), int(found[1]))


def _file(folder: str) -> str:
    """The file of the messages, which is for nobody else; SQLite gives its other files the same mode.

    HostError at once if it is something else: the broker would try again for seconds.
    """
    path = os.path.join(folder, NAME)
    for own in (path, f"{path}.lock"):
        if not os.path.exists(own):
            os.close(os.open(own, CREATE, 0o600))
    with open(path, "rb") as stream:
        if not MAGIC.startswith(stream.read(len(MAGIC))):
            hint = f"move it out of the way to begin anew: mv {path} {path}.damaged"
            raise HostError(f"the queues are damaged: {path} is no database", hint)
    return path


def _server(backend: Backend) -> BrokerTarget:
    """Where a server is; HostError without the library that speaks with it."""
    from simplebroker import BrokerTarget, resolve_config  # noqa: PLC0415 - as above
    from simplebroker.ext import get_backend_plugin  # noqa: PLC0415 - as above

    try:
        plugin = get_backend_plugin(backend.name)
    except RuntimeError as error:
        extra = {"postgres": "pg"}.get(backend.name, backend.name)
        hint = f"install it with: pip install 'simplebroker[{extra}]'"
        raise HostError(f"queues on {backend.name} need a library: {error}", hint) from None
    _answers(backend)
    config = resolve_config(env={}, override={"BROKER_BACKEND": backend.name, "BROKER_BACKEND_TARGET": backend.url})
    found = plugin.init_backend(config)
    target, options = str(found["target"]), found["backend_options"]
    return BrokerTarget(backend_name=backend.name, target=target, backend_options=options)


def _answers(backend: Backend) -> None:
    """HostError at once where a server does not answer: the broker would try for half a minute and more."""
    fault = (_asked_postgres if backend.name == "postgres" else _asked_redis)(backend.url)
    if fault:
        why = " ".join(fault.split())
        message = f"the queues cannot be used: the {backend.name} server: {why}"
        raise HostError(message, "see that the server runs, and that the URL is right")


def _asked_postgres(url: str) -> str:
    """Why Postgres does not answer, or nothing."""
    import psycopg  # noqa: PLC0415 - as above

    try:
        psycopg.connect(url, connect_timeout=PATIENCE).close()
    except psycopg.Error as error:
        return str(error)
    return ""


def _asked_redis(url: str) -> str:
    """Why Redis does not answer, or nothing."""
    import redis  # noqa: PLC0415 - as above

    try:
        client = redis.Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
        client.ping()
        client.close()
    except (redis.RedisError, ValueError) as error:  # ValueError: it is no URL
        return str(error)
    return ""
