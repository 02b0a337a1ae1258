"""The commands in words: their arguments and options, what they do, and examples."""

from __future__ import annotations

from spry.cli import options
from spry.cli.options import Option
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Word(NamedTuple):
    """One command: its name, arguments and options, what it does, and examples; whether it needs an argument."""

    name: str
    arguments: str
    options: Sequence[Option]
    text: str
    examples: Sequence[str]
    required: bool = False


def explained(word: Word) -> str:
    """The help of a command."""
    examples = "".join(f"  {example}\n" for example in word.examples)
    return f"{word.text}\n\n\b\n{examples}"


# What `spry --help` shows: the commands in the order in which people meet them.
SECTIONS = {
    "Run": {
        "run": "Run tasks by name; without a name, the whole runbook",
        "task": "Run tasks, and everything they depend on",
        "runbook": "Run every task of the default graph",
        "resume": "Finish a run: run again what did not succeed",
        "exec": "Run one command with a timeout, limits and a history",
    },
    "Look, and run nothing": {
        "ls": "List the tasks of a runbook",
        "show": "Show all that is known of a task, and its exact script",
        "check": "Find what is wrong with runbooks",
        "dag": "Draw the graph of tasks",
    },
    "Remember": {
        "runs": "List the runs that are remembered",
        "status": "Show how the whole stands, or one run",
        "logs": "Print what the tasks of a run wrote",
        "result": "Print what came of a run or a task",
        "artifacts": "List or copy the files that tasks saved",
        "system": "Forget old runs; dump all that is remembered, or load it",
    },
    "Runs under way": {
        "stop": "End runs as Ctrl-C does",
        "kill": "End runs at once",
        "ping": "Ask whether a run is alive",
        "manager": "Look after what starts by itself",
    },
    "More": {
        "workspace": "One task over many repositories",
        "queue": "Read and write messages, and work through them",
        "spec": "Look after saved commands and pipelines",
        "init": "Make the current folder a project",
        "progress": "Say how far a task is, from inside of it",
        "completion": "Print the script that completes commands and names",
    },
}
FORMAT = Option(
    "format",
    "--format",
    "",
    "FORMAT",
    choices=("ascii", "mermaid", "dot", "json", "svg"),
    help="Kind of picture: ascii, mermaid, dot, json or svg.",
)
CHECKED = Option(
    "format",
    "--format",
    "",
    "FORMAT",
    choices=("text", "json", "github", "sarif"),
    help="Form of the report: text, json, github or sarif.",
)

WORDS = (
    Word(
        "task",
        "NAME|FILE.md",
        options.RUNNING,
        "Run tasks, and everything they depend on.",
        [
            "spry task deploy",
            "spry task build test docs/release.md -j 4",
            "spry task deploy --param region=eu -- --verbose",
        ],
        required=True,
    ),
    Word(
        "runbook",
        "FILE.md",
        options.RUNNING + options.NARROWING,
        "Run every task of the default graph, or those you narrow it to.",
        ["spry runbook docs/release.md", "spry runbook --graph nightly --skip slow-report"],
    ),
    Word(
        "run",
        "NAME|FILE.md",
        options.RUNNING + options.NARROWING,
        "Run tasks by name; without a name, the whole runbook.",
        ["spry run", "spry run build test"],
    ),
    Word(
        "ls",
        "FILE.md",
        options.LISTING,
        "List the tasks: name, description, dependencies, graph, place.",
        ["spry ls docs/release.md --json"],
    ),
    Word(
        "show",
        "NAME",
        options.PLACES,
        "Show everything that is known of a task, and its exact script.",
        ["spry show deploy"],
        required=True,
    ),
    Word(
        "check",
        "PATH",
        (*options.PLACES, CHECKED),
        "Check runbooks and run nothing: files, folders (searched for Markdown), or globs.",
        ["spry check", "spry check docs/ --format github"],
    ),
    Word(
        "dag",
        "NAME|FILE.md",
        (*options.PLACES, *options.NARROWING, FORMAT),
        "Draw the graph of tasks.",
        ["spry dag deploy", "spry dag --format svg > graph.svg"],
    ),
    Word(
        "init",
        "",
        (options.CHDIR, options.NO_COLOR, *options.AUTOSTART),
        "Make the current folder a project: history and saved specs of all below it are kept in its .spry folder.",
        ["spry init"],
    ),
    Word(
        "spec",
        "ACTION|NAME|PATH",
        (options.CHDIR, options.CONTEXT, options.NO_COLOR, options.JSON, options.KIND, options.REPLACE),
        "Look after saved specs: create NAME [FILE], list, show NAME, validate NAME|PATH, delete NAME, generate.",
        [
            "spry spec generate nightly > nightly.json",
            "spry spec create nightly nightly.json",
            "spry exec --spec nightly",
        ],
        required=True,
    ),
    Word(
        "runs",
        "FILE.md",
        (*options.REMEMBERED, options.STATE, options.STATS),
        "List the runs that are remembered, the latest first.",
        ["spry runs", "spry runs --status lost --json", "spry runs --stats"],
    ),
    Word(
        "status",
        "ID",
        (*options.REMEMBERED, options.WATCH, options.PROCESS),
        "Show how the whole stands, or one run with its tasks; the end of an id is enough.",
        ["spry status", "spry status 48213 --watch"],
    ),
    Word(
        "logs",
        "ID[/TASK]",
        (*options.REMEMBERED, options.FOLLOW, options.RAW),
        "Print what the tasks of a run wrote, or one of them.",
        ["spry logs 48213", "spry logs 48213/build --follow"],
        required=True,
    ),
    Word(
        "result",
        "ID[/TASK]",
        (*options.REMEMBERED, options.WAIT, options.STREAM, options.ALL, options.PEEK),
        "Print what came of a run, or of one of its tasks: its status, exit code and output.",
        ["spry result 48213 --json", "spry result 48213/build --timeout 5m", "spry result --all --json"],
    ),
    Word(
        "manager",
        "status|start|stop|run",
        (options.CHDIR, options.CONTEXT, options.NO_COLOR, options.JSON),
        "Look after the process that starts what starts by itself in a project: status, start, stop, or run it here.",
        ["spry manager status", "spry manager stop"],
        required=True,
    ),
    Word(
        "stop",
        "ID",
        (*options.CONTROLLING, options.WAIT),
        "End runs as Ctrl-C does, and wait until they are over: tasks are asked politely, clean-up tasks run.",
        ["spry stop 48213", "spry stop 48213 --timeout 1m"],
        required=True,
    ),
    Word(
        "kill",
        "ID",
        options.CONTROLLING,
        "End runs at once: tasks are killed, no clean-up task starts.",
        ["spry kill 48213"],
        required=True,
    ),
    Word(
        "ping",
        "ID",
        (*options.CONTROLLING, options.ANSWER),
        "Ask runs whether they are there; exit code 1 if one is over, 124 if one does not answer.",
        ["spry ping 48213"],
        required=True,
    ),
    Word(
        "resume",
        "ID",
        options.RESUMING,
        "Run again what did not succeed, and what depends on it: of the last such run, or of the one you name.",
        ["spry resume", "spry resume 48213 --from-start"],
    ),
    Word(
        "artifacts",
        "ls|show|export",
        options.LISTING,
        "List, show or copy the files that tasks saved: of the latest run that has any, or of one you name.",
        ["spry artifacts ls", "spry artifacts show 48213/build", "spry artifacts export 48213/build dist"],
        required=True,
    ),
    Word(
        "system",
        "tidy|dump|load",
        (*options.REMEMBERED, options.KEEP, options.TO, options.SOURCE),
        "Look after what is remembered: `tidy` forgets old runs, except those that can still be resumed; `dump` writes "
        "all runs and saved specs to a file, and `load` brings them in, with their ids.",
        ["spry system tidy --keep 7d", "spry system dump -o backup.jsonl", "spry system load -i backup.jsonl"],
        required=True,
    ),
)
WORKSPACE_WORDS = (
    Word(
        "workspace run",
        "TASK",
        options.OVER_MANY,
        "Run a task in every repository that has it: one after the other, or in parallel.",
        [
            "spry workspace run test",
            "spry workspace run lint --repos 'pkg-{a,b}' --fail-fast",
            "spry workspace run build --parallel -j 8 -- --release",
        ],
        required=True,
    ),
    Word(
        "workspace status",
        "",
        (*options.LISTING[1:], options.REPOS),
        "List the repositories of the workspace: runbook, tasks, and what the tasks run in.",
        ["spry workspace status --json"],
    ),
    Word(
        "workspace dag",
        "TASK",
        (*options.PLACES[1:], options.REPOS, FORMAT),
        "Draw the tasks of all repositories as one graph, or one task and what it needs.",
        ["spry workspace dag", "spry workspace dag release --format svg > graph.svg"],
    ),
)
