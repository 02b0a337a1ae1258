"""The lines of a dump, each a record as JSON.

The first line says what the file is, the last one how many there are between them: a file that was cut short is never
loaded. Every line has its `kind`. What a later version adds is a further kind or field; it still reads these.
"""

from __future__ import annotations

import json

from spry import __version__
from spry.core.values import queue as queue_fault
from spry.errors import UsageError
from spry.store import dump as store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    Record = Mapping[str, Any]

FORMAT = 1
SHELVES = ("tasks", "pipelines", "autostart")
RUNS = ("run", "event", "output", "book")
OTHERS: Mapping[str, Mapping[str, type]] = {
    "spec": {"path": str, "text": str},
    "message": {"queue": str, "id": int, "text": str},
    "alias": {"alias": str, "target": str},
}


def head() -> str:
    """The first line."""
    return line({"kind": "spry dump", "format": FORMAT, "version": __version__})


def line(record: Record) -> str:
    """A record as a line."""
    return json.dumps(record, separators=(",", ":")) + "\n"


def end(count: int) -> str:
    """The last line, after so many records."""
    return line({"kind": "end", "records": count})


def read(path: str, shown: str) -> Iterator[Record]:
    """The records of a dump, each of which has been looked at; UsageError for a file that is no whole dump."""
    try:
        with open(path, encoding="ascii") as stream:
            yield from _records(shown, stream)
    except OSError as error:
        raise UsageError(
            f"{shown}: {(error.strerror or '').lower()}", "name a file that spry system dump made"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{shown} is no dump of spry", "name a file that spry system dump made") from None


def _records(path: str, lines: Iterable[str]) -> Iterator[Record]:
    count, is_whole = -1, False
    for number, line in enumerate(lines, 1):
        record = _record(path, number, line)
        if number == 1:
            _check_head(path, record)
        elif is_whole:
            raise UsageError(f"{path}:{number}: something follows the end of the dump", "make the dump anew")
        elif record["kind"] == "end":
            is_whole = record.get("records") == count
        else:
            yield record
        count += 1
    if not is_whole:
        raise UsageError(f"{path} is cut short, or lines of it are missing", "make the dump anew")


def _record(path: str, number: int, line: str) -> Record:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        what = "is no dump of spry" if number == 1 else f"is damaged in line {number}"
        raise UsageError(f"{path} {what}", "name a file that spry system dump made")
    if number == 1:
        return record
    kind = record["kind"]
    fault = ""
    if kind in RUNS:
        fault = store.fault(record)
    elif kind in OTHERS:
        fault = _fault(record)
    elif kind != "end":
        fault = f"unknown kind {kind}"
    if fault:
        raise UsageError(f"{path}:{number}: {fault}", "load it with the spry that made it, or a later one")
    return record


def _check_head(path: str, record: Record) -> None:
    if record["kind"] != "spry dump" or not isinstance(record.get("format"), int):
        raise UsageError(f"{path} is no dump of spry", "name a file that spry system dump made")
    if record["format"] > FORMAT:
        version = record.get("version", "a later version")
        raise UsageError(f"{path} was made by a newer spry ({version})", "upgrade, and load it again")


def _fault(record: Record) -> str:
    """What is wrong with a record of the other kinds, or nothing."""
    fields = OTHERS[record["kind"]]
    if set(record) - {"kind"} != set(fields) or not all(
        isinstance(record[name], kind) for name, kind in fields.items()
    ):
        return f"a {record['kind']} has {', '.join(fields)}"
    if record["kind"] == "message":
        return queue_fault(record["queue"]) or ("" if 0 < record["id"] <= store.LARGEST else "its id is none")
    if record["kind"] == "alias":
        is_loop = record["alias"] == record["target"]
        return queue_fault(record["alias"]) or queue_fault(record["target"]) or ("it means itself" if is_loop else "")
    parts = record["path"].split("/")
    sound = len(parts) > 1 and parts[0] in SHELVES and not any(part in ("", ".", "..") for part in parts)
    return "" if sound else "a spec has no place in a project"
