"""The values of one task: what its cell, the DEFAULTS and the front matter say, merged, each with its origin."""

from __future__ import annotations

from spry.core.model import ENV, HANDLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from spry.core.fence import Given
    from spry.core.frontmatter import FrontMatter

    Givens = Sequence[tuple[Given, int]]
    Values = dict[str, Any]


def contradictions(values: Mapping[str, Any], language: str, body: str) -> list[tuple[str, str, str]]:
    """Flags that make no sense together, or for such a cell: message, flag, hint."""
    found = []
    if values.get("optional") and not values.get("is_finally"):
        found.append(("--optional without --finally", "optional", "add --finally, or remove --optional"))
    files = [key for key in values.get("captures", ()) if key.startswith("./")]
    if values.get("gitignore") and not files:
        found.append(("--gitignore without a captured file", "gitignore", "add --capture ./FILE"))
    if values.get("reserved") and not values.get("inbox"):
        found.append(("--reserved without --inbox", "reserved", "add --inbox QUEUE"))
    found += _messages(values, language, body)
    if language in ENV and values.get("interactive"):
        found.append(("an env cell cannot be interactive", "interactive", "remove --interactive"))
    return [*found, *_about_files(values, language)]


def _about_files(values: Mapping[str, Any], language: str) -> list[tuple[str, str, str]]:
    """The same for flags that concern artifacts."""
    found = []
    saves = values.get("saves", ())
    if saves and all(text.startswith("!") for text in saves):
        found.append(("--save takes files out and names none", "save", "add --save GLOB for those to be kept"))
    if values.get("isolated"):
        flag = "restore" if "restore" in values else "isolated"
        if language in ENV:
            found.append((f"an env cell runs nowhere, and has no folder for --{flag}", flag, f"remove --{flag}"))
        if values.get("cwd"):
            found.append((f"--cwd with --{flag}: the task works in a fresh folder", "cwd", "use cd in its script"))
    return found


def _messages(values: Mapping[str, Any], language: str, body: str) -> list[tuple[str, str, str]]:
    """What a task with queues cannot be as well."""
    flag = "inbox" if values.get("inbox") else "outbox"
    if not values.get(flag):
        return []
    found = []
    if language in ENV | HANDLED or not body.strip():
        kind = "a cell without a script" if not body.strip() else f"a cell of {language}"
        found.append((f"--{flag} for {kind}, which nothing reads or writes", flag, f"remove --{flag}"))
    if values.get("interactive"):
        found.append((f"--{flag} with --interactive, which has the terminal instead", flag, "remove one of them"))
    if values.get("inputs") or values.get("outputs"):
        found.append((f"--{flag} with --inputs or --outputs: no message is up to date", flag, "remove one of them"))
    return found


class Fields:
    """The values of one task, and where each comes from."""

    def __init__(self, name: str, front: FrontMatter, defaults: Sequence[tuple[Given, int]]) -> None:
        self.name = name
        self.front = front
        self.cell: dict[str, list[tuple[Given, int]]] = {}
        self.defaults: dict[str, list[tuple[Given, int]]] = {}
        for given, line in defaults:
            known = self.defaults.setdefault(given.flag.field, [])
            if not given.flag.many:
                known.clear()
            known.append((given, line))

    def take(self, given: Given, line: int) -> None:
        """Take a flag of the cell itself, or of the comment above it."""
        self.cell.setdefault(given.flag.field, []).append((given, line))

    def place(self, flag: str, otherwise: tuple[int, int, int]) -> tuple[int, int, int]:
        """The line, offset and length of a flag of the cell, or another place."""
        for givens in self.cell.values():
            for given, line in givens:
                if given.flag.name == flag:
                    return line, given.start, given.length
        return otherwise

    def origins(self) -> tuple[tuple[str, str], ...]:
        """The source of every value that somebody wrote, by field."""
        of_cell = {field: f"line {givens[0][1]}" for field, givens in self.cell.items()}
        of_defaults = {field: f"DEFAULTS, line {givens[-1][1]}" for field, givens in self.defaults.items()}
        of_front = dict.fromkeys(_of_front_matter(self.front), "front matter")
        return tuple({**of_front, **of_defaults, **of_cell}.items())

    def merged(self) -> dict[str, Any]:
        """The fields of `Task` that are not at their built-in value."""
        values: dict[str, Any] = _of_front_matter(self.front)
        for layer in (self.defaults, self.cell):
            for field, givens in layer.items():
                self._merge(values, field, givens)
        names = {parameter.name for parameter in values.get("params", ())}
        shared = tuple(parameter for parameter in self.front.params if parameter.name not in names)
        if shared:
            values["params"] = values.get("params", ()) + shared
        if "restore" in values:
            values["isolated"] = True
        return values

    def _merge(self, values: dict[str, Any], field: str, givens: Sequence[tuple[Given, int]]) -> None:
        """Lay the flags of one field, from the cell or from DEFAULTS, over what is there."""
        given = givens[-1][0]
        special = SPECIAL.get(field)
        if special is not None:
            values.update(special(self.name, givens, values))
        elif given.flag.many:
            values[field] = tuple(str(one.value) for one, _ in givens)
        elif given.flag.takes == "nothing":
            values[field] = True
        else:
            values[field] = given.value if given.text is not None else given.flag.bare


def _retry(_name: str, givens: Givens, _values: Values) -> Values:
    return dict(zip(("attempts", "backoff", "backoff_factor"), _sound(givens)[-1], strict=True))


def _confirm(name: str, givens: Givens, _values: Values) -> Values:
    return {"confirm": givens[-1][0].text or f"Run {name}?"}


def _captures(name: str, givens: Givens, _values: Values) -> Values:
    return {"captures": tuple(str(given.value) if given.text else name for given, _ in givens)}


def _params(_name: str, givens: Givens, _values: Values) -> Values:
    placed = [(given.value, line, given.text_start + 1) for given, line in givens]
    return {"params": tuple(found._replace(line=line, column=column) for found, line, column in placed)}  # type: ignore[attr-defined] # Parameters


def _deps(_name: str, givens: Givens, _values: Values) -> Values:
    marks = tuple((line, given.text_start + 1) for given, line in givens)
    return {"deps": tuple(str(given.value) for given, _ in givens), "dep_marks": marks}


def _saves(_name: str, givens: Givens, _values: Values) -> Values:
    marks = tuple((line, given.text_start + 1) for given, line in givens)
    return {"saves": tuple(str(given.value) for given, _ in givens), "save_marks": marks}


def _env(_name: str, givens: Givens, values: Values) -> Values:
    return {"env": tuple({**dict(values.get("env", ())), **dict(_sound(givens))}.items())}


def _sound(givens: Givens) -> list[Any]:
    """The values that could be read; a cell with others is reported, and makes no task."""
    return [given.value for given, _ in givens if given.value is not None]


# Fields that are not simply the value of their flag.
SPECIAL: Mapping[str, Callable[[str, Givens, Values], Values]] = {
    "not_directive": lambda _name, _givens, _values: {},
    "no_strict": lambda _name, _givens, _values: {"strict": False},
    "retry": _retry,
    "confirm": _confirm,
    "captures": _captures,
    "params": _params,
    "deps": _deps,
    "saves": _saves,
    "env": _env,
}


def _of_front_matter(front: FrontMatter) -> dict[str, Any]:
    """The defaults of the front matter as fields of a task (its environment stays with the settings)."""
    values: dict[str, Any] = {}
    if front.defaults.timeout is not None:
        values["timeout"] = front.defaults.timeout
    if front.defaults.limits is not None:
        values["limits"] = front.defaults.limits
    if front.defaults.retry is not None:
        values["attempts"], values["backoff"], values["backoff_factor"] = front.defaults.retry
    return values
