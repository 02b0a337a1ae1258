"""The values of secret parameters: where they come from, and how they leave our own command line."""

from __future__ import annotations

import os

from spry.engine.secrets import Secrets, names, secret_parameters
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.api.wishes import Wishes
    from spry.core.model import Graph, Plan

LARGEST = 128 * 1024 - 1  # bytes: what one variable of an environment can hold on Linux


def given(plan: Plan, params: Mapping[str, str], has_terminal: Callable[[], bool]) -> dict[str, str]:
    """The parameters with the values of secret ones: `@FILE` is read, and what is missing is asked for on the terminal.

    Without a terminal what is missing stays so. Raises UsageError for a file that cannot be read.
    """
    found = dict(params)
    for parameter, default in _secret(plan).items():
        value = found.get(parameter)
        if value is not None:
            found[parameter] = _read(parameter, value)
        elif default is None and has_terminal():
            found[parameter] = _asked(parameter)
    return found


def conceal(plan: Plan, asked: Wishes) -> None:
    """Take the values of secrets out of the command line of this process, as far as the system allows."""
    from spry.execute.title import hide

    secret = names(plan)
    pairs = (*asked.params.items(), *asked.env.items())
    hide([f"{name}={value}" for name, value in pairs if name in secret and value])


def known(graph: Graph) -> Secrets:
    """The secrets that are known of a whole runbook before anything runs: written in it, or in our environment."""
    from spry.core.model import Plan, Step

    steps = {name: Step(task, graph.deps[name]) for name, task in graph.runbook.tasks.items()}
    plan = Plan(steps, settings=graph.runbook.settings)
    defaults = {
        name: {one.name: one.default for one in step.task.params if one.default is not None}
        for name, step in steps.items()
    }
    written = [
        {os.fsencode(name): os.fsencode(value) for name, value in settings.env.items()}
        for settings in graph.runbook.settings.values()
    ]
    return Secrets(plan, defaults, [os.environb, *written], _nobody)


def _secret(plan: Plan) -> dict[str, str | None]:
    """The names of all secret parameters with their defaults."""
    return {
        one.name: one.default
        for step in plan.steps.values()
        for one in step.task.params
        if one.name in secret_parameters(step, plan.settings.get(step.task.path))
    }


def _read(parameter: str, value: str) -> str:
    """A value as it was meant: `@FILE` stands for what is in the file, less its last newlines, and `@@` for an `@`."""
    if not value.startswith("@"):
        return value
    if value.startswith("@@"):
        return value[1:]
    path = value[1:]
    try:
        with open(path, "rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f'parameter "{parameter}": {path}: {reason}', "name a readable file, or @@ for an @") from None
    if len(data) > LARGEST:
        raise UsageError(f'parameter "{parameter}": {path} is longer than {LARGEST} bytes', "name another file")
    return os.fsdecode(data.rstrip(b"\r\n"))


def _asked(parameter: str) -> str:
    from spry.execute.password import ask

    try:
        return ask(f"{parameter} (not shown)")
    except (OSError, EOFError):
        raise UsageError(f'no value was given for "{parameter}"', f"give --param {parameter}=@FILE") from None


def _nobody(text: str) -> None:
    """Whoever only looks is not warned: the run will."""
