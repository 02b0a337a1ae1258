"""The options of the commands: one table, read by click for help and errors and by `quick` for speed."""

from __future__ import annotations

from spry.errors import UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Option(NamedTuple):
    """One option: `field` of `Request`, spellings, and the word for its value (none for a switch)."""

    field: str
    long: str
    short: str = ""
    metavar: str = ""
    many: bool = False
    choices: tuple[str, ...] = ()
    help: str = ""


class Request(NamedTuple):
    """What a command line asks for, whoever read it. `words` stand after `--`."""

    command: str
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    words: tuple[str, ...] | None = None
    chdir: str | None = None
    dry_run: bool = False
    show_dag: bool = False
    verbose: bool = False
    quiet: bool = False
    jobs: str | None = None
    fail_fast: bool = False
    timeout: str | None = None
    env: tuple[str, ...] = ()
    param: tuple[str, ...] = ()
    yes: bool = False
    force: bool = False
    output: str | None = None
    json: bool = False
    no_color: bool = False
    graph: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    from_: str | None = None
    until: str | None = None
    format: str | None = None
    no_history: bool = False
    from_start: bool = False
    watch: bool = False
    follow: bool = False
    raw: bool = False
    state: str | None = None
    keep: str | None = None
    stats: bool = False
    stream: bool = False
    all: bool = False
    peek: bool = False
    report: tuple[str, ...] = ()
    since: str | None = None
    pattern: str | None = None
    target: str | None = None
    drain: bool = False
    repos: tuple[str, ...] = ()
    parallel: bool = False
    context: str | None = None
    memory: str | None = None
    cpu: str | None = None
    interactive: bool = False
    name: str | None = None
    spec: str | None = None
    pipeline: str | None = None
    function: str | None = None
    arg: tuple[str, ...] = ()
    kw: tuple[str, ...] = ()
    no_stream: bool = False
    wait: bool = False
    autostart: bool = False
    no_autostart: bool = False
    replace: bool = False
    kind: str | None = None
    to: str | None = None
    source: str | None = None
    process: bool = False
    detach: bool = False
    no_wait: bool = False
    begun: Callable[[str, str], None] | None = None
    autostarted: str = ""


MODES = ("auto", "live", "group", "prefix", "raw", "quiet")

FILE = Option("files", "--file", "-f", "FILE", many=True, help="A runbook: a file, a folder, a glob, or - for stdin.")
CHDIR = Option("chdir", "--chdir", "-C", "DIR", help="Go to this folder first.")
NO_COLOR = Option("no_color", "--no-color", help="No colours, whatever the terminal can do.")
JSON = Option("json", "--json", help="Print JSON instead of text.")
CONTEXT = Option("context", "--context", "", "DIR", help="The project of this folder, instead of the nearest one.")
DETACH = Option("detach", "--detach", help="Run it in the background: print the id of the run, and do not wait.")
PLACES = (FILE, CHDIR, NO_COLOR)

REPORT = Option(
    "report", "--report", "", "FORMAT=FILE", many=True, help="Write a report: junit, json, markdown, tap, html."
)
RUNNING = (
    *PLACES,
    Option("dry_run", "--dry-run", "-n", help="Show the whole plan with every script; run and write nothing."),
    Option("show_dag", "--show-dag", help="Draw the selected tasks and run nothing."),
    Option("verbose", "--verbose", "-v", help="Show order, dependencies, timings and full error details."),
    Option("quiet", "--quiet", "-q", help="Show failures only; the same as --output quiet."),
    Option("jobs", "--jobs", "-j", "N", help="Run up to N tasks at once (default: the cores this process may use)."),
    Option("fail_fast", "--fail-fast", help="After the first failure start nothing new and stop what runs."),
    Option("timeout", "--timeout", "", "DUR", help="End the whole run after this time: 90, 30s, 5m, 1h30m."),
    Option("env", "--env", "", "K=V", many=True, help="Set an environment variable for every task."),
    Option("param", "--param", "", "K=V", many=True, help="Give a parameter that a task declares with --arg."),
    Option("yes", "--yes", "-y", help="Answer every question with yes, also whether to trust a runbook."),
    Option("force", "--force", help="Run every selected task, also those that are up to date."),
    Option("output", "--output", "", "MODE", choices=MODES, help="How to show output: " + ", ".join(MODES) + "."),
    Option("json", "--json", help="Print events as JSON, one a line (with --dry-run: the plan)."),
    REPORT,
    Option("no_history", "--no-history", help="Do not write this run down; it cannot be resumed."),
    CONTEXT,
    DETACH,
    Option("skip", "--skip", "", "TASK", many=True, help="Leave this task out; it counts as done."),
    Option("from_", "--from", "", "TASK", help="Start at this task: it, its dependents and what those need."),
    Option("until", "--until", "", "TASK", help="Stop at this task: it and its dependencies."),
)
NARROWING = (
    Option("graph", "--graph", "-G", "NAME", many=True, help="Run the tasks of this graph instead of the default one."),
    Option("tag", "--tag", "", "NAME", many=True, help="Run the tasks with this tag."),
)
LISTING = (*PLACES, JSON)
REMEMBERED = (*LISTING, CONTEXT)
CONTROLLING = (*PLACES, CONTEXT)
NOT_RESUMED = {"files", "detach", "force", "show_dag", "skip", "from_", "until", "no_history"}
RESUMING = (
    FILE,
    *(option for option in RUNNING if option.field not in NOT_RESUMED),
    Option("from_start", "--from-start", help="Run everything again, also what succeeded."),
)
REPOS = Option("repos", "--repos", "", "GLOB", many=True, help="Only repositories with such a name: 'pkg-{a,b}'.")
ONE_BY_ONE = {"context", "detach", "files", "show_dag", "skip", "from_", "until"}
OVER_MANY = (
    REPOS,
    Option("parallel", "--parallel", help="All repositories at once, up to --jobs tasks in all."),
    *(option for option in RUNNING if option.field not in ONE_BY_ONE),
)
STATES = ("running", "finished", "completed", "failed", "timeout", "cancelled", "lost")
STATE = Option(
    "state", "--status", choices=STATES, metavar="STATE", help=f"Only runs in this state: {', '.join(STATES)}."
)
STATS = Option("stats", "--stats", help="How often each task ran, how it ended, and how long it took.")
STREAM = Option("stream", "--stream", help="Print the output as it comes, until the run is over.")
ALL = Option("all", "--all", help="Of all runs that are over and whose results were not collected before.")
PEEK = Option("peek", "--peek", help="With --all: do not count them as collected.")
KIND = Option(
    "kind", "--type", choices=("task", "pipeline"), metavar="TYPE", help="Of what: task (the default) or pipeline."
)
REPLACE = Option("replace", "--replace", help="Write over a spec of that name.")
WATCH = Option("watch", "--watch", help="Look again whenever something has changed, until the run is over.")
FOLLOW = Option("follow", "--follow", help="Go on until the run is over.")
RAW = Option("raw", "--raw", help="Pass the bytes untouched, also to a terminal.")
TO = Option("to", "--output", "-o", "FILE", help="The file that dump writes, only for you; - is stdout.")
SOURCE = Option("source", "--input", "-i", "FILE", help="The file that load reads; - is stdin.")
PROCESS = Option("process", "--process", help="Show the process of the run, too.")
WAIT = Option("timeout", "--timeout", "", "DUR", help="Wait this long for the run to end.")
ANSWER = Option("timeout", "--timeout", "", "DUR", help="Wait this long for an answer (default: 5s).")
KEEP = Option("keep", "--keep", "", "DUR", help="Keep the runs of this time (default: 30d).")
SINCE = Option("since", "--since", "", "TS", help="Only messages written after this: a timestamp, or a date.")
PATTERN = Option("pattern", "--pattern", "", "GLOB", help="Only queues whose names match.")
EVERY = Option("all", "--all", help="All messages instead of one.")
OF_ALL = Option("all", "--all", help="Also the queues of runs that are over, as with --pattern.")
LEAVE = Option("peek", "--peek", help="Leave the messages where they are.")
TARGET = Option("target", "--target", "", "QUEUE", help="Only the aliases of this queue.")
DRAIN = Option("drain", "--drain", help="Stop once the inbox is empty.")
NOT_WORKED = {
    "context",
    "dry_run",
    "force",
    "report",
    "show_dag",
    "fail_fast",
    "timeout",
    "skip",
    "from_",
    "until",
    "json",
}
WORKING = (*(option for option in RUNNING if option.field not in NOT_WORKED), DRAIN)

AUTOSTART = (
    Option("autostart", "--autostart", help="With what starts by itself (the default)."),
    Option("no_autostart", "--no-autostart", help="Without what starts by itself."),
)
ONE = (
    CHDIR,
    CONTEXT,
    NO_COLOR,
    Option("timeout", "--timeout", "", "DUR", help="End it after this time: 90, 30s, 5m, 1h30m."),
    Option("memory", "--memory", "", "MB", help="End it when its processes use more memory: 512 (megabytes), 2G."),
    Option("cpu", "--cpu", "", "PERCENT", help="End it when its processes use more of a processor for a while."),
    Option("env", "--env", "", "K=V", many=True, help="Set an environment variable for it."),
    Option("interactive", "--interactive", help="Give it the terminal."),
    Option("name", "--name", "", "NAME", help="The name of the task in the history (default: that of the program)."),
    Option("tag", "--tag", "", "NAME", many=True, help="Note this tag with the run."),
    Option("spec", "--spec", "", "NAME|PATH", help="Run a saved spec, a spec in a file, or runbook.md#task."),
    Option("pipeline", "--pipeline", "", "NAME|PATH", help="Run the stages of a pipeline, or a runbook."),
    Option("function", "--function", "", "MODULE:FUNC", help="Call a Python function and print what it returns."),
    Option("arg", "--arg", "", "VALUE", many=True, help="A positional argument of the function, as text."),
    Option("kw", "--kw", "", "KEY=VALUE", many=True, help="A keyword argument of the function, as text."),
    Option("stream", "--stream", help="Show the output as it comes (the default)."),
    Option("no_stream", "--no-stream", help="Show the output once it is over."),
    Option("wait", "--wait", help="Wait until it is over (the default)."),
    Option("no_wait", "--no-wait", help="The same as --detach."),
    DETACH,
    *AUTOSTART,
    Option("json", "--json", help="Print events as JSON, one a line."),
    REPORT,
    Option("no_history", "--no-history", help="Do not write this run down."),
    Option("yes", "--yes", "-y", help="Answer every question with yes."),
)

# The commands that are run most, which `quick` reads without click.
QUICK: Mapping[str, tuple[Option, ...]] = {
    "exec": ONE,
    "task": RUNNING,
    "runbook": RUNNING + NARROWING,
    "run": RUNNING + NARROWING,
    "ls": LISTING,
    "tasks": LISTING,
}
ALIASES: Mapping[str, str] = {"tasks": "ls"}


# Of two such options one would be passed over.
EXCLUSIVE = (
    ("quiet", "output"),
    ("json", "output"),
    ("json", "show_dag"),
    ("json", "raw"),
    ("stream", "no_stream"),
    ("autostart", "no_autostart"),
)


def exclusive(request: Request) -> None:
    """Refuse options that exclude each other."""
    for one, other in EXCLUSIVE:
        if getattr(request, one) and getattr(request, other):
            names = f"--{one} and --{other}".replace("_", "-")
            raise UsageError(f"{names} exclude each other", "leave one of them out")


def only_for(request: Request, *owners: tuple[Option, str]) -> None:
    """Refuse options that are for another word of a command than the one that is given."""
    for option, word in owners:
        if getattr(request, option.field) and word != request.names[0]:
            message = f"{option.long} is for spry {request.command} {word}, not for {request.names[0]}"
            raise UsageError(message, "leave it out")


def is_runbook(word: str) -> bool:
    """Whether an argument is a file rather than a name."""
    return word.lower().endswith((".md", ".markdown"))


def names_in(lists: tuple[str, ...]) -> tuple[str, ...]:
    """The names in comma lists."""
    return tuple(name.strip() for names in lists for name in names.split(","))


def no_names(request: Request) -> None:
    """Refuse words that are no files where only files make sense; they would be passed over otherwise."""
    if request.names:
        word = request.names[0]
        hint = f"for a file or folder of that name: -f {word}; to run a task: spry task {word}"
        raise UsageError(f'spry {request.command} takes Markdown files, not "{word}"', hint)
