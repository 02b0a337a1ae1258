"""The typed values that flags and front matter share: each reader gives the value, or says in words what is wrong.

A message is a phrase without the flag's name or place; the caller knows both.
"""

from __future__ import annotations

from spry.core.model import Parameter
from spry.core.text import did_you_mean, listing, parse_duration, parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LIMITS = ("memory", "cpu", "fds", "connections")
TYPES = ("str", "int", "float", "bool", "path", "secret")
TRUTHS = ("true", "false", "yes", "no", "on", "off", "1", "0")
LONGEST = 100 * 365 * 86400.0
LONGEST_QUEUE = 200
OWN_ENDS, OWN_START = (".reserved", ".delivered"), "spry."
OF_RUNS = ("inbox", "reserved", "outbox", "ctrl_in", "ctrl_out")  # the queues that each run has: `T{id}.inbox`, …
INFINITY = float("inf")
NAME_RULE = "expected letters, digits and _, no digit first"


def duration(text: str) -> float | str:
    """Seconds from `30`, `30s`, `250ms`, `5m` or `1h30m`; more than nothing and at most a hundred years."""
    seconds = parse_duration(text)
    if seconds is None:
        return f'expected a duration such as 30, 30s, 5m or 1h30m, not "{text}"'
    return seconds if seconds <= LONGEST else f'"{text}" is longer than a hundred years'


def retry(text: str) -> tuple[int, float, float] | str:
    """Attempts in all, seconds between them, and the factor of each further pause, from `3`, `3@0.5` or `3@1s*2`."""
    head, at, rest = text.partition("@")
    pause, star, times = rest.partition("*")
    attempts = whole(head)
    backoff = 0.0 if not at or pause == "0" else parse_duration(pause)
    factor = decimal(times) if star else 1.0
    if attempts is None or backoff is None or factor is None:
        return f'expected N, N@SECONDS or N@SECONDS*FACTOR, not "{text}"'
    if attempts < 1:
        return "expected at least 1 attempt"
    if backoff > LONGEST:
        return f'"{pause}" is longer than a hundred years'
    return (attempts, backoff, factor) if factor >= 1 else f'expected a factor of at least 1, not "{times}"'


def limits(text: str) -> tuple[tuple[str, float], ...] | str:
    """Limits in the order written: memory in MB, cpu in percent, fds and connections as counts."""
    found: dict[str, float] = {}
    for item in text.split(","):
        name, equals, amount = (part.strip() for part in item.partition("="))
        if not equals:
            return f'expected limits such as memory=512M,cpu=75,fds=100,connections=50, not "{item.strip()}"'
        if name not in LIMITS:
            return f'unknown limit "{name}"{meant(name, LIMITS)}: expected {listing(LIMITS, "or")}'
        if name in found:
            return f'limit "{name}" is given twice'
        value = _limit(name, amount)
        if isinstance(value, str):
            return value
        found[name] = value
    return tuple(found.items())


def _limit(name: str, amount: str) -> float | str:
    expected, size = "a whole number of at least 1", None
    if name == "memory":
        expected, size = "a size such as 512M or 2G", parse_size(amount)
    elif name == "cpu":
        expected, size = "a percentage above 0", decimal(amount.removesuffix("%"))
    else:
        count = whole(amount)
        size = None if count is None else float(count)
    return size if size and size < INFINITY else f'{name}: expected {expected}, not "{amount}"'


def exit_codes(text: str) -> tuple[int, ...] | str:
    """Exit codes (0-255) from a list with commas, each once, in the order written."""
    codes: dict[int, None] = {}
    for item in text.split(","):
        code = whole(item.strip())
        if code is None or code > 255:
            return f'expected exit codes from 0 to 255 with commas between them, not "{text}"'
        codes[code] = None
    return tuple(codes)


def parameter(text: str, line: int = 0, column: int = 0) -> Parameter | str:
    """A parameter from `NAME[:type][=default]`, its default checked against its type."""
    end = min(f"{text}:".index(":"), f"{text}=".index("="))
    name, rest = text[:end], text[end:]
    closing = rest.find(")") + 1 if rest.startswith(":choice(") else 0
    tail, equals, default = rest[closing:].partition("=")
    written = rest[:closing] + tail
    return typed(name, written[1:] if written else "str", default if equals else None, line, column)


def typed(name: str, written: str, default: str | None = None, line: int = 0, column: int = 0) -> Parameter | str:
    """A parameter from its parts; `written` is the type as people write it, such as `int` or `choice(a|b)`."""
    if name.startswith("-") or not is_variable(name.replace("-", "_")):
        return f'"{name}" cannot name a parameter: {NAME_RULE} (and - inside)'
    choices = _choices(written)
    kind = "choice" if choices else written
    if not choices and kind not in TYPES:
        return _no_type(written)
    found = Parameter(name, kind, default, choices, line, column)
    fault = "" if default is None else check(found, default)
    return f'default of "{name}": {fault}' if fault else found


def _choices(written: str) -> tuple[str, ...]:
    """The members of `choice(a|b)`; none if it is not written so, or one is empty or stands twice."""
    if not (written.startswith("choice(") and written.endswith(")")):
        return ()
    members = tuple(member.strip() for member in written[len("choice(") : -1].split("|"))
    return () if "" in members or len(set(members)) < len(members) else members


def _no_type(written: str) -> str:
    if written.startswith("choice"):
        return f'expected choice(a|b) with different members, not "{written}"'
    return f'unknown type "{written}"{meant(written, TYPES)}: expected {", ".join(TYPES)} or choice(a|b)'


def check(parameter: Parameter, text: str) -> str:
    """What is wrong with a value of this parameter, or nothing; the value of a secret is never quoted."""
    if "\0" in text:
        return "a NUL byte cannot be handed to a task"
    if parameter.type == "choice":
        return "" if text in parameter.choices else _no_choice(text, parameter.choices)
    expected, is_good = CHECKS.get(parameter.type, ("", None))
    return "" if is_good is None or is_good(text) else f'expected {expected}, not "{text}"'


def _no_choice(text: str, choices: tuple[str, ...]) -> str:
    return f'expected {listing(choices, "or")}, not "{text}"{meant(text, choices)}'


def environment(text: str) -> tuple[str, str] | str:
    """Name and value from `NAME=VALUE`; the value may be empty."""
    name, equals, value = text.partition("=")
    if not equals:
        return f'expected NAME=VALUE, not "{text}"'
    if not is_variable(name):
        return f'"{name}" cannot name a variable: {NAME_RULE}'
    return f"{name}: a NUL byte cannot be handed to a task" if "\0" in value else (name, value)


def pattern(text: str) -> str:
    """What is wrong with a regular expression, or nothing; `*` alone stands for every name."""
    if text == "*":
        return ""
    import re  # noqa: PLC0415 - few runbooks have a pattern
    import warnings  # noqa: PLC0415 - as above

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's doubts about a set are no matter of the runbook's reader
            re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        return f'"{text}" is no regular expression: {error}'
    return "" if text else "expected a regular expression"


def glob(text: str) -> str:
    """What is wrong with a glob, or nothing."""
    return "" if text.strip() else "expected a glob such as src/*.py"


def is_variable(text: str) -> bool:
    """Whether this can name an environment variable: `[A-Za-z_][A-Za-z0-9_]*`."""
    return text.isascii() and text.isidentifier()


def whole(text: str) -> int | None:
    """A whole number of one to nine plain digits; None for anything else."""
    return int(text) if len(text) <= 9 and text.isascii() and text.isdigit() else None


def decimal(text: str) -> float | None:
    """A plain decimal number such as `2` or `0.5`, without sign or exponent; None for anything else."""
    before, point, after = text.partition(".")
    if len(text) > 300 or not text.isascii() or not before.isdigit() or (point and not after.isdigit()):
        return None
    return float(text)


def meant(name: str, names: Iterable[str]) -> str:
    """A near name in brackets to follow a message, or nothing."""
    hint = did_you_mean(name, names)
    return f" ({hint})" if hint else ""


def _is_int(text: str) -> bool:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    return digits.isascii() and digits.isdigit()


def _is_float(text: str) -> bool:
    if not text.isascii() or "_" in text or text != text.strip():
        return False
    try:
        return abs(float(text)) < INFINITY
    except ValueError:
        return False


CHECKS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "int": ("a whole number", _is_int),
    "float": ("a number", _is_float),
    "bool": (listing(TRUTHS, "or"), lambda text: text.lower() in TRUTHS),
    "path": ("a path", bool),
}


def queue(text: str) -> str:
    """What is wrong with the name of a queue, or of an alias behind `@`; nothing if it is one."""
    name = text.removeprefix("@")
    plain = name.replace("_", "").replace("-", "").replace(".", "")
    if not name or name[0] in ".-" or not (plain.isascii() and (plain.isalnum() or not plain)):
        return f'"{text}" is no name of a queue: expected letters, digits, _, . and -, neither . nor - first'
    return "" if len(name) <= LONGEST_QUEUE else f"the name of a queue has at most {LONGEST_QUEUE} letters"


def run_queue(text: str) -> tuple[str, str] | None:
    """The end of the id of a run and which of its queues a name like `T{id}.outbox` means; None for all others."""
    run, _, kind = text.removeprefix("T").partition(".")
    return (run, kind) if text.startswith("T") and run.isascii() and run.isdigit() and kind in OF_RUNS else None


def task_queue(text: str) -> str:
    """As `queue`, for those that tasks read and write: some names are for what is under way, and for spry itself."""
    if text.endswith(OWN_ENDS) or text.startswith(OWN_START) or run_queue(text):
        return f'"{text}" is kept by spry itself, and no queue for tasks'
    return queue(text)
