"""`spry system dump` and `load`: all that a project remembers as one file of JSON lines, and back."""

from __future__ import annotations

import os
from itertools import chain

from spry.api.dumplines import OTHERS, RUNS, SHELVES, end, head, line, read
from spry.api.history import place
from spry.errors import HostError, UsageError
from spry.store import dump as store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from spry.api.dumplines import Record
    from spry.store.queues import Broker

STREAM = "-"  # in place of a file: stdout, or stdin
QUEUES = "queues"


def dump(folder: str, path: str) -> int:
    """Write all that the history and the project of a folder hold to a private file: how many records.

    HostError where it cannot be written; then nothing is there. `-` is stdout.
    """
    if path == STREAM:
        with open(os.dup(1), "w", encoding="ascii") as stream:
            return _write(stream.write, folder)
    part = f"{path}.{os.getpid()}.part"
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with open(file, "w", encoding="ascii") as stream:
                count = _write(stream.write, folder)
                stream.flush()
                os.fsync(file)
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}", "name another file with -o") from None
    return count


def has_artifacts(folder: str) -> bool:
    """Whether tasks have saved files there, of which a dump has none."""
    try:
        return bool(os.listdir(os.path.join(place(folder), "artifacts")))
    except FileNotFoundError:
        return False


def _write(write: Any, folder: str) -> int:
    home, count = place(folder), 0
    write(head())
    for record in chain(_specs(home), _messages(folder, home), store.records(home)):
        write(line(record))
        count += 1
    write(end(count))
    return count


def _specs(home: str) -> Iterator[Record]:
    """What is saved in a project."""
    for shelf in SHELVES:
        for top, folders, files in os.walk(os.path.join(home, shelf)):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(top, name)
                with open(path, encoding="utf-8", errors="surrogateescape") as stream:
                    yield {"kind": "spec", "path": os.path.relpath(path, home), "text": stream.read()}


def _messages(folder: str, home: str) -> Iterator[Record]:
    """What is in the queues of a project, and their other names; where there were never any, none are made."""
    from spry.api import queues

    if queues.backend(home).name == "sqlite" and not os.path.isdir(os.path.join(home, QUEUES)):
        return
    broker = queues.connect(folder)
    try:
        yield from queues.dumped(broker)
    finally:
        broker.close()


def load(folder: str, path: str) -> int:
    """Put what a dump holds into the history and the project of a folder, ids as they were: how many records.

    UsageError, with nothing changed, if the file is no whole dump, or if something in it is there already and differs;
    HostError, with nothing changed, where there is no room for it. `-` is stdin.
    """
    if path != STREAM:
        return _load(folder, path, path)
    import shutil
    import sys
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile() as copy:  # it is read twice
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        return _load(folder, copy.name, "stdin")


def _load(folder: str, path: str, shown: str) -> int:
    home = place(folder)
    found: dict[str, list[Record]] = {kind: [] for kind in (*RUNS, *OTHERS)}
    count = 0
    for record in read(path, shown):
        count += 1
        if record["kind"] not in ("event", "output", "book"):  # of which there can be many
            found[record["kind"]].append(record)
    known = store.taken((record["run"] for record in found["run"]), home)
    faults = [*_known_specs(home, found["spec"]), *(f"run {run} is there already" for run in known)]
    queues, specs = _Queues(folder, [*found["alias"], *found["message"]]), _Specs(home, found["spec"])
    try:
        _refuse(shown, [*faults, *queues.faults()])
        try:
            # Three places, and one moment: the runs are kept once all else is there. Whoever is killed before that
            # leaves what is found as it was by whoever loads the dump again.
            with store.loading((record for record in read(path, shown) if record["kind"] in RUNS), home):
                specs.put()
                queues.put()
        except BaseException:
            queues.take_back()
            specs.take_back()
            raise
    except OSError as error:
        raise HostError(f"cannot load {shown}: {error.filename or home}: {error.strerror}", "make room there") from None
    finally:
        queues.close()
    return count


class _Specs:
    """The specs of a dump, on their way into a project."""

    def __init__(self, home: str, records: Sequence[Record]) -> None:
        self._home, self._records = home, records
        self._made: list[str] = []

    def put(self) -> None:
        """Write those that are not there yet."""
        from spry.artifacts.files import write_whole

        for record in self._records:
            path = os.path.join(self._home, record["path"])
            if not os.path.exists(path):
                os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
                write_whole(path, [record["text"].encode("utf-8", "surrogateescape")])
                self._made.append(path)

    def take_back(self) -> None:
        """Remove them again."""
        for path in self._made:
            os.unlink(path)


class _Queues:
    """The messages and aliases of a dump, on their way into the queues of a folder; without any, nothing is opened."""

    def __init__(self, folder: str, records: Sequence[Record]) -> None:
        self._records = records
        self._broker: Broker | None = None
        self._before: tuple[dict[str, str], dict[int, tuple[str, str]]] | None = None
        if records:
            from spry.api.queues import connect

            self._broker = connect(folder)

    def faults(self) -> Iterator[str]:
        """What is there already, and differs."""
        if self._broker is not None:
            from spry.api.queues import conflicts

            yield from conflicts(self._broker, self._records)

    def put(self) -> None:
        """Put the messages into their queues, and give those their other names."""
        if self._broker is not None:
            from spry.api.queues import kept, loaded

            self._before = self._broker.aliases(), kept(self._broker)
            loaded(self._broker, self._records)

    def take_back(self) -> None:
        """Take out again what was put."""
        if self._broker is None or self._before is None:
            return
        aliases, messages = self._before
        for one in self._records:
            if one["kind"] == "alias" and one["alias"] not in aliases:
                self._broker.remove_alias(one["alias"])
            elif one["kind"] == "message" and one["id"] not in messages:
                self._broker.drop(one["queue"], [one["id"]])

    def close(self) -> None:
        """Give back what it holds."""
        if self._broker is not None:
            self._broker.close()


def _refuse(path: str, faults: Iterable[str]) -> None:
    found = list(faults)
    if found:
        more = f" and {len(found) - 5:,} more" if len(found) > 5 else ""
        raise UsageError(f"{path} cannot be loaded: {'; '.join(found[:5])}{more}", "load it into an empty project")


def _known_specs(home: str, specs: Iterable[Record]) -> Iterator[str]:
    for record in specs:
        try:
            with open(os.path.join(home, record["path"]), encoding="utf-8", errors="surrogateescape") as stream:
                if stream.read() != record["text"]:
                    yield f"{record['path']} is there already, and differs"
        except FileNotFoundError:
            continue
