"""The whole command line in click: help, errors, completion, and every command that `quick` leaves to it."""

from __future__ import annotations

import sys
from typing import Any

import click

from spry import __version__
from spry.cli import options, queue_words
from spry.cli.options import Option, Request, is_runbook
from spry.cli.words import SECTIONS, WORDS, WORKSPACE_WORDS, Word, explained
from spry.core.text import closest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

ABOUT = """Runbooks in Markdown that run.

Without a command, the tasks of the nearest runbook are listed.

\b
  spry                          list the tasks
  spry task deploy              deploy, and what it needs
  spry task deploy --dry-run    show it all, run nothing
  spry runbook docs/release.md  run all tasks of a runbook
"""
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def read(argv: Sequence[str]) -> int:
    """Read a command line with click and carry it out; the exit code."""
    try:
        asked = request(argv)
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return 130
    if not isinstance(asked, Request):
        return 0
    from spry.cli.commands import carry_out

    return carry_out(asked)


def request(argv: Sequence[str]) -> Request | None:
    """What a command line asks for, or None where click has answered already (`--help`, `completion`)."""
    words = None
    if "--" in argv and _name(argv) != "exec":
        at = list(argv).index("--")
        words, argv = tuple(argv[at + 1 :]), argv[:at]
    if argv and is_runbook(argv[0]):
        argv = ["ls", *argv]
    asked = commands.main(list(argv), prog_name="spry", standalone_mode=False, obj=words)
    return asked if isinstance(asked, Request) else None


def _name(argv: Sequence[str]) -> str:
    """The command that a line begins with, behind options that stand before it."""
    words = iter(argv)
    for word in words:
        if not word.startswith("-"):
            return word
        if word in ("-f", "--file", "-C", "--chdir"):
            next(words, None)
    return ""


class Commands(click.Group):
    """The commands by name, with the nearest one when the name is wrong; options alone mean `ls`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name or an alias."""
        return super().get_command(ctx, options.ALIASES.get(cmd_name, cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or an error that names the nearest one and how tasks are run."""
        if args and self.get_command(ctx, args[0]) is None:
            near = closest(args[0], self.commands)
            hint = f' Did you mean "{near}"?' if near else f" To run a task: spry task {args[0]}"
            raise click.UsageError(f'No such command "{args[0]}".{hint}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """The commands in sections, each with what it does in a few words."""
        for heading, words in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl(list(words.items()))


class TaskName(click.ParamType[str]):
    """A task's name, completed from the nearest runbook with descriptions."""

    name = "name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's
        """The tasks that begin like this."""
        from spry.cli.completion import names

        return names(ctx.params.get("files") or (), incomplete)


@click.group(cls=Commands, help=ABOUT, invoke_without_command=True, context_settings=SETTINGS)
@click.version_option(__version__, "-V", "--version", message="spry %(version)s")
@click.option("-f", "--file", "files", multiple=True, metavar="FILE", help=options.FILE.help)
@click.option("-C", "--chdir", metavar="DIR", help=options.CHDIR.help)
@click.pass_context
def commands(ctx: click.Context, files: tuple[str, ...], chdir: str | None) -> Request | None:
    """Without a command the tasks are listed; see ABOUT."""
    ctx.meta["spry.files"], ctx.meta["spry.chdir"] = files, chdir
    if ctx.invoked_subcommand is None:
        return Request("ls", files=files, chdir=chdir)
    return None


def _option(option: Option) -> Callable[[Any], Any]:
    spellings = [name for name in (option.short, option.long) if name]
    if not option.metavar:
        return click.option(*spellings, option.field, is_flag=True, help=option.help)
    kind = click.Choice(option.choices) if option.choices else None
    return click.option(
        *spellings, option.field, metavar=option.metavar, multiple=option.many, type=kind, help=option.help
    )


def _command(word: Word, within: click.Group) -> None:
    """Make a command of a word; its arguments are names, and files where they end in .md.

    One within a group has two words in its name: that of the group and its own.
    """
    name = word.name

    def body(arguments: tuple[str, ...], **values: Any) -> Request:
        ctx = click.get_current_context()
        outer: tuple[str, ...] = ctx.meta["spry.files"]
        if values["chdir"] is None:
            values["chdir"] = ctx.meta["spry.chdir"]
        names = arguments if name == "check" else tuple(word for word in arguments if not is_runbook(word))
        files = () if name == "check" else tuple(word for word in arguments if is_runbook(word))
        given = outer + (values.pop("files", None) or ())
        return Request(name, names, given + files, ctx.obj, **values)

    command: Any = body
    for option in reversed(word.options):
        command = _option(option)(command)
    kind = click.Path() if word.arguments == "PATH" else TaskName()
    metavar = f"[{word.arguments}]..." if word.arguments else ""
    command = click.argument("arguments", nargs=-1, required=word.required, metavar=metavar, type=kind)(command)
    within.command(name.rpartition(" ")[2], help=explained(word))(command)


def _one() -> None:
    """`spry exec`, whose options end where its command begins."""

    def body(words: tuple[str, ...], **values: Any) -> Request:
        meta = click.get_current_context().meta
        if meta["spry.files"]:
            raise click.UsageError("spry exec takes no runbook with -f; try --pipeline FILE.md")
        values["chdir"] = meta["spry.chdir"] if values["chdir"] is None else values["chdir"]
        return Request("exec", words=words or None, **values)

    command: Any = body
    for option in reversed(options.ONE):
        command = _option(option)(command)
    text = """Run one command, and pass its output and exit code on; what is piped in, it reads.

    \b
      spry exec make -j4
      spry exec --timeout 30 --memory 512 python report.py
      spry exec --spec nightly
      spry exec --function report:build --kw fast=yes
    """
    command = click.argument("words", nargs=-1, metavar="[CMD [ARGS]...]", type=click.UNPROCESSED)(command)
    commands.command("exec", help=text, context_settings={"allow_interspersed_args": False})(command)


for _word in WORDS:
    _command(_word, commands)
_one()

queue_words.add(commands, _option)


@commands.group(
    "workspace",
    help="""One task over many repositories.

    They are the folders next to the current one that have .git and pyproject.toml, or the members that
    .spry/config.toml lists.

    \b
      spry workspace status
      spry workspace run test
    """,
    context_settings=SETTINGS,
)
def _workspace() -> None:
    pass


for _word in WORKSPACE_WORDS:
    _command(_word, _workspace)


@commands.command(
    "progress",
    help="""Tell the run of a task how far the task is: a percentage, some words, or both.

    \b
      spry progress 25 "warming up"
    """,
)
@click.argument("words", nargs=-1, required=True, metavar="[PERCENT] [WORDS]...")
def _progress(words: tuple[str, ...]) -> None:
    from spry.cli.progress import report

    report(words)


@commands.command(
    "completion",
    help="""Print the script that completes commands, options and task names.

    \b
      eval "$(spry completion bash)"
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def _completion(shell: str) -> None:
    from spry.cli.completion import script

    sys.stdout.write(script(shell, commands))
