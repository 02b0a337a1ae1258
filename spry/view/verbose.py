"""What --verbose adds: the order with every dependency as it was resolved, details of a failure, a table of times."""

from __future__ import annotations

from spry.core.text import exact_duration, format_duration, plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spry.core.events import RunStarted, TaskFinished
    from spry.core.model import Step
    from spry.view.screen import Span

Line = tuple["Span", ...]


def order(event: RunStarted, steps: Mapping[str, Step], kinds: Mapping[tuple[str, str], str]) -> Iterator[Line]:
    """The tasks of a run layer by layer, each with its dependencies and where an unwritten one comes from."""
    layers: dict[int, list[str]] = {}
    for name in event.tasks:
        layers.setdefault(steps[name].layer if name in steps else 0, []).append(name)
    widest = max((len(name) for name in event.tasks), default=0)
    yield (f"{plural(len(event.tasks), 'task')} in {plural(len(layers), 'layer')}, up to {event.jobs} at a time:",)
    for layer, names in sorted(layers.items()):
        for place, name in enumerate(names):
            number = f"{layer + 1:>4}  " if place == 0 else " " * 6
            deps = [_dependency(name, dep, kinds) for dep in (steps[name].deps if name in steps else ())]
            arrow = f"  ← {', '.join(deps)}" if deps else ""
            yield (number, ("name", name), " " * (widest - len(name)) if arrow else "", ("dim", arrow))


def failure(event: TaskFinished, steps: Mapping[str, Step]) -> Iterator[Line]:
    """Where a failed task stands and under which conditions it ran."""
    if event.task not in steps:
        return
    step = steps[event.task]
    task = step.task
    yield ("    at ", ("note", f"{task.path}:{task.line}:{task.column}"))
    facts = [f"attempt {event.attempt} of {task.attempts}"] if task.attempts > 1 else []
    facts += [f"timeout {exact_duration(task.timeout)}"] if task.timeout else []
    facts += [f"folder {task.cwd}"] if task.cwd else []
    facts += [f"interpreter {task.interpreter}"] if task.interpreter else []
    facts += [f"after {', '.join(step.deps)}"] if step.deps else []
    if facts:
        yield ("    ", " · ".join(facts))


def timings(times: Sequence[tuple[TaskFinished, float]]) -> Iterator[Line]:
    """When each task started and how long it took, in the order in which they ended."""
    if not times:
        return
    widest = max(len("task"), *(len(event.task) for event, _ in times))
    yield (("dim", f"{'task':<{widest}}  outcome       start      time  attempts"),)
    for event, start in times:
        ran = event.attempt > 0
        begun = format_duration(max(start, 0.0)) if ran else "-"
        took = format_duration(event.duration) if ran else "-"
        yield (f"{event.task:<{widest}}  {event.outcome:<10}{begun:>9}{took:>10}{event.attempt:>10}",)


def _dependency(name: str, dep: str, kinds: Mapping[tuple[str, str], str]) -> str:
    kind = kinds.get((dep, name))
    return f"{dep} ({kind})" if kind else dep
