"""The words of `spry queue` in click."""

from __future__ import annotations

from typing import Any

import click

from spry.cli import options
from spry.cli.options import EVERY, JSON, PATTERN, PLACES, SINCE, Request, is_runbook
from spry.cli.words import Word, explained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.cli.options import Option


WORDS = (
    Word(
        "read", "QUEUE", (*PLACES, JSON, EVERY, SINCE), "Take messages out of a queue and print them.",
        ["spry queue read orders --all --json"],
    ),
    Word(
        "peek", "QUEUE", (*PLACES, JSON, EVERY, SINCE), "Print messages and leave them where they are.",
        ["spry queue peek orders --all"],
    ),
    Word(
        "watch", "QUEUE", (*PLACES, JSON, options.LEAVE, SINCE), "Print messages as they come, until stopped.",
        ["spry queue watch orders --peek"],
    ),
    Word(
        "write", "QUEUE MESSAGE", PLACES, "Put a message into a queue; `-` reads it from stdin.",
        ['spry queue write orders "three apples"', "git log -1 | spry queue write commits -"],
    ),
    Word(
        "move", "SOURCE TARGET", (*PLACES, EVERY), "Move the oldest message, or all, to another queue.",
        ["spry queue move orders.reserved orders --all"],
    ),
    Word(
        "requeue", "QUEUE", PLACES, "Move what failed or was cut short from QUEUE.reserved back to QUEUE.",
        ["spry queue requeue orders"],
    ),
    Word(
        "list", "", (*PLACES, JSON, PATTERN, options.OF_ALL),
        "List the queues in which messages wait, and those of the runs under way.",
        ["spry queue list --pattern 'order*'"],
    ),
    Word(
        "delete", "[QUEUE]", (*PLACES, EVERY), "Delete a queue with its messages; with --all, every queue.",
        ["spry queue delete orders"],
    ),
    Word(
        "broadcast", "MESSAGE", (*PLACES, PATTERN), "Put a message into every queue in which messages wait.",
        ["spry queue broadcast stop --pattern 'worker.*'"],
    ),
    Word(
        "work", "TASK", options.WORKING, "Run a task for each message of its inbox, until stopped.",
        ["spry queue work ship -j 4", "spry queue work ship docs/shop.md --drain"],
    ),
)  # fmt: skip
ALIAS_WORDS = (
    Word(
        "add", "ALIAS QUEUE", PLACES, "Let a queue be called by another name, too.",
        ["spry queue alias add in orders"],
    ),
    Word("remove", "ALIAS", PLACES, "Take such a name away.", ["spry queue alias remove in"]),
    Word(
        "list", "", (*PLACES, JSON, options.TARGET), "List these names.",
        ["spry queue alias list --target orders"],
    ),
)  # fmt: skip


@click.group(
    "queue",
    help="""Read, write and look after queues of messages, and work through them.

    \b
      spry queue write orders "three apples"
      spry queue read orders
      spry queue work ship -j 4
    """,
)
def queue() -> None:
    """See the help."""


@queue.group(
    "alias",
    help="""Give queues other names.

    \b
      spry queue alias add in orders
      spry queue alias list
    """,
)
def alias() -> None:
    """See the help."""


def add(commands: click.Group, made: Callable[[Option], Callable[[Any], Any]]) -> None:
    """Give the command line its `queue`; `made` turns an option of the table into click's."""
    for group, before, words in ((queue, (), WORDS), (alias, ("alias",), ALIAS_WORDS)):
        for word in words:
            command: Any = _body((*before, word.name), word)
            for option in reversed(word.options):
                command = made(option)(command)
            metavar = f"{word.arguments} [FILE.md]..." if word.name == "work" else word.arguments
            command = click.argument("arguments", nargs=-1, metavar=metavar)(command)
            group.command(word.name, help=explained(word))(command)
    commands.add_command(queue)


def _body(action: tuple[str, ...], word: Word) -> Callable[..., Request]:
    """What makes a request of a word; only `work` may name runbooks, all other arguments are taken as they are."""

    def body(arguments: tuple[str, ...], **values: Any) -> Request:
        ctx = click.get_current_context()
        if values["chdir"] is None:
            values["chdir"] = ctx.meta["spry.chdir"]
        given = ctx.meta["spry.files"] + (values.pop("files", None) or ())
        if action == ("work",):
            given += tuple(name for name in arguments if is_runbook(name))
            arguments = tuple(name for name in arguments if not is_runbook(name))
        else:
            arguments += ctx.obj or ()
        return Request("queue", (*action, *_counted(ctx, arguments, word.arguments)), given, ctx.obj, **values)

    return body


def _counted(ctx: click.Context, words: tuple[str, ...], wanted: str) -> tuple[str, ...]:
    """The arguments of a word, as many as it takes."""
    names = wanted.split()
    if len(words) > len(names):
        raise click.UsageError(f'Got an unexpected argument "{words[len(names)]}"; quote what has blanks.', ctx)
    if len(words) < len(names) and not names[len(words)].startswith("["):
        raise click.UsageError(f"Missing argument {names[len(words)]}.", ctx)
    return words
