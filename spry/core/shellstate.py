"""What is known while a shell script is scanned: open constructs, announced here-documents, places already met."""

from __future__ import annotations

from bisect import bisect_left

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND, DOUBLE, BRACE, ARITHMETIC, HEREDOC, QUOTED = range(6)


class Dialect(NamedTuple):
    """What one shell reads differently from bash."""

    ansi_quotes: bool = True
    double_parentheses: bool = True
    dollar_brackets: bool = True
    bare_subscripts: bool = False
    calculating_printf: bool = False
    fish: bool = False


DIALECTS = {
    "dash": Dialect(ansi_quotes=False, double_parentheses=False, dollar_brackets=False),
    "ksh": Dialect(calculating_printf=True),
    "zsh": Dialect(bare_subscripts=True, calculating_printf=True),
    "fish": Dialect(ansi_quotes=False, double_parentheses=False, dollar_brackets=False, fish=True),
}


class Word:
    """One word of a command: `marks` are the numbers of the spans in it, `text` its source text."""

    __slots__ = ("marks", "start", "text")

    def __init__(self, start: int) -> None:
        self.start = start
        self.text = ""
        self.marks: list[int] = []

    @property
    def literal(self) -> str:
        """The text without its quotes, as far as that names a command or an option."""
        return self.text.translate(NO_QUOTES)


NO_QUOTES = dict.fromkeys(map(ord, "'\"\\"))


class Heredoc:
    """A here-document announced by `<<`, whose text begins behind the line; `is_code` if a shell reads it."""

    __slots__ = ("delimiter", "is_code", "quoted", "strip")

    def __init__(self, delimiter: str, *, quoted: bool, strip: bool) -> None:
        self.delimiter, self.quoted, self.strip, self.is_code = delimiter, quoted, strip, False


class Frame:
    """One open construct: `close` ends it, `context` is what stands directly in it, `owner` collects the words.

    `end` and `resume` bound the text of a here-document. `loose` arithmetic may turn out to be none.
    """

    __slots__ = (
        "cases",
        "close",
        "context",
        "depth",
        "documents",
        "end",
        "kind",
        "listing",
        "loose",
        "operator",
        "outer",
        "owner",
        "pattern",
        "redirect",
        "resume",
        "start",
        "strings",
        "test",
        "word",
        "words",
    )

    def __init__(self, kind: int, close: str, context: str, owner: Frame | None, start: int) -> None:
        self.kind, self.close, self.context, self.start = kind, close, context, start
        self.owner: Frame | None = self if kind == COMMAND else owner
        self.words: list[Word] = []
        self.word: Word | None = None
        self.documents: list[Heredoc] = []
        self.strings: list[int] = []
        self.outer: list[Heredoc] | None = None
        self.cases = self.depth = self.end = self.resume = 0
        self.pattern = self.test = self.listing = self.loose = False
        self.redirect = self.operator = ""


class State:
    """The reading position `at` in a script, and what is open there; `next` is the first span not met."""

    def __init__(self, text: str, spans: Sequence[tuple[int, int]], shell: str) -> None:
        self.text = text
        self.spans = spans
        self.starts = [start for start, _ in spans]
        self.contexts = ["plain"] * len(spans)
        self.dialect = DIALECTS.get(shell, Dialect())
        self.at = self.next = self.backticks = 0
        self.frames = [Frame(COMMAND, "", "plain", None, 0)]
        self.regions: list[Frame] = []
        self.pending: list[Heredoc] = []
        self.subshells: set[int] = set()  # offsets of `((` that turned out to open two subshells
        self.unterminated: dict[tuple[str, bool, bool], tuple[int, int]] = {}
        self.assigned: list[tuple[str, list[int]]] = []
        self.integers: set[str] = set()

    def push(self, kind: int, close: str, context: str, width: int) -> Frame:
        """Open a construct whose opening is `width` characters long."""
        frame = Frame(kind, close, context, self.frames[-1].owner if kind != HEREDOC else None, self.at)
        self.frames.append(frame)
        self.skip(self.at + width, context)
        return frame

    def pop(self, width: int) -> None:
        """Close the innermost construct, whose closing is `width` characters long."""
        frame = self.frames.pop()
        self.at += width
        self.backticks -= frame.close == "`"
        if self.regions and self.regions[-1] is frame:
            self.regions.pop()
        if frame.outer is not None:
            self.pending = [*frame.outer, *self.pending]

    def substitute(self, close: str, width: int) -> None:
        """Open a command of its own inside a word: `$(`, a backtick, `<(`; here-documents before it wait."""
        self.push(COMMAND, close, "plain", width).outer = self.pending
        self.pending = []
        self.backticks += close == "`"

    def skip(self, to: int, context: str) -> None:
        """Go on at an offset; spans on the way stand in `context`."""
        while self.next < len(self.starts) and self.starts[self.next] < to:
            self.contexts[self.next] = context
            self.next += 1
        self.at = min(to, len(self.text))

    def is_met(self) -> bool:
        """Whether a span begins here."""
        return self.next < len(self.starts) and self.starts[self.next] == self.at

    def meet(self, frame: Frame) -> None:
        """Note where the span that begins here stands, and go on behind it."""
        self.contexts[self.next] = frame.context
        if frame.kind == COMMAND:
            self.begin_word(frame)
        if frame.owner is not None and frame.owner.word is not None:
            frame.owner.word.marks.append(self.next)
        end = self.spans[self.next][1]
        self.next += 1
        self.skip(end, frame.context)

    def begin_word(self, frame: Frame) -> None:
        """Whatever comes next belongs to a word."""
        if frame.word is None:
            frame.word = Word(self.at)

    def retry(self, frame: Frame) -> None:
        """Read the innermost construct again, as subshells instead of arithmetic."""
        self.frames.pop()
        self.subshells.add(frame.start)
        self.pending = frame.documents
        self.at = frame.start
        self.next = bisect_left(self.starts, frame.start)
        if frame.owner is not None and frame.owner.word is not None:
            word = frame.owner.word
            word.marks = [mark for mark in word.marks if mark < self.next]
