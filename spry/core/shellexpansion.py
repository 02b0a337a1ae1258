"""Reading quotes and expansions of a shell script, one step at a time: `"…"`, `${…}`, `$((…))`, here-documents."""

from __future__ import annotations

import re

from spry.core.shellstate import ARITHMETIC, BRACE, DOUBLE, HEREDOC, QUOTED, Frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.core.shellstate import Heredoc, State

DOUBLE_RUN = re.compile(r"[^\\\"`${]+")
HEREDOC_RUN = re.compile(r"[^\\`${]+")
BRACE_RUN = re.compile(r"[^\\'\"`${}]+")
ARITHMETIC_RUN = re.compile(r"[^\\'\"`${()\[\]\n]+")
PARAMETER = re.compile(r"(?:\([^()\s$]*\))?[#!=^~+]*(?:\w+|[@*#?$!-])?")
OPERATOR = re.compile(r":[-=?+]|[-=?+#%/^,~@:]")
VARIABLE = re.compile(r"\w+")
# Behind these operators single quotes quote, even where the whole stands in double quotes.
QUOTING_OPERATORS = frozenset("#%/^,~")
MOST_RETRIES = 200


def run(state: State, pattern: re.Pattern[str]) -> None:
    """Go behind letters that mean nothing here, at least one."""
    found = pattern.match(state.text, state.at)
    state.at = found.end() if found else state.at + 1


def escape(state: State) -> None:
    """A backslash and what it protects."""
    state.skip(state.at + 2, "escaped")


def single(state: State, *, escapes: bool = False) -> None:
    """A single-quoted string, with backslashes that escape in it (`$'…'`, fish) or without."""
    end = state.text.find("'", state.at + 1)
    while escapes and end >= 0 and _is_escaped(state.text, state.at, end):
        end = state.text.find("'", end + 1)
    state.skip(end + 1 if end >= 0 else len(state.text), "single")


def _is_escaped(text: str, start: int, at: int) -> bool:
    before = text[start + 1 : at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def quotation(state: State, frame: Frame) -> None:
    """The opening of a double-quoted string."""
    state.push(DOUBLE, '"', "double" if frame.context in ("plain", "double") else frame.context, 1)


def dollar(state: State, frame: Frame) -> None:
    """Whatever a `$` begins."""
    text, at = state.text, state.at
    following = text[at + 1 : at + 2]
    if text.startswith("((", at + 1) and at not in state.subshells and not state.dialect.fish:
        calculation(state, 3)
    elif following == "(":
        state.substitute(")", 2)
    elif following == "{" and not state.dialect.fish:
        _parameter(state, frame)
    elif following == "[" and state.dialect.dollar_brackets:
        state.push(ARITHMETIC, "]", "arithmetic", 2)
    elif following == "'" and state.dialect.ansi_quotes and frame.context == "plain":
        state.at += 1
        single(state, escapes=True)
    else:
        _variable(state)


def calculation(state: State, width: int) -> None:
    """The opening of `$((…))` or `((…))`."""
    state.push(ARITHMETIC, "))", "arithmetic", width).documents = list(state.pending)


def _parameter(state: State, frame: Frame) -> None:
    if state.text[state.at + 2 : state.at + 3] in (" ", "\t", "\n", "|"):
        state.substitute("}", 3)
        return
    state.push(BRACE, "}", frame.context, 2)
    found = PARAMETER.match(state.text, state.at)
    if found is not None and not state.is_met():
        state.skip(found.end(), frame.context)


def _variable(state: State) -> None:
    """`$name`, `$#` or a lone dollar; in zsh a subscript may follow without braces."""
    found = VARIABLE.match(state.text, state.at + 1)
    if found is None:
        special = state.text[state.at + 1 : state.at + 2] in tuple("#!?*@-$")
        state.skip(state.at + 1 + special, "escaped")
        return
    state.at = found.end()
    if state.dialect.bare_subscripts and state.text.startswith("[", state.at):
        state.push(ARITHMETIC, "]", "arithmetic", 1)


def _expansion(state: State, frame: Frame, letter: str) -> bool:
    """Read what is special in double quotes as everywhere; whether there was something."""
    if letter == "\\":
        escape(state)
    elif letter == "$":
        dollar(state, frame)
    elif letter == "`" and not state.dialect.fish:
        backtick(state)
    else:
        return False
    return True


def backtick(state: State) -> None:
    """A backtick opens a command, or closes the innermost one that a backtick opened."""
    if not state.backticks:
        state.substitute("`", 1)
        return
    while state.frames[-1].close != "`":
        state.pop(0)
    state.pop(1)


def read_double(state: State, frame: Frame) -> None:
    """One step in a double-quoted string."""
    letter = state.text[state.at]
    if letter == '"':
        state.pop(1)
    elif not _expansion(state, frame, letter):
        run(state, DOUBLE_RUN)


def read_heredoc(state: State, frame: Frame) -> None:
    """One step in a here-document that the shell expands."""
    if not _expansion(state, frame, state.text[state.at]):
        run(state, HEREDOC_RUN)


def read_quoted(state: State, frame: Frame) -> None:
    """The whole text of a here-document whose delimiter is quoted."""
    state.skip(frame.end, "quoted_heredoc")


def read_brace(state: State, frame: Frame) -> None:
    """One step in `${…}`."""
    letter = state.text[state.at]
    if not frame.operator:
        _operator(state, frame, letter)
    elif letter == "}":
        state.pop(1)
    elif letter == '"':
        quotation(state, frame)
    elif letter == "'" and (frame.context == "plain" or frame.operator in QUOTING_OPERATORS):
        single(state)
    elif not _expansion(state, frame, letter):
        run(state, BRACE_RUN)


def _operator(state: State, frame: Frame, letter: str) -> None:
    """What stands behind the name: a subscript, an operator, or the end; `${x:N:M}` calculates."""
    if letter == "[":
        state.push(ARITHMETIC, "]", "arithmetic", 1)
        return
    found = OPERATOR.match(state.text, state.at)
    frame.operator = found.group() if found else "other"
    state.at = found.end() if found else state.at
    if frame.operator == ":":
        frame.context = "arithmetic"


def read_arithmetic(state: State, frame: Frame) -> None:
    """One step in `$((…))`, `((…))`, `$[…]` or a subscript."""
    letter = state.text[state.at]
    if letter == '"':
        quotation(state, frame)
    elif letter == "'" and frame.close == "]":
        single(state)
    elif letter in "()[]":
        _bracket(state, frame, letter)
    elif letter == "\n" and frame.loose:
        state.pop(0)
    elif not _expansion(state, frame, letter):
        run(state, ARITHMETIC_RUN)


def _bracket(state: State, frame: Frame, letter: str) -> None:
    opening, closing = "()" if frame.close == "))" else "[]"
    if letter == opening:
        frame.depth += 1
    elif letter == closing and frame.depth:
        frame.depth -= 1
    elif letter == closing:
        _close_arithmetic(state, frame)
        return
    state.at += 1


def _close_arithmetic(state: State, frame: Frame) -> None:
    if state.text.startswith(frame.close, state.at):
        state.pop(len(frame.close))
    elif len(state.subshells) < MOST_RETRIES:
        state.retry(frame)
    else:
        state.at += 1


def open_documents(state: State) -> None:
    """Behind a newline: the texts of the here-documents that were announced, the first one on top."""
    announced, state.pending = state.pending, []
    limit = state.regions[-1].end if state.regions else len(state.text)
    start = state.at
    opened = []
    for document in announced:
        frame = _region(state, start, limit, document)
        opened.append(frame)
        start = frame.resume
    state.frames += reversed(opened)
    state.regions += reversed(opened)


def _region(state: State, start: int, limit: int, document: Heredoc) -> Frame:
    kind = QUOTED if document.quoted else HEREDOC
    context = "quoted_heredoc" if document.quoted else "code" if document.is_code else "heredoc"
    frame = Frame(kind, "", context, None, start)
    frame.end = frame.resume = limit
    identity = (document.delimiter, document.quoted, document.strip)
    vain = state.unterminated.get(identity)
    if vain is not None and vain[0] <= start and limit <= vain[1]:
        return frame
    end = _delimiter(state.text, start, limit, document)
    if end < 0:
        state.unterminated[identity] = (start, limit)
        return frame
    behind = state.text.find("\n", end)
    frame.end, frame.resume = end, limit if behind < 0 else min(behind + 1, limit)
    return frame


def _delimiter(text: str, start: int, limit: int, document: Heredoc) -> int:
    """The offset of the line that ends a here-document, or -1; a backslash before a newline joins lines."""
    at, joined = start, False
    while at < limit:
        end = text.find("\n", at, limit)
        end = limit if end < 0 else end
        line = text[at:end]
        if not joined and (line.lstrip("\t") if document.strip else line) == document.delimiter:
            return at
        joined = not document.quoted and _is_escaped(text, at - 1, end)
        at = end + 1
    return -1


def close_document(state: State) -> None:
    """Leave the innermost here-document, and whatever its text left open."""
    frame = state.regions[-1]
    while state.frames[-1] is not frame:
        state.pop(0)
    state.pop(0)
    state.at = frame.resume
