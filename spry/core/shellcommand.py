"""Reading the words of shell commands, one step at a time: separators, reserved words, redirections, comments."""

from __future__ import annotations

import re

from spry.core import shellexpansion as expansion
from spry.core.shellmeaning import DECLARES, judge
from spry.core.shellstate import ARITHMETIC, COMMAND, Heredoc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.core.shellstate import Frame, State

RUN = re.compile(r"[^\s\\'\"`$(){}<>;&|#\[]+")
BLANKS = re.compile(r"[^\S\n]+")
REDIRECTION = re.compile(r"<<<|<<-?|[<>]{1,2}[&|>]?")
DESCRIPTOR = re.compile(r"\d+|\{\w+\}")
DELIMITER = re.compile(r"[^\S\n]*((?:\\.|'[^']*'|\"[^\"]*\"|[^\s;&|<>()'\"\\])+)")
SUBSCRIPTED = re.compile(r"[A-Za-z_]\w*")
LONGEST_WORD = 1000  # nothing longer names a command or an option
CASE_END = re.compile(r";;&|;[;&|]")
# Behind these words a command begins; `fi` and its like end one, so that what follows is no argument of it.
STAY_FIRST = frozenset(
    {"if", "then", "elif", "else", "fi", "while", "until", "do", "done", "!", "{", "}", "time", "coproc"}
    | {"and", "or", "not", "begin", "end"},  # fish
)


def read_command(state: State, frame: Frame) -> None:
    """One step where commands stand."""
    STEPS.get(state.text[state.at], _plain)(state, frame)


def _plain(state: State, frame: Frame) -> None:
    if state.text[state.at].isspace():
        _end_word(state, frame)
        expansion.run(state, BLANKS)
        return
    state.begin_word(frame)
    expansion.run(state, RUN)


def _escape(state: State, frame: Frame) -> None:
    if not state.text.startswith("\\\n", state.at):
        state.begin_word(frame)
    expansion.escape(state)


def _single(state: State, frame: Frame) -> None:
    state.begin_word(frame)
    expansion.single(state, escapes=state.dialect.fish)


def _double(state: State, frame: Frame) -> None:
    state.begin_word(frame)
    expansion.quotation(state, frame)


def _dollar(state: State, frame: Frame) -> None:
    state.begin_word(frame)
    expansion.dollar(state, frame)


def _backtick(state: State, frame: Frame) -> None:
    if state.dialect.fish:
        _plain(state, frame)
        return
    if frame.close == "`":
        end_command(state, frame)
    else:
        state.begin_word(frame)
    expansion.backtick(state)


def _newline(state: State, frame: Frame) -> None:
    _end_word(state, frame)
    opens_case = bool(frame.words) and frame.words[0].text == "case"
    if not (frame.test or frame.listing or opens_case):
        end_command(state, frame)
    state.at += 1
    if state.pending:
        expansion.open_documents(state)


def _semicolon(state: State, frame: Frame) -> None:
    _end_word(state, frame)
    if not frame.test:
        end_command(state, frame)
    found = CASE_END.match(state.text, state.at)
    frame.pattern = found is not None and frame.cases > 0
    state.at += len(found.group()) if found else 1


def _separator(state: State, frame: Frame) -> None:
    """`&` and `|`; `&>` is a redirection."""
    _end_word(state, frame)
    if state.text.startswith("&>", state.at):
        state.at += 1
        _redirect(state, frame)
        return
    if not frame.test:
        end_command(state, frame)
    state.at += 1


def _open(state: State, frame: Frame) -> None:
    """`(`: a subshell, a calculation, a list, a function, part of a pattern."""
    if frame.test or (frame.pattern and frame.word is None):
        _end_word(state, frame)
        state.at += 1
    elif frame.word is None and _is_calculation(state):
        expansion.calculation(state, 2)
    elif frame.word is None:
        state.push(COMMAND, ")", "plain", 1)
        frame.words = []
    elif state.dialect.fish:
        state.substitute(")", 1)
    elif state.text[state.at - 1] in "=@!+*?" or frame.words:
        state.push(COMMAND, ")", "plain", 1).listing = True
    else:  # a function is defined, its name is no command
        frame.word = None
        state.push(COMMAND, ")", "plain", 1)


def _is_calculation(state: State) -> bool:
    is_double = state.text.startswith("((", state.at) and state.at not in state.subshells
    return is_double and state.dialect.double_parentheses


def _close(state: State, frame: Frame) -> None:
    _end_word(state, frame)
    if frame.test:
        state.at += 1
    elif frame.pattern:
        frame.pattern = False
        frame.words = []
        state.at += 1
    elif frame.close == ")":
        end_command(state, frame)
        state.pop(1)
    else:
        state.at += 1


def _close_brace(state: State, frame: Frame) -> None:
    """`}` ends `${ command; }`; elsewhere it is a letter or a reserved word."""
    if frame.close == "}" and frame.word is None:
        end_command(state, frame)
        state.pop(1)
        return
    _plain(state, frame)


def _redirect(state: State, frame: Frame) -> None:
    if state.text[state.at + 1 : state.at + 2] == "(" and not frame.test:  # `<(…)` is part of a word
        state.begin_word(frame)
        state.substitute(")", 2)
        return
    word = frame.word
    if word is not None and DESCRIPTOR.fullmatch(state.text, word.start, state.at):
        frame.word = None
    _end_word(state, frame)
    found = REDIRECTION.match(state.text, state.at)
    operator = found.group() if found else state.text[state.at]
    state.at += len(operator)
    if frame.test:
        return
    if operator in ("<<", "<<-") and not state.dialect.fish:
        _announce(state, frame, strip=operator == "<<-")
        return
    frame.redirect = operator


def _announce(state: State, frame: Frame, *, strip: bool) -> None:
    found = DELIMITER.match(state.text, state.at)
    if found is None:
        return
    delimiter = re.sub(r"\\(.)|['\"]", r"\1", found[1])
    document = Heredoc(delimiter, quoted=delimiter != found[1], strip=strip)
    state.pending.append(document)
    frame.documents.append(document)
    state.skip(found.end(), "quoted_heredoc")


def _comment(state: State, frame: Frame) -> None:
    if frame.word is not None or frame.test:
        _plain_letter(state, frame)
        return
    end = state.text.find("\n", state.at)
    end = len(state.text) if end < 0 else end
    if state.backticks:
        tick = state.text.find("`", state.at, end)
        end = end if tick < 0 else tick
    state.skip(end, "comment")


def _plain_letter(state: State, frame: Frame) -> None:
    state.begin_word(frame)
    state.at += 1


def _bracket(state: State, frame: Frame) -> None:
    """`[` begins a subscript behind a name that is assigned to, and in a list; elsewhere it is a letter."""
    if frame.word is None:
        state.begin_word(frame)
        is_subscript = frame.listing
    else:
        declares = not frame.words or frame.words[0].text in DECLARES
        is_subscript = declares and SUBSCRIPTED.fullmatch(state.text, frame.word.start, state.at) is not None
    if is_subscript and not state.dialect.fish:
        state.push(ARITHMETIC, "]", "arithmetic", 1).loose = True
    else:
        state.at += 1


def _end_word(state: State, frame: Frame) -> None:
    word, frame.word = frame.word, None
    if word is None:
        return
    word.text = state.text[word.start : min(state.at, word.start + LONGEST_WORD)]
    redirect, frame.redirect = frame.redirect, ""
    if redirect:
        frame.strings += word.marks if redirect == "<<<" else []
    elif frame.pattern:
        _end_case(frame, word.text)
    elif not frame.listing:
        frame.words.append(word)
        if not _begins_test(state, frame, word.text):
            _reserved(frame, word.text)


def _begins_test(state: State, frame: Frame, text: str) -> bool:
    if frame.test:
        frame.test = text != "]]"
    elif len(frame.words) == 1 and text == "[[":
        frame.test = not state.dialect.fish
    return frame.test


def _end_case(frame: Frame, text: str) -> None:
    if text == "esac" and frame.cases:
        frame.cases -= 1
        frame.pattern = False


def _reserved(frame: Frame, text: str) -> None:
    """Reserved words where a command may begin; `case WORD in` begins patterns."""
    if len(frame.words) == 1 and text in STAY_FIRST:
        frame.words = []
    elif len(frame.words) == 1 and text == "esac" and frame.cases:
        frame.cases -= 1
        frame.words = []
    elif len(frame.words) == 3 and text == "{" and frame.words[0].text == "function":
        frame.words = []
    elif len(frame.words) == 3 and text == "in" and frame.words[0].text == "case":
        frame.cases += 1
        frame.pattern = True
        frame.words = []


def end_command(state: State, frame: Frame) -> None:
    """A command ends here: judge its words, and begin the next."""
    _end_word(state, frame)
    if frame.words and not frame.listing:
        judge(state, frame)
    frame.words = []
    frame.documents = []
    frame.strings = []


STEPS: dict[str, Callable[[State, Frame], None]] = {
    "\\": _escape,
    "'": _single,
    '"': _double,
    "$": _dollar,
    "`": _backtick,
    "\n": _newline,
    ";": _semicolon,
    "&": _separator,
    "|": _separator,
    "(": _open,
    ")": _close,
    "}": _close_brace,
    "<": _redirect,
    ">": _redirect,
    "#": _comment,
    "[": _bracket,
}
