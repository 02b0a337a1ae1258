r"""Reading `KEY=VALUE` and `export KEY=VALUE` lines, as env cells and `--env-file` files have them: as data.

- Single quotes: every character is itself. Double quotes: `\"`, `\\`, `\$` and a backslash before a backtick are that
  character, `\n`, `\r`, `\t` are a newline, a return and a tab (as dotenv files mean them), any other backslash stays.
  Both kinds may span lines, and stand side by side with unquoted text.
- Without quotes: a backslash takes the meaning from a quote, a blank, `#`, `$`, a backtick or a backslash, and joins
  lines at their end; anywhere else it stays (`C:\tools`). A `#` behind a blank begins a comment. Behind `export` a
  blank ends the value and another `NAME=VALUE` may follow, as in a shell; in other lines blanks inside a value stay,
  and a quote in the middle of one is an error, because shells and dotenv files disagree about it.
- `$NAME`, `${NAME}`, `${NAME:-text}` and `${NAME-text}` expand, outside single quotes; an unset NAME is empty, as in
  a shell. `$(` and backticks are errors: nothing is run. A dollar before anything else stays.
- Every other line (`direnv allow`, `PATH_add bin`, comments) is passed over.
"""

from __future__ import annotations

from spry.core.environment import Assignment, Part
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.core.passage import Passage
    from spry.errors import Problem

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
DIGITS = "0123456789"
BLANKS = " \t"
IN_DOUBLE = {'"': '"', "\\": "\\", "$": "$", "`": "`", "n": "\n", "r": "\r", "t": "\t", "\n": ""}
UNQUOTED = {letter: letter for letter in "'\"\\$`# \t"} | {"\n": ""}


class Parsed(NamedTuple):
    """The assignments of a text in order, and what is wrong with its lines."""

    assignments: tuple[Assignment, ...]
    problems: tuple[Problem, ...]


def parse(passage: Passage) -> Parsed:
    """The assignments of an env cell or a file; lines that are wrong are left out and reported."""
    reader = _Reader(passage)
    reader.read()
    return Parsed(tuple(reader.assignments), tuple(reader.problems))


class _Fault(Exception):  # noqa: N818 - no error of the program: it carries one of the text out of a line
    def __init__(self, at: int, message: str, hint: str, length: int = 1) -> None:
        super().__init__(message)
        self.at, self.message, self.hint, self.length = at, message, hint, length


class _Reader:
    """One pass over a text; `at` is the offset being read, `parts` and `letters` the value so far."""

    def __init__(self, passage: Passage) -> None:
        self.passage, self.text, self.at = passage, passage.text, 0
        self.assignments: list[Assignment] = []
        self.problems: list[Problem] = []
        self.parts: list[Part] = []
        self.letters: list[str] = []

    def read(self) -> None:
        while self.at < len(self.text):
            try:
                self._line()
            except _Fault as fault:
                self.problems.append(self.passage.problem(fault.at, fault.message, fault.length, fault.hint))
            end = self.text.find("\n", self.at)
            self.at = end + 1 if end >= 0 else len(self.text)

    def _line(self) -> None:
        self._blanks()
        if not self.text.startswith("export", self.at) or self.text[self.at + 6 : self.at + 7] not in tuple(BLANKS):
            self._assignment(exports=False)
            return
        self.at += 6
        self._blanks()
        if self._letter() != "-":
            while self._exported():
                self._blanks()

    def _exported(self) -> bool:
        """Read what stands behind `export`: another assignment, or a name that already has its value."""
        if self._letter() in ("", "\n", "#"):
            return False
        if self._assignment(exports=True):
            return True
        start = self.at
        name = self._name(start)
        self.at += len(name)
        if name and self._letter() in ("", "\n", " ", "\t"):
            return True
        self.at = start
        if self._letter() in ("$", "`"):
            self._special(self._letter())
        raise _Fault(start, "expected NAME=VALUE here", 'quote a value that has blanks: export NAME="a b"')

    def _assignment(self, *, exports: bool) -> bool:
        """Read `NAME=VALUE` if it stands here."""
        start = self.at
        name = self._name(start)
        if not name:
            return False
        self.at += len(name)
        if self._letter() != "=":
            self._almost(start, name)
            self.at = start
            return False
        self.at += 1
        self.parts, self.letters = [], []
        self._read_value(exports=exports)
        self._flush()
        self.assignments.append(Assignment(name, tuple(self.parts)))
        return True

    def _almost(self, start: int, name: str) -> None:
        """`NAME = value` and `NAME+=value` look like assignments, and would silently be none."""
        rest = self.text[self.at : self.at + 200].split("\n", 1)[0]
        if rest.startswith("+="):
            raise _Fault(self.at, "+= is not read here", f"write {name}=${{{name}}}text", 2)
        if rest.lstrip(BLANKS).startswith("=") and not rest.lstrip(BLANKS).startswith("=="):
            raise _Fault(start, f"blanks around the = of {name}", f"write {name}=VALUE", len(name))

    def _read_value(self, *, exports: bool) -> None:
        start, was_quoted = self.at, False
        while self._letter() not in ("", "\n"):
            letter = self._letter()
            if letter in BLANKS:
                if self._is_over(exports=exports, was_quoted=was_quoted):
                    return
            elif letter not in "'\"":
                self._unquoted(letter)
            elif exports or was_quoted or self.at == start:
                was_quoted = True
                self._quoted(letter)
            else:
                raise _Fault(self.at, "a quote in the middle of a value", "put the whole value into quotes")

    def _is_over(self, *, exports: bool, was_quoted: bool) -> bool:
        """Whether a value ends at the blanks that begin here; they belong to it otherwise."""
        start = self.at
        self._blanks()
        if exports or self._letter() in ("", "\n", "#"):
            return True
        if was_quoted:
            raise _Fault(self.at, "text behind the closing quote", "put the whole value into the quotes")
        self.letters.append(self.text[start : self.at])
        return False

    def _quoted(self, quote: str) -> None:
        opening = self.at
        self.at += 1
        while self._letter() != quote:
            letter = self._letter()
            if not letter:
                self.at = opening
                raise _Fault(opening, "this quote is never closed", f"close it with {quote}")
            if quote == "'":
                self._plain(letter)
            elif letter == "\\":
                self._escape(IN_DOUBLE)
            else:
                self._special(letter)
        self.at += 1

    def _unquoted(self, letter: str) -> None:
        if letter == "\\":
            self._escape(UNQUOTED)
        elif letter == "$" and self.text[self.at + 1 : self.at + 2] == "'":
            raise _Fault(self.at, "$'…' is not read here", 'use "…", where \\n and \\t are a newline and a tab', 2)
        else:
            self._special(letter)

    def _special(self, letter: str) -> None:
        """A dollar, a backtick, or a letter like any other."""
        if letter == "`" or self.text.startswith("$(", self.at):
            shown = "`" if letter == "`" else "$("
            hint = f"write it in single quotes if it is meant as text, or \\{shown}; set it in a task if it must run"
            raise _Fault(self.at, f"{shown} runs nothing here: env cells and files are data", hint, len(shown))
        if letter == "$":
            self._reference()
        else:
            self._plain(letter)

    def _reference(self) -> None:
        if self.text.startswith("${", self.at):
            self._braced()
            return
        name = self._name(self.at + 1)
        if name:
            self._flush()
            self.parts.append(Part("", name))
        else:
            self.letters.append("$")
        self.at += len(name) + 1

    def _braced(self) -> None:
        end = self.text.find("}", self.at)
        inner = self.text[self.at + 2 : end] if end >= 0 else ""
        name = self._name(self.at + 2)
        rest = inner[len(name) :]
        default = rest.removeprefix(":").removeprefix("-")
        is_plain = not any(letter in default for letter in "$`'\"\\\n")
        if not name or end < 0 or not is_plain or (rest and not rest.startswith(("-", ":-"))):
            raise _Fault(self.at, "this expansion is not read here", "write ${NAME} or ${NAME:-text}", 2)
        self._flush()
        self.parts.append(Part(default, name, rest.startswith(":")))
        self.at = end + 1

    def _escape(self, meanings: dict[str, str]) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        self.letters.append(meanings.get(following, "\\" + following))
        self.at += 2

    def _plain(self, letter: str) -> None:
        self.letters.append(letter)
        self.at += 1

    def _flush(self) -> None:
        if self.letters:
            self.parts.append(Part("".join(self.letters)))
            self.letters = []

    def _letter(self) -> str:
        return self.text[self.at : self.at + 1]

    def _blanks(self) -> None:
        while self._letter() in tuple(BLANKS):
            self.at += 1

    def _name(self, start: int) -> str:
        end = start
        while self.text[end : end + 1] in tuple(LETTERS) or (end > start and self.text[end : end + 1] in tuple(DIGITS)):
            end += 1
        return self.text[start:end]
