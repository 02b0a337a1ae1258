"""Compiled runbooks: a valid graph kept under the digest of the bytes it came from.

An unchanged runbook starts without a parser, YAML or networkx. An entry is a magic word, a checksum and a marshalled
payload; `marshal` can crash on bytes it did not write, so nothing is unmarshalled before the checksum has matched.
An entry decides what gets executed: only regular files of this user that nobody else can write are believed.
Whatever is odd about an entry or the folder, the answer is "not here" and the runbook is compiled anew.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Mapping

from spry import __version__
from spry.core import model
from spry.core.model import Expression, Graph, Parameter, Runbook, Settings, Task

try:
    from _blake2 import blake2b  # hashlib loads OpenSSL first, which costs a fifth of Python's own start
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Files = Sequence[tuple[str, str, bytes] | tuple[str, str, bytes, int]]
    Row = tuple[Any, ...]

MAGIC = b"spry compiled runbook 1\n"
CHECKSUM = 32  # bytes
HEADER = len(MAGIC) + CHECKSUM
MOST_ENTRIES = 200
MOST_BYTES = 64 * 1024 * 1024
REGULAR, KIND, WRITABLE_BY_OTHERS = 0o100000, 0o170000, 0o022  # of a file's mode
PARAMS, EXPRESSIONS = Task._fields.index("params"), Task._fields.index("expressions")
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
ODD = (OSError, ValueError, TypeError, EOFError, AttributeError, KeyError, IndexError, MemoryError)


class PlanCache:
    """Keeps compiled runbooks in a folder of the user's.

    `files` are, in order, the path of each file as people wrote it, its absolute folder, and its bytes: a graph
    holds all three, so none of them may differ. More about a file is not looked at. Neither method ever raises.
    """

    __slots__ = ("_code", "_folder")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._code = _code()

    def load(self, files: Files) -> Graph | None:
        """The graph that was saved for exactly these files by this spry, if there is one to be trusted."""
        digest = self._digest(files)
        try:
            entry = _read(self._entry(digest))
            return _rebuild(_payload(entry, digest))
        except ODD:
            return None

    def save(self, files: Files, graph: Graph) -> None:
        """Keep a graph; where that is impossible, nothing happens."""
        digest = self._digest(files)
        try:
            payload = marshal.dumps(_packed(graph))
            if len(payload) + HEADER > MOST_BYTES or not self._is_ours():
                return
            self._write(self._entry(digest), (MAGIC, _checksum(digest, payload), payload))
            self._tidy()
        except ODD:
            return

    def _digest(self, files: Files) -> bytes:
        digest = blake2b(self._code, digest_size=20)
        for path, folder, data, *_ in files:
            digest.update(ascii((path, folder, len(data))).encode())
            digest.update(data)
        return digest.digest()

    def _entry(self, digest: bytes) -> str:
        return os.path.join(self._folder, digest.hex())

    def _is_ours(self) -> bool:
        """Whether the folder is there, made if need be, and this user's: nothing is left in anybody else's."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return os.stat(self._folder).st_uid == os.geteuid()

    def _write(self, path: str, parts: Iterable[bytes]) -> None:
        """Write under a name of its own, then move it into place: a reader sees all of it or nothing."""
        part = f"{path}.{os.getpid()}.{os.urandom(6).hex()}"
        try:
            with os.fdopen(os.open(part, CREATE, 0o600), "wb") as file:
                file.writelines(parts)
            os.replace(part, path)
        except OSError:
            os.unlink(part)
            raise

    def _tidy(self) -> None:
        """Drop the oldest entries beyond the limits."""
        with os.scandir(self._folder) as found:
            stats = [(entry.stat(follow_symlinks=False), entry.path) for entry in found]
        newest = sorted(((stat.st_mtime_ns, stat.st_size, path) for stat, path in stats), reverse=True)
        total = 0
        for count, (_, size, path) in enumerate(newest):
            total += size
            if count >= MOST_ENTRIES or total > MOST_BYTES:
                os.unlink(path)


def _code() -> bytes:
    """What compiled the runbooks: spry's and Python's versions, and the state of the parser's own files.

    The files matter to those who change spry without changing its version.
    """
    try:
        with os.scandir(os.path.dirname(model.__file__)) as found:
            modules = [(entry.name, entry.stat()) for entry in found if entry.name.endswith((".py", ".pyc"))]
    except OSError:
        modules = []
    state = sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in modules)
    return ascii((__version__, sys.version, marshal.version, state)).encode()


def _read(path: str) -> bytes:
    """The bytes of a trusted entry; `OSError` or `ValueError` for any other."""
    descriptor = os.open(path, READ)
    with os.fdopen(descriptor, "rb") as file:
        stat = os.fstat(descriptor)
        if stat.st_mode & KIND != REGULAR or stat.st_mode & WRITABLE_BY_OTHERS or stat.st_uid != os.geteuid():
            raise ValueError("not a private file of this user")
        if stat.st_size > MOST_BYTES:
            raise ValueError("too large")
        return file.read()


def _payload(entry: bytes, digest: bytes) -> memoryview:
    """The payload of an entry that is whole and was saved under this digest."""
    payload = memoryview(entry)[HEADER:]
    if entry[:HEADER] != MAGIC + _checksum(digest, payload):
        raise ValueError("damaged")
    return payload


def _checksum(digest: bytes, payload: bytes | memoryview) -> bytes:
    return blake2b(payload, digest_size=CHECKSUM, key=digest).digest()


def _packed(graph: Graph) -> Row:
    """A graph as plain tuples and dictionaries, all that `marshal` takes."""
    tasks = tuple(_packed_task(task) for task in graph.runbook.tasks.values())
    settings = [
        (path, tuple(dict(value) if isinstance(value, Mapping) else value for value in setting))
        for path, setting in graph.runbook.settings.items()
    ]
    return tasks, tuple(settings), graph.order, tuple(map(graph.deps.__getitem__, graph.order)), dict(graph.kinds)


def _packed_task(task: Task) -> Row:
    if not task.params and not task.expressions:
        return tuple(task)
    fields: list[Any] = list(task)
    fields[PARAMS] = tuple(map(tuple, task.params))
    fields[EXPRESSIONS] = tuple(map(tuple, task.expressions))
    return tuple(fields)


def _rebuild(payload: memoryview) -> Graph:
    tasks, settings, order, deps, kinds = marshal.loads(payload)  # noqa: S302 - its checksum has matched
    by_name = {row[0]: _task(row) for row in tasks}
    by_path = {path: Settings._make(fields) for path, fields in settings}
    if not len(by_name) == len(order) == len(deps):
        raise ValueError("incomplete")
    return Graph(Runbook(by_name, by_path), order, dict(zip(order, deps, strict=True)), kinds)


def _task(row: Row) -> Task:
    if not row[PARAMS] and not row[EXPRESSIONS]:
        return Task._make(row)
    fields = list(row)
    fields[PARAMS] = tuple(map(Parameter._make, row[PARAMS]))
    fields[EXPRESSIONS] = tuple(map(Expression._make, row[EXPRESSIONS]))
    return Task._make(fields)
