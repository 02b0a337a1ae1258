"""What a run would do: the plan with every command, folder, value and script, for people and for programs."""

from __future__ import annotations

from spry.core.text import plural
from spry.record import NamedTuple
from spry.view.columns import printable
from spry.view.facts import HIDDEN, facts
from spry.view.listing import labelled, script
from spry.view.screen import paint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spry.core.model import Task

SCRIPT = "<script>"
RESOLVED = frozenset({"folder", "environment", "parameters", "interpreter"})  # the preview knows what they come to


class Preview(NamedTuple):
    """What would become of one task.

    `argv` is the exact command, empty if no process would start; `env` are the variables that differ from the
    caller's; `params` the values given or defaulted; `missing` the parameters without a value; `notes` all else that
    is worth knowing (`up to date`, `restores dist/ of build`). `script` is the text that would run where it differs
    from the cell's.
    """

    task: Task
    layer: int
    deps: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    cwd: str = ""
    env: tuple[tuple[str, str], ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    script: str = ""


def text(previews: Sequence[Preview], *, skipped: Sequence[str] = (), columns: int = 0, colour: bool = False) -> str:
    """The plan layer by layer for people; `columns` 0 wraps nothing and leaves every byte of the scripts as it is."""
    layers = _layers(previews)
    lines = [f"{plural(len(previews), 'task')} in {plural(len(layers), 'layer')}; nothing is run."]
    lines += [f"Left out: {', '.join(skipped)}"] if skipped else []
    for number, layer in enumerate(layers, 1):
        lines += ["", paint(f"Layer {number}", "name", on=colour)]
        for preview in layer:
            lines += ["", *_task(preview, columns, on=colour)]
    lines += _missing(previews, on=colour)
    return "".join(f"{line}\n" for line in lines)


def plan(previews: Sequence[Preview], *, skipped: Sequence[str] = ()) -> dict[str, object]:
    """The plan for programs: `layers` of names, `tasks` in topological order, `missing` parameters."""
    return {
        "layers": [[preview.task.name for preview in layer] for layer in _layers(previews)],
        "tasks": [_record(preview) for preview in previews],
        "missing": [{"task": preview.task.name, "param": name} for preview in previews for name in preview.missing],
        "skipped": list(skipped),
    }


def as_json(previews: Sequence[Preview], *, skipped: Sequence[str] = ()) -> str:
    """`plan` as JSON text."""
    import json  # noqa: PLC0415 - only for programs

    return json.dumps(plan(previews, skipped=skipped), indent=2) + "\n"


def _layers(previews: Sequence[Preview]) -> list[list[Preview]]:
    layers: dict[int, list[Preview]] = {}
    for preview in previews:
        layers.setdefault(preview.layer, []).append(preview)
    return [layers[number] for number in sorted(layers)]


def _task(preview: Preview, columns: int, *, on: bool) -> Iterator[str]:
    task = preview.task
    descr = f" — {printable(task.descr)}" if task.descr else ""
    yield f"  {paint(task.name, 'name', on=on)}{descr}  {paint(f'{printable(task.path)}:{task.line}', 'dim', on=on)}"
    for label, values in (*_resolved(preview), *_declared(task), ("note", preview.notes)):
        yield from labelled(label, values, columns, indent="    ", colour=on)
    if task.body.strip():
        yield f"    {paint('script', 'dim', on=on)}"
        yield from script(preview.script or task.body, columns, indent="      ")


def _resolved(preview: Preview) -> Iterator[tuple[str, Sequence[str]]]:
    yield "after", preview.deps
    yield "command", (_command(preview),)
    yield "folder", (preview.cwd,) if preview.cwd else ()
    yield "environment", tuple(f"{name}={value}" for name, value in _env(preview).items())
    yield "parameters", tuple(f"{name}={value}" for name, value in _params(preview).items())
    yield "missing", preview.missing


def _declared(task: Task) -> Iterator[tuple[str, Sequence[str]]]:
    return ((fact.label, fact.values) for fact in facts(task) if fact.label not in RESOLVED)


def _command(preview: Preview) -> str:
    if not preview.argv:
        return "none: lends its variables" if preview.task.is_env else "none: groups its dependencies"
    from shlex import quote  # noqa: PLC0415 - only for a dry run

    bodies = {SCRIPT, preview.task.body, preview.script} - {""}
    return " ".join(SCRIPT if word in bodies or "\n" in word else quote(word) for word in preview.argv)


def _secrets(preview: Preview) -> set[str]:
    return {param.name for param in preview.task.params if param.type == "secret"}


def _params(preview: Preview) -> dict[str, str]:
    secrets = _secrets(preview)
    return {name: HIDDEN if name in secrets else value for name, value in preview.params}


def _env(preview: Preview) -> dict[str, str]:
    secrets = {param.variable for param in preview.task.params if param.name in _secrets(preview)}
    return {name: HIDDEN if name in secrets else value for name, value in preview.env}


def _missing(previews: Sequence[Preview], *, on: bool) -> list[str]:
    missing = [f"{name} ({preview.task.name})" for preview in previews for name in preview.missing]
    if not missing:
        return []
    label = paint(f"{plural(len(missing), 'parameter')} without a value:", "bad", on=on)
    return ["", f"{label} {', '.join(missing)}", "  hint: give --param NAME=VALUE"]


def _record(preview: Preview) -> dict[str, object]:
    task = preview.task
    return {
        "name": task.name,
        "descr": task.descr,
        "language": task.language,
        "file": task.path,
        "line": task.line,
        "layer": preview.layer,
        "deps": list(preview.deps),
        "argv": list(preview.argv),
        "cwd": preview.cwd,
        "env": _env(preview),
        "params": _params(preview),
        "missing": list(preview.missing),
        "notes": list(preview.notes),
        "script": preview.script or task.body,
        **{name: getattr(task, name) for name in PLAIN},
        "limits": dict(task.limits),
        "finally": task.is_finally,
    }


PLAIN = (
    "graphs",
    "tags",
    "optional",
    "timeout",
    "attempts",
    "backoff",
    "backoff_factor",
    "exit_codes",
    "interactive",
    "confirm",
    "silent",
    "captures",
    "inputs",
    "outputs",
    "saves",
    "restore",
    "isolated",
    "inbox",
    "outbox",
)
