"""What the runner of GitHub Actions reads on our streams: groups, annotations, and output that is no command to it.

The runner obeys every line that looks like `::command::`. What tasks write is not meant for it, so that it stands
between `::stop-commands::TOKEN` and `::TOKEN::`, on its own stream, with a token that no task can know.
"""

from __future__ import annotations

import os

from spry.core.events import Outcome, TaskFinished
from spry.view.outcomes import outcome
from spry.view.screen import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from spry.core.events import Event
    from spry.core.model import Plan, Task
    from spry.view.screen import Screen


class Runner:
    """Speaks to the runner on a screen, and keeps it from listening to tasks."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._tokens: dict[str, str] = {}
        self._group = ""

    def stop(self, stream: str) -> None:
        """What follows on this stream is none of the runner's business."""
        if self._screen.is_one:
            stream = "stderr"
        if stream not in self._tokens:
            token = self._tokens[stream] = os.urandom(16).hex()
            self._write(stream, f"::stop-commands::{token}")

    def said(self, words: str) -> None:
        """Before a line of ours, which may quote a task."""
        if "##[" in words or words.lstrip().startswith("::"):
            self.stop("stderr")
        else:
            self._resume()

    def open(self, task: str) -> None:
        """The output of this task follows; in the runner's log it can be folded."""
        if task != self._group:
            self.close()
            self._group = task
            self._write("stderr", f"::group::{escaped(task)}")

    def close(self) -> None:
        """No more output of tasks for now."""
        self._resume()
        if self._group:
            self._group = ""
            self._write("stderr", "::endgroup::")

    def annotate(self, kind: str, message: str, properties: Mapping[str, object]) -> None:
        """A remark beside a line of a file: `error`, `warning` or `notice`."""
        self.close()
        self._write("stderr", annotation(kind, message, properties))
        self._screen.flush()

    def _resume(self) -> None:
        for stream in list(self._tokens):
            self._write(stream, f"::{self._tokens.pop(stream)}::")

    def _write(self, stream: str, command: str) -> None:
        self._screen.begin(stream)
        self._screen.show(command + "\n", stream)


class Annotations:
    """A listener that puts each failure beside its task, in the file as the repository has it."""

    def __init__(self, runner: Runner, plan: Plan, workspace: str) -> None:
        self._runner, self._plan, self._workspace = runner, plan, workspace

    def __call__(self, event: Event) -> None:
        """Take the next event of the run."""
        if isinstance(event, TaskFinished) and event.outcome is Outcome.FAILED:
            task = self._plan.steps[event.task].task
            words = plain(*outcome(event, self._plan.steps))
            place = {"file": self._file(task), "line": task.line, "col": task.column, "title": f"Task {event.task}"}
            self._runner.annotate("warning" if event.optional else "error", words, place)

    def _file(self, task: Task) -> str:
        path = os.path.join(task.folder, os.path.basename(task.path))
        if self._workspace and path.startswith(self._workspace.rstrip("/") + "/"):
            return os.path.relpath(path, self._workspace)
        return task.path


def annotation(kind: str, message: str, properties: Mapping[str, object]) -> str:
    """One workflow command."""
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{kind} {listed}::{escaped(message)}" if listed else f"::{kind}::{escaped(message)}"


def escaped(words: str) -> str:
    """The words of a command, on one line."""
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return escaped(words).replace(":", "%3A").replace(",", "%2C")
