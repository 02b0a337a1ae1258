"""The values that a script is given for its expressions: from its environment, its parameters, and other tasks."""

from __future__ import annotations

import os

from spry.core.program import shell_of
from spry.core.template import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from spry.core.model import Expression, Step
    from spry.engine.attempts import Attempts


def rendered(step: Step, number: int, attempts: Attempts) -> tuple[str, Mapping[str, str]]:
    """The script of an attempt of a task that interpolates, and the variables that carry its values.

    RenderError for a key without a value.
    """
    task = step.task
    uses_env = any(expression.kind == "env" for expression in task.expressions)
    variables = attempts.environments.of(step, attempts.told(step, number)) if uses_env else {}
    values: dict[tuple[str, str], str] = {}
    for expression in task.expressions:
        value = _value(expression, step, attempts, variables)
        if value is not None:
            values[expression.kind, expression.key] = value
    return render(task, values, shell_of(task, attempts.settings(task)))


def _value(expression: Expression, step: Step, attempts: Attempts, variables: Mapping[bytes, bytes]) -> str | None:
    key = expression.key
    if expression.kind == "env":
        value = variables.get(os.fsencode(key))
        return None if value is None else os.fsdecode(value)
    if expression.kind == "param":
        return attempts.situation.params.get(step.task.name, {}).get(key)
    return attempts.left.value(key, step)
