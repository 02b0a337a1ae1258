"""The one place that writes for people: stdout for what was asked for, stderr for what we say about it."""

from __future__ import annotations

import os
import sys

from spry.record import NamedTuple
from spry.view.outlet import Outlet, is_terminal, same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from spry.view.actions import Runner
    from spry.view.escapes import Filter

    Span = str | tuple[str, str]

STREAMS = ("stdout", "stderr")
NARROWEST = 40
STYLES = {
    "good": "32",
    "bad": "1;31",
    "warning": "33",
    "name": "1",
    "note": "36",
    "dim": "2",
    "one": "36",
    "two": "35",
    "three": "34",
    "four": "32",
    "five": "33",
}
ASCII = str.maketrans(
    {
        "✓": "+",
        "✗": "x",
        "⊘": "-",
        "↻": "~",
        "▶": ">",
        "·": ",",
        "…": "...",
        "→": "->",
        "←": "<-",
        "—": "-",
        "│": "|",
    }
)


class Screen:
    """Where a command writes; each stream is a descriptor, a binary stream, or None when it was closed.

    Nothing is written before `flush`, except what fills the buffer. `error` is the first write error that matters.
    `before` is called before anything is written: whoever draws below the last line takes it away there. `runner` is
    somebody who would take what tasks write for commands, and is kept from it.
    """

    def __init__(
        self,
        stdout: int | BinaryIO | None = 1,
        stderr: int | BinaryIO | None = 2,
        *,
        encoding: str = "utf-8",
        no_color: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        out = Outlet(stdout)
        err = out if same(stdout, stderr) else Outlet(stderr)
        self._outlets = {"stdout": out, "stderr": err}
        self._encoding = encoding
        self._filters: dict[tuple[str, str], Filter] = {}
        self.terminals = {"stdout": is_terminal(stdout), "stderr": is_terminal(stderr)}
        self.colours = {name: coloured(environ, terminal=self.terminals[name], no_color=no_color) for name in STREAMS}
        self.before: Callable[[], None] | None = None
        self.runner: Runner | None = None
        self._targets = {"stdout": stdout, "stderr": stderr}
        self.dumb = environ.get("TERM", "") in ("", "dumb")

    @property
    def error(self) -> OSError | None:
        """The first error of writing that is worth an exit code: any but a reader that went away."""
        return self._outlets["stdout"].error or self._outlets["stderr"].error

    @property
    def deserted(self) -> bool:
        """Whether whoever read stdout has gone away."""
        return self._outlets["stdout"].deserted

    @property
    def is_one(self) -> bool:
        """Whether both streams end in the same place."""
        return self._outlets["stdout"] is self._outlets["stderr"]

    def size(self, stream: str = "stderr") -> Size | None:
        """The terminal's size as it is now, at least 40 columns; None for everything else."""
        target = self._targets[stream]
        if not self.terminals[stream] or target is None:
            return None
        try:
            columns, lines = os.get_terminal_size(target if isinstance(target, int) else target.fileno())
        except OSError:  # the terminal has just gone away
            columns, lines = 0, 0
        return Size(max(columns or 80, NARROWEST), lines or 24)

    def say(self, *spans: Span) -> None:
        """One line of our own on stderr, begun on a line of its own; a span is text or (style, text)."""
        self._make_way()
        if self.runner is not None:
            self.runner.said(plain(*spans))
        self.begin("stderr")
        self._outlets["stderr"].write(self._encode(*spans, "\n", colour=self.colours["stderr"]))

    def show(self, text: str, stream: str = "stdout") -> None:
        """Ready text, line ends included: what a command was asked for; may hold colours made by `paint`."""
        self._make_way()
        self._outlets[stream].write(encoded(text, self._encoding))

    def begin(self, stream: str) -> None:
        """End a line that somebody left open on this stream."""
        outlet = self._outlets[stream]
        if not outlet.fresh:
            outlet.write(b"\n")

    def write(self, stream: str, data: bytes) -> None:
        """Bytes of a task as they are."""
        self._make_way()
        if self.runner is not None:
            self.runner.stop(stream)
        self._outlets[stream].write(data)

    def draw(self, text: str) -> None:
        """What the live view draws and erases below the last line on stderr; it is no line of its own."""
        self._outlets["stderr"].append(encoded(text, self._encoding))

    @property
    def behind(self) -> bool:
        """Whether a reader has not taken everything that was flushed."""
        return self._outlets["stdout"].behind or self._outlets["stderr"].behind

    def clean(self, task: str, stream: str, data: bytes) -> bytes:
        """A task's bytes as this screen may show them: a terminal obeys no sequence but colours."""
        if not self.terminals[stream]:
            return data
        known = self._filters.get((task, stream))
        if known is None:
            from spry.view.escapes import Filter  # noqa: PLC0415 - only for a terminal

            known = self._filters[task, stream] = Filter()
        return known(data)

    def end(self, task: str) -> None:
        """No more of this task: its colours end here."""
        for stream in STREAMS:
            known = self._filters.pop((task, stream), None)
            if known:
                self._outlets[stream].append(known.end())

    def flush(self) -> None:
        """Write what can be written without waiting."""
        for outlet in self._outlets.values():
            outlet.flush()

    def close(self) -> None:
        """Wait until everything is written, or cannot be."""
        for outlet in self._outlets.values():
            outlet.close()

    def _make_way(self) -> None:
        if self.before is not None:
            self.before()

    def _encode(self, *spans: Span, colour: bool) -> bytes:
        return encoded("".join(_span(span, colour=colour) for span in spans), self._encoding)


class Size(NamedTuple):
    """Columns and lines of a terminal."""

    columns: int
    lines: int


def standard(*, no_color: bool = False) -> Screen:
    """The screen of this process: its stdout and stderr, as Python has them."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    return Screen(_target(sys.stdout), _target(sys.stderr), encoding=encoding, no_color=no_color)


def coloured(environ: Mapping[str, str], *, terminal: bool, no_color: bool = False) -> bool:
    """Whether our own text is coloured: --no-color, then NO_COLOR, then FORCE_COLOR, then what the stream is."""
    if no_color or environ.get("NO_COLOR"):
        return False
    forced = environ.get("FORCE_COLOR")
    if forced:
        return forced not in ("0", "false")
    return terminal and environ.get("TERM", "") not in ("", "dumb")


def paint(text: str, style: str, *, on: bool = True) -> str:
    """Text in one of our styles, if colours are on."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if on and text else text


def plain(*spans: Span) -> str:
    """Spans as text without styles."""
    return "".join(span if isinstance(span, str) else span[1] for span in spans)


def encoded(text: str, encoding: str) -> bytes:
    """Text as bytes that every reader survives; signs that the encoding lacks become ASCII, file names stay exact."""
    if encoding.lower().replace("-", "") != "utf8":
        return text.translate(ASCII).encode(encoding, "backslashreplace")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def _span(span: Span, *, colour: bool) -> str:
    style, text = ("", span) if isinstance(span, str) else span
    if not text.replace("\n", "").isprintable():
        from spry.view.columns import printable  # noqa: PLC0415 - only for odd text

        text = printable(text)
    return paint(text, style, on=colour) if style else text


def _target(stream: object) -> int | BinaryIO | None:
    """The descriptor behind a text stream, or its binary stream where there is no descriptor."""
    if stream is None:
        return None
    try:
        descriptor: int = stream.fileno()  # type: ignore[attr-defined]
    except (OSError, AttributeError):
        binary: BinaryIO = stream.buffer  # type: ignore[attr-defined]
        return binary
    return descriptor
