"""Interpolation: what `-I` makes of a cell when it is read, and what values make of it when it runs.

In a shell script a value never becomes text of the script: it travels in an environment variable, and the expression
becomes a reference to that. In cells of other interpreters the text of the value is inserted.
"""

from __future__ import annotations

from spry.core.model import Expression
from spry.core.passage import Composed, Passage, Piece
from spry.errors import FAILED, SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spry.core.model import Task
    from spry.core.partials import Partial
    from spry.errors import Problem

KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/+-"
NAME_LETTERS = KEY_LETTERS.removesuffix(".:/+-")
KINDS = {"captured": KEY_LETTERS, "env": NAME_LETTERS, "param": KEY_LETTERS}
METHODS = (".text().trim()", ".text()", ".trim()")
JAVASCRIPT = "javascript"
MARKERS = ("${captured.", "${env.", "${param.", "$!{")
LONGEST_KEY = 1000
LARGEST = 131071  # bytes of NAME=value: what Linux takes as one string of an environment, without its NUL
VARIABLE = "SPRY_VALUE_"

# What is wrong where a shell would not expand an expression, or would do more than expand it.
MISPLACED = {
    "single": (
        "stands in single quotes, where the shell expands nothing",
        "use double quotes, or leave the single ones around it: 'before '\"{text}\"' after'",
    ),
    "quoted_heredoc": (
        "stands in a here-document with a quoted delimiter, where the shell expands nothing",
        "write the delimiter without quotes, and \\$ where the text needs a dollar",
    ),
    "command": (
        "would be run as a command: a value is data",
        'write "{text}" in double quotes to run the one program of that name',
    ),
    "code": (
        "would become part of code that is run: a value is data",
        'hand it over instead: bash -c \'echo "$1"\' - "{text}"; or value="{text}" and "$value" in single quotes',
    ),
}


class RenderError(SpryError):
    """A task cannot be started with these values; it fails before any process of it exists."""

    exit_code = FAILED


class Prepared(NamedTuple):
    """A cell's text as it will run: `body` with partials in place, its expressions, and what is wrong with them.

    `composed` tells where every character of `body` was written.
    """

    body: str
    expressions: tuple[Expression, ...]
    problems: tuple[Problem, ...]
    composed: Composed


class Rendered(NamedTuple):
    """A script with its values: what to run, and the variables that must be in its environment."""

    body: str
    env: Mapping[str, str]


class Mark(NamedTuple):
    """Something between braces in a text: its offsets, its kind (`captured`, …, `javascript`) and its key."""

    start: int
    end: int
    kind: str
    key: str


def prepare(
    body: Passage,
    *,
    name: str = "",
    interpolate: bool = False,
    injectable: bool = False,
    partials: Mapping[str, Partial] | None = None,
    shell: str = "",
) -> Prepared:
    """What `--interpolate` and `--injectable` make of a task's cell, with places in the files.

    `shell` is the shell that runs the script (bash, sh, dash, zsh, ksh, fish), or empty where values become text.
    `partials` holds those of all files by name, in document order. The same problem inside a partial is reported for
    each cell that includes it.
    """
    pieces = [Piece(body.text, body, 0)]
    problems: list[Problem] = []
    if injectable and partials:
        from spry.core.partials import inject  # noqa: PLC0415 - few cells include anything

        pieces = inject(body, name, partials.values())
    if interpolate and any("{{" in piece.text for piece in pieces):
        from spry.core.partials import expand  # noqa: PLC0415 - as above

        pieces, problems = expand(pieces, partials or {}, shell)
    composed = Composed(pieces)
    expressions: list[Expression] = []
    if interpolate and any(marker in composed.text for marker in MARKERS):
        expressions, found = _expressions(composed, body.source.path, shell)
        problems += found
    return Prepared(composed.text, tuple(expressions), tuple(problems), composed)


def marks(text: str) -> list[Mark]:
    """Every `${captured.KEY}`, `${env.NAME}`, `${param.NAME}` and `$!{…}` of a text, in order, wherever it stands."""
    found: list[Mark] = []
    for mark in sorted((*_references(text), *_scripts(text))):
        if not found or mark.start >= found[-1].end:
            found.append(mark)
    return found


def _references(text: str) -> Iterator[Mark]:
    at = text.find("${")
    while at >= 0:
        end = text.find("}", at, at + LONGEST_KEY)
        kind, dot, key = text[at + 2 : end].partition(".") if end >= 0 else ("", "", "")
        if dot and kind in KINDS:
            key = _without_methods(key) if kind == "captured" else key
            if key and not key.strip(KINDS[kind]):
                yield Mark(at, end + 1, kind, key)
        at = text.find("${", at + 2)


def _without_methods(key: str) -> str:
    for method in METHODS:
        if key.endswith(method):
            return key.removesuffix(method)
    return key


def _scripts(text: str) -> Iterator[Mark]:
    """`$!{…}` up to its closing brace in the same line."""
    at = text.find("$!{")
    while at >= 0:
        end = text.find("\n", at)
        line = text[at : end if end >= 0 else len(text)]
        depth = 0
        for length, letter in enumerate(line, 1):
            depth += (letter == "{") - (letter == "}")
            if letter == "}" and not depth:
                line = line[:length]
                break
        yield Mark(at, at + len(line), JAVASCRIPT, line)
        at = text.find("$!{", at + len(line))


def _expressions(composed: Composed, own: str, shell: str) -> tuple[list[Expression], list[Problem]]:
    found = marks(composed.text)
    contexts = ["text"] * len(found)
    if shell and found:
        from spry.core.shellscan import scan  # noqa: PLC0415 - few cells have expressions

        contexts = scan(composed.text, [(one.start, one.end) for one in found], shell)
    expressions: list[Expression] = []
    problems: list[Problem] = []
    for mark, context in zip(found, contexts, strict=True):
        if context in ("comment", "escaped"):
            continue
        if mark.kind == JAVASCRIPT or context in MISPLACED:
            problems.append(_misplaced(composed, mark, context))
            continue
        passage, offset = composed.origin(mark.start)
        line, column = passage.place(offset)
        path = "" if passage.source.path == own else passage.source.path
        expressions.append(Expression(mark.start, mark.end, mark.kind, mark.key, context, line, column, path))
    return expressions, problems


def _misplaced(composed: Composed, mark: Mark, context: str) -> Problem:
    text = composed.text[mark.start : mark.end]
    if mark.kind == JAVASCRIPT:
        shown = text if len(text) <= 60 else f"{text[:57]}…"
        hint = "spry runs no JavaScript: use ${captured.KEY}, ${param.NAME} or a python cell"
        return composed.problem(mark.start, f"{shown} cannot be expanded", len(text), hint)
    message, hint = MISPLACED[context]
    return composed.problem(mark.start, f"{text} {message}", len(text), hint.format(text=text))


def render(task: Task, values: Mapping[tuple[str, str], str], shell: str = "") -> Rendered:
    """The script of a task with its values, and the variables it needs; raises `RenderError` naming what is wrong.

    `values` maps (kind, key), such as ("captured", "version"), to text; `shell` as for `prepare`. Bytes that are not
    UTF-8 are expected as surrogate escapes.
    """
    if not task.expressions:
        return Rendered(task.body, {})
    names: dict[tuple[str, str, bool], str] = {}
    env: dict[str, str] = {}
    parts: list[str] = []
    at = 0
    for one in task.expressions:
        trims = task.body.endswith(".trim()}", one.start, one.end)
        identity = (one.kind, one.key, trims)
        variable = names.setdefault(identity, f"{VARIABLE}{len(names) + 1}")
        value = _value(one, values, variable)
        value = value.strip() if trims else value
        parts += (task.body[at : one.start], _reference(one, variable, value, shell))
        if one.context != "text":
            env[variable] = value
        at = one.end
    return Rendered("".join((*parts, task.body[at:])), env)


def _reference(one: Expression, variable: str, value: str, shell: str) -> str:
    if one.context == "text":
        return value
    if one.context == "arithmetic" and not is_number(value):
        raise RenderError(
            f"the value of {_written(one)} is no number, and the shell calculates there",
            "capture a plain number, or move the expression out of the calculation",
        )
    # fish has no braces around names; its quotes stop and start again within quotes, and split nothing outside them.
    return f'"${variable}"' if shell == "fish" else f"${{{variable}}}"


def _value(one: Expression, values: Mapping[tuple[str, str], str], variable: str) -> str:
    value = values.get((one.kind, one.key))
    if value is None:
        raise RenderError(f"{_written(one)} has no value", _missing(one, values))
    if "\0" in value:
        raise RenderError(f"the value of {_written(one)} has a NUL byte in it", _as_file(one))
    size = len(variable) + 1 + len(value.encode("utf-8", "surrogateescape"))
    if size > LARGEST:
        raise RenderError(f"the value of {_written(one)} is larger than 128 KiB", _as_file(one))
    return value


def _written(one: Expression) -> str:
    place = f"{one.path}:{one.line}" if one.path else f"line {one.line}"
    return f"${{{one.kind}.{one.key}}} ({place})"


def _as_file(one: Expression) -> str:
    if one.kind != "captured":
        return "put it into a file, and read that file"
    return "capture it into a file (-C ./FILE), and read that file"


def _missing(one: Expression, values: Mapping[tuple[str, str], str]) -> str:
    from spry.core.text import did_you_mean  # noqa: PLC0415 - only for an error

    near = did_you_mean(one.key, sorted(key for kind, key in values if kind == one.kind))
    advice = {
        "captured": f"let a task that runs before capture it: -C {one.key}",
        "env": f"set it: --env {one.key}=VALUE",
        "param": f"give it: --param {one.key}=VALUE",
    }
    return near or advice[one.kind]


def is_number(value: str) -> bool:
    """Whether a value is a plain whole or decimal number, with blanks around it at most: safe to calculate with."""
    digits = value.strip(" \t\n")
    digits = digits[1:] if digits.startswith(("-", "+")) else digits
    whole, point, rest = digits.partition(".")
    return digits.isascii() and whole.isdigit() and (not point or rest.isdigit())
