"""Finally tasks: the tests fail, clean-up still runs, a report is written, and an optional task fails in sight.

    python examples/finally_tasks.py [FOLDER]

The same as a runbook: runbooks/finally.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from spry import Task, TaskContext, TaskExecutor, TaskGraph, TaskType


def write_report(context: TaskContext) -> str:
    """Write down how everything that came before has ended."""
    lines = [f"{task.title}: {task.status.value}" for task in context.upstream.values()]
    report = Path(context.payload)
    report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return report.read_text(encoding="utf-8")


def recommend(_: TaskContext) -> str:
    """Say what to do next, if only somebody were there."""
    raise RuntimeError("nobody is here to recommend anything")


def main(folder: Path) -> bool:
    """Run it in a folder; whether all that is required has succeeded, which it has not."""
    build = Task.bash("mkdir build && echo built", title="Build", cwd=str(folder))
    test = Task.bash("echo '1 of 12 tests failed' >&2; exit 1", title="Test", cwd=str(folder))
    publish = Task.bash("echo published", title="Publish", cwd=str(folder))
    cleanup = Task.bash("rm -r build && echo cleaned up", title="Clean up", cwd=str(folder))
    report = Task.prompt(str(folder / "report.txt"), title="Report")
    advice = Task.agent("What should we do next?", title="Recommend")

    graph = TaskGraph(title="finally")
    graph.add(build)
    graph.add(test, after=[build])
    graph.add(publish, after=[test])
    graph.add(cleanup, after=[publish], finally_=True)
    graph.add(report, after=[build, test, publish, cleanup], finally_=True)
    graph.add(advice, after=[report], finally_=True, required=False)

    executor = TaskExecutor()
    executor.register(TaskType.PROMPT, write_report)
    executor.register(TaskType.AGENT, recommend)
    graph.run(executor)

    for task in graph:
        mark = " (optional)" if graph.is_optional(task) else ""
        print(f"{task.title}: {task.status.value}{mark}{f' - {task.error.strip()}' if task.error else ''}")
    print(f"ok: {graph.ok}, because of {[task.title for task in graph.required_failed]}")
    return graph.ok


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
