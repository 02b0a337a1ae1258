"""Events, tasks and screens in memory for the tests of this folder."""

from io import BytesIO
from typing import NamedTuple

from spry.core.events import (
    Outcome,
    Reason,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskOutput,
    TaskRetrying,
    TaskStarted,
)
from spry.core.model import Graph, Parameter, Plan, Runbook, Settings, Step, Task
from spry.view.plain import output
from spry.view.screen import Screen

RUN = "r1"
TERMINAL = {"TERM": "xterm"}


class Terminal(BytesIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


class Shown(NamedTuple):
    """What a way of showing a run made of some events."""

    stdout: str
    stderr: str


def started(*tasks, jobs=4, at=0.0):
    return RunStarted(at, RUN, tasks, jobs)


def begun(task, attempt=1, at=0.0):
    return TaskStarted(at, RUN, task, attempt)


def said(task, data, stream="stdout", attempt=1, at=0.0):
    return TaskOutput(at, RUN, task, attempt, stream, data if isinstance(data, bytes) else data.encode())


def succeeded(task, duration=1.2, attempt=1, reason=None):
    return TaskFinished(0.0, RUN, task, attempt, Outcome.SUCCEEDED, reason, 0, None, duration)


def failed(task, code=1, *, reason=Reason.EXIT_CODE, signal=None, duration=0.3, message="", optional=False, attempt=1):
    return TaskFinished(
        0.0, RUN, task, attempt, Outcome.FAILED, reason, code, signal, duration, message, optional=optional
    )


def ended(task, outcome, reason=None, message=""):
    return TaskFinished(0.0, RUN, task, 0, outcome, reason, None, None, 0.0, message)


def retrying(task, attempt=1, attempts=3, delay=1.0, code=1):
    return TaskRetrying(0.0, RUN, task, attempt, attempts, delay, Reason.EXIT_CODE, code, None, "")


def over(duration=3.4, *, ok=True, **counts):
    return RunFinished(0.0, RUN, ok, counts, duration, 0 if ok else 1)


def plan(*tasks, **deps):
    """Steps of these tasks (names or tasks), one layer each."""
    made = [task if isinstance(task, Task) else Task(task, "bash", "true\n") for task in tasks]
    return Plan({task.name: Step(task, deps.get(task.name, ()), layer) for layer, task in enumerate(made)})


def show(mode, *events, of=None, verbose=False, environ=None, streams=None):
    """Everything that a mode writes for these events, by stream."""
    stdout, stderr = streams or (BytesIO(), BytesIO())
    screen = Screen(stdout, stderr, environ=environ or {})
    listener = output(mode, screen, of, verbose=verbose)
    for event in events:
        listener(event)
    listener.close()
    screen.close()
    return Shown(*(stream.getvalue().decode("utf-8", "surrogateescape") for stream in (stdout, stderr)))


def together(mode, *events, **options):
    """As `show`, with both streams in one place, as on a terminal or behind `2>&1`."""
    both = options.pop("stream", None) or BytesIO()
    return show(mode, *events, streams=(both, both), **options).stdout


def sample_graph():
    """A runbook with something of everything that listings show."""
    tasks = (
        Task("install-deps", "bash", "npm ci\n", "docs/deploy.md", "/w/docs", 12, 9, 13, descr="Install dependencies"),
        Task(
            "build-app",
            "bash",
            'npm run build -- --mode "$MODE"\n\n\techo done\n',
            "docs/deploy.md",
            "/w/docs",
            18,
            9,
            19,
            deps=("install-deps",),
            descr="Compile the application and everything that it needs into dist/",
            timeout=300.0,
            attempts=3,
            backoff=1.0,
            backoff_factor=2.0,
            env=(("NODE_ENV", "production"), ("TOKEN", "hunter2")),
            limits=(("memory", 512.0), ("cpu", 75.0)),
            captures=("VERSION", "./out/log.txt"),
            params=(
                Parameter("mode", "choice", "fast", ("fast", "full")),
                Parameter("api-key", "secret", "s3cret"),
                Parameter("region"),
            ),
            saves=("dist/**:app",),
            silent=True,
            origins=(("timeout", "DEFAULTS, line 4"), ("retry", "line 18"), ("env", "line 18")),
        ),
        Task("设置-db", "sql", "select 1;\n", "docs/deploy.md", "/w/docs", 30, 9, 31, descr="数据库", graphs=("db",)),
        Task("all", "bash", "", "ops/more.md", "/w/ops", 5, 9, 6, deps=("build-app", "设置-db")),
        Task("cleanup", "bash", "rm -rf tmp\n", "ops/more.md", "/w/ops", 9, 9, 10, deps=("all",), is_finally=True),
    )
    settings = {
        "docs/deploy.md": Settings(title="Deployment", description="Ships the shop.", secrets=("TOKEN",)),
        "ops/more.md": Settings(),
    }
    names = {task.name: task for task in tasks}
    deps = {task.name: task.deps for task in tasks} | {"cleanup": ("all", "install-deps")}
    return Graph(Runbook(names, settings), tuple(names), deps, {("install-deps", "cleanup"): "injected"})
