"""The grammar of a fence: what `LANG NAME [flags] [{ attributes }]` asks for.

    fence      = LANG { NAME | flag | pair | attributes }
    flag       = ("--" name | "-" letter) [ "=" value | blank value ]
    pair       = key "=" value                      same meaning as --key value
    attributes = "{" (pair* | JSON object | YAML flow) "}"

The same grammar reads a `<!-- spry: NAME [flags] -->` comment and the flags of a DEFAULTS line.
"""

from __future__ import annotations

from spry.core.flags import FOREIGN, Flag, Flags, Wrong
from spry.core.text import did_you_mean, edits
from spry.core.words import Fault, Unterminated, Word, braces, next_word
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/+-")


class Given(NamedTuple):
    """One flag as it was given: its value as read (None for a switch), and where it and its text stand."""

    flag: Flag
    value: object
    text: str | None
    start: int
    length: int
    text_start: int


class Reading(NamedTuple):
    """What a text asks for. `flagged` tells whether it has any flag, known or not: then it means to be a task."""

    name: Word | None
    extra: Word | None
    given: list[Given]
    faults: list[Fault]
    flagged: bool
    keyed: bool


def is_name(text: str) -> bool:
    """Whether a text may name a task: `[A-Za-z0-9_][A-Za-z0-9_.:/+-]*`, and not end in `.md`."""
    return (
        bool(text)
        and NAME_LETTERS.issuperset(text)
        and text[0] not in ".:/+-"
        and not text.lower().endswith((".md", ".markdown"))
    )


def read(text: str, start: int, flags: Flags, *, names: int = 1) -> Reading:
    """Read NAME (up to `names` bare words of them), flags, pairs and attributes from an offset on."""
    return _Reader(text, start, flags, names).read()


class _Reader:
    """The state of one reading: a position, and what has been found so far."""

    __slots__ = ("at", "extra", "faults", "flagged", "flags", "given", "keyed", "name", "names", "stray", "text")

    def __init__(self, text: str, start: int, flags: Flags, names: int) -> None:
        self.text, self.at, self.flags, self.names = text, start, flags, names
        self.name: Word | None = None
        self.extra: Word | None = None
        self.given: list[Given] = []
        self.faults: list[Fault] = []
        self.flagged = False
        self.keyed = False
        self.stray = False

    def read(self) -> Reading:
        for word in self._words():
            if self.text[word.start] == "-" and word.text not in {"-", "--"}:
                self._flag(word)
            else:
                self._bare(word)
        return Reading(self.name, self.extra, self.given, self.faults, self.flagged, self.keyed)

    def _words(self) -> Iterator[Word]:
        """The words that are nobody's value, one by one; attributes are read on the way."""
        while True:
            word = next_word(self.text, self.at)
            brace = self._brace(word)
            if brace is not None:
                self._attributes(brace)
                continue
            if word is None:
                return
            if isinstance(word, Unterminated):
                self._unterminated(word)
                return
            self.at = word.end
            yield word

    def _brace(self, word: Word | Unterminated | None) -> int | None:
        """Where attributes begin, if they come next: `{ … }`, or right behind a NAME as in `build{…}`."""
        if word is None:
            return None
        start = self.at
        while self.text[start] in " \t":
            start += 1
        if self.text[start] == "{":
            return start
        stem = self.text[start:].split("{", 1)[0]
        if self.name is None and is_name(stem) and self.text[start + len(stem) : start + len(stem) + 1] == "{":
            self.at = start + len(stem)
            self._bare(Word(stem, start, self.at))
            return self.at
        return None

    def _unterminated(self, found: Unterminated) -> None:
        rest = self.text[found.start :]
        self.flagged = self.flagged or "--" in rest
        keys = rest.replace('"', "").replace("{", " ").replace(",", " ").split()
        self.keyed = self.keyed or any(key.startswith(("name=", "name:")) for key in keys)
        hint = {"quote": "close the quote", "escape": "remove the backslash or quote it", "brace": "close it with }"}
        self.faults.append(Fault(f"unterminated {found.what}", found.start, 1, hint[found.what]))
        self.at = len(self.text)

    def _bare(self, word: Word) -> None:
        key, equals, _ = word.text.partition("=")
        if equals and key.replace("-", "").replace("_", "").isalnum():
            self._pair(key, word.text[len(key) + 1 :], word.start, word.end - word.start)
        elif self.name is None and self.names > 0:
            self._named(word)
        elif self.extra is None and self.names > 1:
            self.extra = word
        elif not self.stray:
            self.stray = True
            what = f'unexpected word "{word.text}"'
            self.faults.append(Fault(what, word.start, word.end - word.start, "quote the description, or remove it"))

    def _named(self, word: Word) -> None:
        if is_name(word.text):
            self.name = word
        elif not self.stray:
            self.stray = True
            hint = "a NAME has letters, digits and _ . : / + - and does not end in .md"
            fault = f'"{word.text}" cannot name a task'
            self.faults.append(Fault(fault, word.start, word.end - word.start, hint))

    def _pair(self, key: str, value: str, start: int, length: int, value_start: int = 0) -> None:
        """A `key=value` of ours means the flag; one that is no flag of ours belongs to another tool."""
        if key == "name":
            self.keyed = True
            self._keyed_name(value, start, length)
            return
        flag = self.flags.by_key.get(key)
        if flag is not None:
            if flag.takes == "nothing":
                self._switch(flag, value, start, length)
            else:
                self._give(flag, value, start, length, value_start or start + len(key) + 1)
            return
        near = next((known for known in self.flags.by_key if edits(key, known, 1) == 1), None)
        if near is not None and len(key) > 2:
            self.faults.append(Fault(f'unknown key "{key}"', start, len(key), f'did you mean "{near}"?'))

    def _keyed_name(self, value: str, start: int, length: int) -> None:
        word = Word(value, start, start + length)
        if self.name is not None:
            self.faults.append(Fault("the cell is named twice", start, length, "keep one of the names"))
        else:
            self._named(word)

    def _switch(self, flag: Flag, value: str, start: int, length: int) -> None:
        """A switch written as a key: true is on, false is off, anything else is wrong."""
        if value.lower() in {"true", "yes", "on", "1", ""}:
            self._record(flag, None, None, start, length, start)
        elif value.lower() not in {"false", "no", "off", "0"}:
            self.faults.append(Fault(f"{flag.name} is a switch: expected true or false", start, length))

    def _flag(self, word: Word) -> None:
        spelling, equals, attached = word.text.partition("=")
        flag = self.flags.by_spelling.get(spelling)
        if spelling.startswith("--") or flag is not None:
            self.flagged = True
        if flag is None:
            self._unknown(spelling, word)
        elif flag.takes == "nothing":
            self._plain(flag, word, attached if equals else None)
        elif equals:
            self._give(flag, attached, word.start, word.end - word.start, word.start + len(spelling) + 1)
        elif flag.takes == "value":
            self._valued(flag, word)
        else:
            self._optional(flag, word)

    def _plain(self, flag: Flag, word: Word, attached: str | None) -> None:
        if attached is not None:
            self.faults.append(
                Fault(f"--{flag.name} takes no value", word.start, word.end - word.start, "remove the value")
            )
        self._record(flag, None, None, word.start, word.end - word.start, word.start)

    def _valued(self, flag: Flag, word: Word) -> None:
        """A flag that needs a value takes the next word, unless that is a known flag."""
        value = next_word(self.text, word.end)
        length = word.end - word.start
        if isinstance(value, Unterminated):
            self._record(flag, None, "", word.start, length, word.start)
            self._unterminated(value)
        elif value is None or (not value.quoted and value.text.partition("=")[0] in self.flags.by_spelling):
            self._record(flag, None, "", word.start, length, word.start)
            fault = f"--{flag.name} needs a value ({flag.metavar})"
            self.faults.append(Fault(fault, word.start, length, "write it behind the flag, quoted if it starts with -"))
        else:
            self.at = value.end
            self._give(flag, value.text, word.start, length, value.start)

    def _optional(self, flag: Flag, word: Word) -> None:
        """An optional value is taken only once NAME has been read, so that a flag never swallows the NAME."""
        value = next_word(self.text, word.end) if self.name is not None else None
        if isinstance(value, Word) and self.text[value.start] not in "-{":
            self.at = value.end
            self._give(flag, value.text, word.start, word.end - word.start, value.start)
        else:
            self._record(flag, None, None, word.start, word.end - word.start, word.start)

    def _unknown(self, spelling: str, word: Word) -> None:
        """Name the flag, and take what was probably meant as its value, so that one typo is one problem."""
        known = [name for name in self.flags.by_spelling if name.startswith("--")]
        foreign = FOREIGN.get(spelling.lstrip("-"))
        hint = foreign or did_you_mean(spelling, known)
        self.faults.append(
            Fault(
                f"unknown flag {spelling}", word.start, len(spelling), hint or "remove it, or quote it if it is a value"
            )
        )
        near = "--dep" if foreign else hint.removeprefix('did you mean "').removesuffix('"?')
        meant = self.flags.by_spelling.get(near)
        if "=" in word.text or (meant is not None and meant.takes == "nothing"):
            return
        value = next_word(self.text, word.end)
        if isinstance(value, Word) and self.text[value.start] not in "-{" and (meant or self.name is not None):
            self.at = value.end

    def _give(self, flag: Flag, text: str, start: int, length: int, text_start: int) -> None:
        """Record a value, each part of a comma list by itself and at its own place, behind a quote if there is one."""
        for part in map(str.strip, text.split(",")) if flag.commas else (text,):
            text_start = max(text_start, self.text.find(part, text_start, self.at))
            self._value(flag, part, start, length, text_start)
            text_start += len(part) + 1

    def _value(self, flag: Flag, text: str, start: int, length: int, text_start: int) -> None:
        value = flag.read(text)
        if isinstance(value, Wrong):
            fault = f"--{flag.name}: {value.message}" if text else f"--{flag.name} has an empty value"
            self.faults.append(Fault(fault, text_start, len(text)))
            value = None
        self._record(flag, value, text, start, length, text_start)

    def _record(self, flag: Flag, value: object, text: str | None, start: int, length: int, text_start: int) -> None:
        if not flag.many and any(given.flag is flag for given in self.given):
            self.faults.append(Fault(f"--{flag.name} is given twice", start, length, "keep one of them"))
            return
        self.given.append(Given(flag, value, text, start, length, text_start))

    def _attributes(self, start: int) -> None:
        end = braces(self.text, start)
        if isinstance(end, Unterminated):
            self._unterminated(end)
            return
        self.at = end
        from spry.core.attributes import entries  # noqa: PLC0415 - imports yaml, which few cells need

        for entry in entries(self.text, start, end):
            if isinstance(entry, Fault):
                self.faults.append(entry)
            else:
                self._entry(*entry)

    def _entry(self, key: str, found: list[tuple[str, int]], start: int, length: int) -> None:
        """One attribute: a list of values, as a repeated flag would give them; true and bare words have none."""
        flag = self.flags.by_key.get(key)
        for value, value_start in found:
            if flag is None or flag.takes != "optional" or value.lower() not in {"false", "no", "off"}:
                self._pair(key, value, start, length, value_start)
        if found or flag is None:
            return
        if flag.takes == "value":
            self.faults.append(Fault(f"{key} needs a value ({flag.metavar})", start, length))
        else:
            self._record(flag, None, None, start, length, start)
