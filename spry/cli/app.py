"""The whole command line in click: help, errors, completion, and every command that `quick` leaves to it."""

from __future__ import annotations

import sys
from typing import Any

import click

from spry import __version__
from spry.cli import options, queue_words
from spry.cli.options import Option, Request, is_runbook
from spry.core.text import closest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

ABOUT = """Runbooks in Markdown that run.

Without a command, the tasks of the nearest runbook are listed.

\b
  spry                          list the tasks
  spry task deploy              run deploy and everything it needs
  spry task deploy --dry-run    show what would run, with every script
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
    metavar = None if option.choices else option.metavar
    return click.option(*spellings, option.field, metavar=metavar, multiple=option.many, type=kind, help=option.help)


def _command(
    name: str,
    table: Sequence[Option],
    text: str,
    *,
    argument: str = "NAME",
    required: bool = False,
    within: click.Group = commands,
) -> None:
    """Make a command from the option table; its arguments are names, and files where they end in .md.

    One within a group has two words in its name: that of the group and its own.
    """

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
    for option in reversed(table):
        command = _option(option)(command)
    kind = click.Path() if argument == "PATH" else TaskName()
    command = click.argument("arguments", nargs=-1, required=required, metavar=f"[{argument}]...", type=kind)(command)
    within.command(name.rpartition(" ")[2], help=text)(command)


_command(
    "task",
    options.RUNNING,
    """Run tasks, and everything they depend on.

    \b
      spry task deploy
      spry task build test docs/release.md -j 4
      spry task deploy --param region=eu -- --verbose
    """,
    argument="NAME|FILE.md",
    required=True,
)
_command(
    "runbook",
    options.RUNNING + options.NARROWING,
    """Run every task of the default graph, or those you narrow it to.

    \b
      spry runbook docs/release.md
      spry runbook --graph nightly --skip slow-report
    """,
    argument="FILE.md",
)
_command(
    "run",
    options.RUNNING + options.NARROWING,
    """Run tasks by name; without a name, the whole runbook.

    \b
      spry run
      spry run build test
    """,
    argument="NAME|FILE.md",
)
_command(
    "ls",
    options.LISTING,
    """List the tasks: name, description, dependencies, graph, place.

    \b
      spry ls docs/release.md --json
    """,
    argument="FILE.md",
)
_command(
    "show",
    options.PLACES,
    """Show everything that is known of a task, and its exact script.

    \b
      spry show deploy
    """,
    required=True,
)
_command(
    "check",
    (
        *options.PLACES,
        Option(
            "format", "--format", "", "FORMAT", choices=("text", "json", "github", "sarif"), help="Form of the report."
        ),
    ),
    """Check runbooks and run nothing: files, folders (searched for Markdown), or globs.

    \b
      spry check
      spry check docs/ --format github
    """,
    argument="PATH",
)
_command(
    "dag",
    (
        *options.PLACES,
        *options.NARROWING,
        Option(
            "format",
            "--format",
            "",
            "FORMAT",
            choices=("ascii", "mermaid", "dot", "json", "svg"),
            help="Kind of picture.",
        ),
    ),
    """Draw the graph of tasks.

    \b
      spry dag deploy
      spry dag --format svg > graph.svg
    """,
    argument="NAME|FILE.md",
)


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
      spry exec --function tools.report:build --arg 2026 --kw fast=yes
    """
    command = click.argument("words", nargs=-1, metavar="[CMD [ARGS]...]", type=click.UNPROCESSED)(command)
    commands.command("exec", help=text, context_settings={"allow_interspersed_args": False})(command)


_one()
_command(
    "init",
    (options.CHDIR, options.NO_COLOR, *options.AUTOSTART),
    """Make the current folder a project: history and saved specs of all below it are kept in its .spry folder.

    \b
      spry init
    """,
    argument="",
)
_command(
    "spec",
    (options.CHDIR, options.CONTEXT, options.NO_COLOR, options.JSON, options.KIND, options.REPLACE),
    """Look after saved specs: create NAME [FILE], list, show NAME, validate NAME|PATH..., delete NAME, generate [NAME].

    \b
      spry spec generate nightly > nightly.json
      spry spec create nightly nightly.json
      spry exec --spec nightly
    """,
    argument="ACTION|NAME|PATH",
    required=True,
)
_command(
    "runs",
    (*options.REMEMBERED, options.STATE, options.STATS),
    """List the runs that are remembered, the latest first.

    \b
      spry runs
      spry runs --status lost --json
      spry runs --stats
    """,
    argument="FILE.md",
)
_command(
    "status",
    (*options.REMEMBERED, options.WATCH, options.PROCESS),
    """Show how the whole stands, or one run with its tasks; the end of an id is enough.

    \b
      spry status
      spry status 48213 --watch
    """,
    argument="ID",
)
_command(
    "logs",
    (*options.REMEMBERED, options.FOLLOW, options.RAW),
    """Print what the tasks of a run wrote, or one of them.

    \b
      spry logs 48213
      spry logs 48213/build --follow
    """,
    argument="ID[/TASK]",
    required=True,
)
_command(
    "result",
    (*options.REMEMBERED, options.WAIT, options.STREAM, options.ALL, options.PEEK),
    """Print what came of a run, or of one of its tasks: its status, exit code and output.

    \b
      spry result 48213 --json
      spry result 48213/build --timeout 5m
      spry result --all --json
    """,
    argument="ID[/TASK]",
)
_command(
    "manager",
    (options.CHDIR, options.CONTEXT, options.NO_COLOR, options.JSON),
    """Look after the process that starts what starts by itself in a project: status, start, stop, or run it here.

    \b
      spry manager status
      spry manager stop
    """,
    argument="status|start|stop|run",
    required=True,
)
_command(
    "stop",
    (*options.REMEMBERED, options.WAIT),
    """End runs as Ctrl-C does, and wait until they are over: tasks are asked politely, clean-up tasks run.

    \b
      spry stop 48213
      spry stop 48213 --timeout 1m
    """,
    argument="ID",
    required=True,
)
_command(
    "kill",
    options.REMEMBERED,
    """End runs at once: tasks are killed, no clean-up task starts.

    \b
      spry kill 48213
    """,
    argument="ID",
    required=True,
)
_command(
    "ping",
    options.REMEMBERED,
    """Ask whether the process of a run is alive; exit code 1 if it is not.

    \b
      spry ping 48213
    """,
    argument="ID",
    required=True,
)
_command(
    "resume",
    options.RESUMING,
    """Run again what did not succeed, and what depends on it: of the last such run, or of the one you name.

    \b
      spry resume
      spry resume 48213 --from-start
    """,
    argument="ID",
)
_command(
    "artifacts",
    options.LISTING,
    """List, show or copy the files that the tasks of a run saved: of the latest run that has any, or of the one you
    name.

    \b
      spry artifacts ls
      spry artifacts show 48213/build
      spry artifacts export 48213/build dist
    """,
    argument="ls|show|export",
    required=True,
)
_command(
    "system",
    (*options.REMEMBERED, options.KEEP, options.TO, options.SOURCE),
    """Look after what is remembered: `tidy` forgets old runs, except those that can still be resumed; `dump` writes all
    runs and saved specs to a file, and `load` brings them in, with their ids.

    \b
      spry system tidy --keep 7d
      spry system dump -o backup.jsonl
      spry system load -i backup.jsonl
    """,
    argument="tidy|dump|load",
    required=True,
)

queue_words.add(commands, _option)


@commands.group(
    "workspace",
    help="""One task over many repositories.

    They are the folders next to the current one that have .git and pyproject.toml, or the members that
    .spry/config.toml lists.
    """,
    context_settings=SETTINGS,
)
def _workspace() -> None:
    pass


_command(
    "workspace run",
    options.OVER_MANY,
    """Run a task in every repository that has it: one after the other, or in parallel.

    \b
      spry workspace run test
      spry workspace run lint --repos 'pkg-{a,b}' --fail-fast
      spry workspace run build --parallel -j 8 -- --release
    """,
    argument="TASK",
    required=True,
    within=_workspace,
)
_command(
    "workspace status",
    (*options.LISTING[1:], options.REPOS),
    """List the repositories of the workspace: runbook, tasks, and what the tasks run in.

    \b
      spry workspace status --json
    """,
    argument="",
    within=_workspace,
)
_command(
    "workspace dag",
    (
        *options.PLACES[1:],
        options.REPOS,
        Option(
            "format",
            "--format",
            "",
            "FORMAT",
            choices=("ascii", "mermaid", "dot", "json", "svg"),
            help="Kind of picture.",
        ),
    ),
    """Draw the tasks of all repositories as one graph, or one task and what it needs.

    \b
      spry workspace dag
      spry workspace dag release --format svg > graph.svg
    """,
    argument="TASK",
    within=_workspace,
)


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
