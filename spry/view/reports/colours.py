"""Output with its colours, as HTML: spans with classes, and nothing else that a terminal would obey."""

from __future__ import annotations

import codecs
import re

from spry.view.escapes import Filter
from spry.view.markup import text
from spry.view.reports.tails import left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spry.view.reports.tails import Piece

SEQUENCE = re.compile("\x1b\\[([0-9;:]*)m")
SWITCHES = {1: "bold", 2: "faint", 3: "slanted", 4: "lined", 9: "struck"}
OFF = {22: ("bold", "faint"), 23: ("slanted",), 24: ("lined",), 29: ("struck",), 39: ("ink",), 49: ("ground",)}
CUBE = (0, 95, 135, 175, 215, 255)


class Painter:
    """One stream of an attempt, a piece at a time: a colour goes on in the next piece."""

    __slots__ = ("_decode", "_filter", "_looks")

    def __init__(self) -> None:
        self._filter = Filter()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._looks: dict[str, str] = {}  # what is on: a class, or a style where it has a colon

    def __call__(self, data: bytes) -> str:
        """The piece as HTML; all its tags are closed."""
        shown = self._decode(self._filter(left(data)))
        parts = SEQUENCE.split(shown)
        out = [self._painted(parts[0])]
        for codes, words in zip(parts[1::2], parts[2::2], strict=True):
            self._switch([int(code[:3] or 0) for code in re.split("[;:]", codes)])
            out.append(self._painted(words))
        return "".join(out)

    def _painted(self, words: str) -> str:
        if not self._looks or not words:
            return text(words)
        classes = " ".join(look for look in self._looks.values() if ":" not in look)
        styles = ";".join(look for look in self._looks.values() if ":" in look)
        attributes = f' class="{classes}"' * bool(classes) + f' style="{styles}"' * bool(styles)
        return f"<span{attributes}>{text(words)}</span>"

    def _switch(self, codes: list[int]) -> None:
        waiting = iter(codes)
        for code in waiting:
            if code == 0:
                self._looks.clear()
            elif code in SWITCHES:
                self._looks[SWITCHES[code]] = SWITCHES[code]
            elif code in OFF:
                for look in OFF[code]:
                    self._looks.pop(look, None)
            elif code in {38, 48}:
                self._special(code, waiting)
            elif 30 <= code % 60 <= 47 and code <= 107:  # 30-37, 40-47; 90-97, 100-107
                kind = "ink" if code % 60 < 40 else "ground"
                self._looks[kind] = f"{kind}{code % 10 + 8 * (code >= 90)}"

    def _special(self, code: int, rest: Iterator[int]) -> None:
        """A colour out of 256, or any: `38;5;N` or `38;2;R;G;B`."""
        kind, name = ("ink", "color") if code == 38 else ("ground", "background-color")
        form = next(rest, 0)
        if form == 5:
            number = min(next(rest, 0), 255)
            if number < 16:
                self._looks[kind] = f"{kind}{number}"
            else:
                self._looks[kind] = f"{name}:rgb({','.join(map(str, _of_256(number)))})"
        elif form == 2:
            self._looks[kind] = f"{name}:rgb({','.join(str(min(next(rest, 0), 255)) for _ in range(3))})"


def painted(pieces: Iterable[Piece]) -> str:
    """What an attempt wrote to both streams, in order; what went to stderr has the class `stderr`."""
    painters = {"stdout": Painter(), "stderr": Painter()}
    out = []
    for stream, data in pieces:
        words = painters[stream](data)
        out.append(f'<span class="stderr" title="stderr">{words}</span>' if stream == "stderr" and words else words)
    return "".join(out)


def _of_256(number: int) -> tuple[int, int, int]:
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    number -= 16
    return CUBE[number // 36], CUBE[number // 6 % 6], CUBE[number % 6]
