"""What a shell does with the words of one command: which it runs, which it takes for code, which it calculates.

Parameters are expanded to data everywhere, but some commands read their arguments once more: `let`, `[[ a -eq b ]]`,
`declare -i` calculate (and a subscript in a calculation runs commands), `eval` and `bash -c` run them.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spry.core.shellstate import Frame, State, Word

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=")
CONVERSION = re.compile(r"%(?:%|[-+ #0']*[\d.]*[sbqc])")
INTEGER_OPTION = re.compile(r"-\w*[iEFn]")
TEXT_OPTION = re.compile(r"-\w*[pd]")
SCRIPT_OPTION = re.compile(r"-\w*c")
PASSES_ON = frozenset({"exec", "command", "builtin", "noglob", "nocorrect", "-"})
RUNS = frozenset({"eval", "trap", "alias"})
RUN_LATER = frozenset({"PS4", "PROMPT_COMMAND"})
CALCULATES = frozenset(
    {"let", "exit", "return", "shift", "break", "continue", "repeat", "ulimit"}
    | {"unset", "mapfile", "readarray", "getopts"},  # names, whose subscripts are calculated
)
DECLARES = frozenset({"declare", "typeset", "local", "export", "readonly", "integer", "float", "nameref"})
TESTS = frozenset({"[", "[[", "test"})
SHELL_NAMES = frozenset({"sh", "bash", "zsh", "dash", "ksh", "mksh", "ash", "fish"})
COMPARES = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
ASKS = frozenset({"-v", "-R", "-t"})


def judge(state: State, frame: Frame) -> None:
    """Correct the contexts of the spans in the words of a command that ends here."""
    words = _without_assignments(state, frame.words)
    while words and words[0].literal in PASSES_ON:
        words = words[1:]
        while words and words[0].text.startswith("-"):
            words = words[1:]
    if not words:
        return
    _mark(state, [mark for mark in words[0].marks if state.contexts[mark] == "plain"], "command")
    if any(word.marks for word in words[1:]) or frame.strings or frame.documents:
        _arguments(state, frame, words)
    elif words[0].literal in DECLARES:
        _declaration(state, words)


def _arguments(state: State, frame: Frame, words: Sequence[Word]) -> None:
    name = words[0].literal
    if name in RUNS:
        _mark_words(state, words[1:], "code")
    elif name in CALCULATES:
        _mark_words(state, words[1:], "arithmetic")
    elif name in DECLARES:
        _declaration(state, words)
    elif name in TESTS:
        _comparison(state, words)
    elif name == "printf":
        _format(state, words)
    elif name == "read":
        _read(state, words)
    _scripts(state, frame, words)


def _without_assignments(state: State, words: Sequence[Word]) -> Sequence[Word]:
    """The words behind leading `NAME=value`; values for variables that hold integers or code are noted."""
    for index, word in enumerate(words):
        found = ASSIGNMENT.match(word.text)
        if found is None:
            return words[index:]
        if found[1] in RUN_LATER:
            _mark(state, word.marks, "code")
        elif word.marks:
            state.assigned.append((found[1], word.marks))
    return ()


def _declaration(state: State, words: Sequence[Word]) -> None:
    """`declare -i` calculates values; and every declaration calculates subscripts in the names it is given."""
    calculates = words[0].literal != "export" and (
        words[0].literal in ("integer", "float", "nameref")
        or any(INTEGER_OPTION.match(word.text) for word in words[1:])
    )
    for word in words[1:]:
        found = ASSIGNMENT.match(word.text)
        if found is not None and found[1] in RUN_LATER:
            _mark(state, word.marks, "code")
        elif calculates or found is None:
            _mark(state, word.marks, "arithmetic")
        if calculates and not word.text.startswith("-"):
            state.integers.add(found[1] if found else word.text)


def _comparison(state: State, words: Sequence[Word]) -> None:
    """`-eq` and its like calculate both sides; `-v NAME[…]` calculates the subscript."""
    for index, word in enumerate(words):
        if word.text in COMPARES:
            _mark_words(state, words[max(index - 1, 1) : index + 2], "arithmetic")
        elif word.text in ASKS:
            _mark_words(state, words[index + 1 : index + 2], "arithmetic")


def _format(state: State, words: Sequence[Word]) -> None:
    """`printf -v NAME[…]` calculates the subscript; where `%d` calculates, all arguments of such a format count."""
    if words[1].text == "-v":
        _mark_words(state, words[2:3], "arithmetic")
        words = words[2:]
    if state.dialect.calculating_printf and len(words) > 1 and "%" in CONVERSION.sub("", words[1].text):
        _mark_words(state, words[2:], "arithmetic")


def _read(state: State, words: Sequence[Word]) -> None:
    """`read` calculates subscripts in the names it is given; the text of a prompt is text."""
    for index in range(1, len(words)):
        if not TEXT_OPTION.fullmatch(words[index - 1].text):
            _mark(state, words[index].marks, "arithmetic")


def _scripts(state: State, frame: Frame, words: Sequence[Word]) -> None:
    """`bash -c SCRIPT` wherever it stands among the words (`sudo`, `xargs`, `docker exec`), and scripts on stdin."""
    shells = [index for index, word in enumerate(words) if word.literal.rpartition("/")[2] in SHELL_NAMES]
    if not shells:
        return
    rest = words[shells[-1] + 1 :]
    for index, word in enumerate(rest):
        if SCRIPT_OPTION.fullmatch(word.text):
            _mark_words(state, rest[index + 1 : index + 2], "code")
            return
    if all(word.text.startswith("-") for word in rest) or any(word.text == "-s" for word in rest):
        _mark(state, frame.strings, "code")
        for document in frame.documents:
            document.is_code = True


def settle_integers(state: State) -> None:
    """At the end: assignments to variables that the script declares as integers calculate."""
    for name, marks in state.assigned:
        if name in state.integers:
            _mark(state, marks, "arithmetic")


def _mark_words(state: State, words: Iterable[Word], context: str) -> None:
    for word in words:
        _mark(state, word.marks, context)


def _mark(state: State, marks: Iterable[int], context: str) -> None:
    for mark in marks:
        if state.contexts[mark] in ("plain", "double"):
            state.contexts[mark] = context
