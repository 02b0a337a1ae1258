"""The everyday command lines, read without click.

Importing click takes five times as long as starting Python, and a task runner is started all day. This reader knows
the option table and nothing else: at anything it does not understand entirely it gives up, and click, which reads
the same table, takes over with its help and its errors. A test holds that both read every line alike.
"""

from __future__ import annotations

from spry.cli.options import ALIASES, QUICK, Option, Request, is_runbook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def read(argv: Sequence[str]) -> Request | None:
    """The request a command line makes, or None if click should look at it."""
    if not argv:
        return Request("ls")
    if is_runbook(argv[0]) and len(argv) == 1:
        return Request("ls", files=(argv[0],))
    options = QUICK.get(argv[0])
    if options is None:
        return None
    spellings = {name: option for option in options for name in (option.long, option.short) if name}
    if argv[0] == "exec":
        return _command(argv[1:], spellings)
    words = None
    rest = list(argv[1:])
    if "--" in rest:
        words = tuple(rest[rest.index("--") + 1 :])
        rest = rest[: rest.index("--")]
    return _request(argv[0], rest, words, spellings)


def _command(rest: Sequence[str], spellings: dict[str, Option]) -> Request | None:
    """`spry exec`: from the first word that is no option on, everything belongs to the command."""
    at = 0
    while at < len(rest) and rest[at].startswith("-") and rest[at] not in ("-", "--"):
        spelling, equals, _ = rest[at].partition("=")
        option = spellings.get(spelling)
        at += 2 if option and option.metavar and not equals else 1
    words = tuple(rest[at + 1 :] if rest[at : at + 1] == ["--"] else rest[at:])
    return _request("exec", rest[:at], words or None, spellings)


def _request(
    command: str, rest: Sequence[str], words: tuple[str, ...] | None, spellings: dict[str, Option]
) -> Request | None:
    values: dict[str, object] = {}
    plain: list[str] = []
    waiting = iter(rest)
    for word in waiting:
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        spelling, equals, value = word.partition("=")
        option = spellings.get(spelling)
        if option is None or (equals and (not option.metavar or not spelling.startswith("--"))):
            return None
        taken = value if equals else next(waiting, None) if option.metavar else ""
        if taken is None or not _take(values, option, taken):
            return None
    names = tuple(word for word in plain if not is_runbook(word))
    files = tuple(word for word in plain if is_runbook(word))
    given = values.pop("files", ())
    assert isinstance(given, tuple)
    if (command in {"ls", "tasks", "runbook"} and names) or (command == "task" and not names):
        return None
    return Request(ALIASES.get(command, command), names, given + files, words, **values)  # type: ignore[arg-type] # by field name


def _take(values: dict[str, object], option: Option, taken: str) -> bool:
    """Keep the value of an option; False where click has something to say about it."""
    if option.choices and taken not in option.choices:
        return False
    if not option.metavar:
        values[option.field] = True
    elif option.many:
        known = values.get(option.field, ())
        assert isinstance(known, tuple)
        values[option.field] = (*known, taken)
    elif option.field in values:
        return False
    else:
        values[option.field] = taken
    return True
