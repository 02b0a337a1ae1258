"""A run for programs: one event a line, as JSON, on stdout."""

from __future__ import annotations

from spry.core.events import TaskFinished, TaskOutput, TaskRetrying, record
from spry.view.plain import Written
from spry.view.screen import STREAMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from spry.core.events import Event
    from spry.view.screen import Screen


class JsonLines:
    """Writes every event as one JSON object a line, in the order in which they happened, `more` in each of them."""

    def __init__(self, screen: Screen, more: Mapping[str, object] | None = None) -> None:
        import json  # noqa: PLC0415 - only for --json

        self._dumps = json.JSONEncoder(separators=(",", ":")).encode
        self._screen = screen
        self._more = more or {}
        self._halves: dict[tuple[str, str], TaskOutput] = {}

    def tell(self, event: Event) -> None:
        """Put on the screen what this event means."""
        match event:
            case TaskOutput():
                self._output(event)
            case TaskRetrying() | TaskFinished():
                self._complete(event.task)
                self._write(event)
            case _:
                self._write(event)

    def end(self) -> None:
        """Write the letters that were never completed."""
        for task, _ in list(self._halves):
            self._complete(task)

    def _output(self, event: TaskOutput) -> None:
        """Letters that came in two pieces are written in one."""
        key = event.task, event.stream
        before = self._halves.pop(key, None)
        data = before.data + event.data if before else event.data
        cut = len(data) - _unfinished(data)
        if cut < len(data):
            self._halves[key] = event._replace(data=data[cut:])
        if cut:
            self._write(event._replace(data=data[:cut]))

    def _complete(self, task: str) -> None:
        for stream in STREAMS:
            half = self._halves.pop((task, stream), None)
            if half:
                self._write(half)

    def _write(self, event: Event) -> None:
        self._screen.show(self._dumps({**record(event), **self._more}) + "\n")


def json_lines(screen: Screen, more: Mapping[str, object] | None = None) -> Written:
    """What `--json` shows of a run: its events on the screen's stdout, and nothing else."""
    return Written(JsonLines(screen, more), screen)


def _unfinished(data: bytes) -> int:
    """How many bytes at the end are the beginning of a UTF-8 letter that is still to come."""
    for length in range(1, min(3, len(data)) + 1):
        byte = data[-length]
        if byte >= 0xC0:
            return length if byte >= (0, 0xC0, 0xE0, 0xF0)[length] and byte < 0xF8 else 0
        if byte < 0x80:
            return 0
    return 0
