"""What a run was asked for, checked before anything starts."""

from __future__ import annotations

from spry.core.model import HANDLED, is_elsewhere
from spry.errors import HostError, UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    from spry.api.reports import Target
    from spry.core.model import Parameter, Plan, Task
    from spry.errors import SpryError

    class Begun(Protocol):
        """Is told that a run has begun, and has the name that it is called by in the process list."""

        name: str

        def __call__(self, run: str, folder: str) -> None:
            """Learn the id of the run and the folder of its files."""
            ...


class Wishes(NamedTuple):
    """What the command line asks of a run: seconds, numbers and mappings instead of text.

    With `own_code` it ends with the exit code of the task that failed. `begun` is told the id and the folder of a run
    that nobody waits for, once it is written down; without that it does not begin. `autostart` is the name of the
    manifest that it was started for.
    """

    jobs: int | None = None
    fail_fast: bool = False
    timeout: float | None = None
    yes: bool = False
    force: bool = False
    env: Mapping[str, str] = {}
    params: Mapping[str, str] = {}
    words: Mapping[str, tuple[str, ...]] = {}
    reports: Sequence[Target] = ()
    own_code: bool = False
    begun: Begun | None = None
    autostart: str = ""


def wishes(request: Any) -> Wishes:
    """The options of a running command, typed; UsageError for values that are none."""
    if request.words is not None and len(request.names) != 1:
        raise UsageError("words after -- are for one task, and need its name", "spry task NAME -- WORDS")
    return Wishes(
        _jobs(request.jobs),
        request.fail_fast,
        _timeout(request.timeout),
        request.yes,
        request.force,
        environments(request.env),
        assignments(request.param, "--param"),
        {request.names[0]: request.words} if request.words else {},
        _reports(request),
        begun=request.begun,
        autostart=request.autostarted,
    )


def _reports(request: Any) -> Sequence[Target]:
    if not request.report:
        return ()
    from spry.api.reports import targets

    return targets(request.report, quiet=not request.json and (request.output or "quiet" * request.quiet) == "quiet")


def _jobs(text: str | None) -> int | None:
    if text is None:
        return None
    from spry.core.values import whole

    count = whole(text)
    if not count:
        raise UsageError(f'--jobs: expected a whole number from 1 on, not "{text}"', "leave it out to use every core")
    return count


def _timeout(text: str | None) -> float | None:
    if text is None:
        return None
    from spry.core.values import duration

    seconds = duration(text)
    if isinstance(seconds, str):
        raise UsageError(f"--timeout: {seconds}", "write 90, 30s, 5m or 1h30m")
    return seconds


class Bound(NamedTuple):
    """The parameters of a plan: values by task and name, and what is missing or wrong, in words."""

    values: Mapping[str, Mapping[str, str]]
    faults: tuple[str, ...]


def assignments(pairs: Sequence[str], option: str) -> dict[str, str]:
    """`K=V` options as a mapping; the last of a name wins. UsageError for anything that is no `K=V`."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            shown = "=…" if equals else pair  # the value may be a secret
            raise UsageError(f"{option} {shown}: expected NAME=VALUE", f'write {option} "NAME=VALUE"')
        found[name] = value
    return found


def environments(pairs: Sequence[str]) -> dict[str, str]:
    """`--env K=V` options as a mapping; UsageError where the name cannot be one of a variable."""
    if not pairs:
        return {}
    from spry.core.values import environment

    for pair in pairs:
        answer = environment(pair)
        if isinstance(answer, str):
            name = pair.partition("=")[0] or pair  # the value may be a secret
            raise UsageError(f"--env {name}: {answer}", 'write --env "NAME=VALUE"')
    return assignments(pairs, "--env")


def bind(plan: Plan, given: Mapping[str, str]) -> Bound:
    """Give every parameter of the plan its value: from the command line, else its default.

    What no task of the plan declares, what is missing and what has the wrong type comes back as faults.
    """
    values: dict[str, dict[str, str]] = {}
    faults: dict[str, None] = {}
    declared: set[str] = set()
    for name, step in plan.steps.items():
        for parameter in step.task.params:
            declared.add(parameter.name)
            value = given.get(parameter.name, parameter.default)
            fault = _missing(parameter, step.task) if value is None else _wrong(plan, step.task, parameter, value)
            if fault:
                faults[fault] = None
            else:
                values.setdefault(name, {})[parameter.name] = str(value)
    for name in given:
        if name not in declared:
            from spry.core.text import did_you_mean

            hint = did_you_mean(name, declared)
            faults[f'no selected task declares the parameter "{name}"{f" ({hint})" if hint else ""}'] = None
    return Bound(values, tuple(faults))


def _missing(parameter: Parameter, task: Task) -> str:
    value = "@FILE" if parameter.type == "secret" else "VALUE"
    return f'task "{task.name}" needs a value for "{parameter.name}": --param {parameter.name}={value}'


def _wrong(plan: Plan, task: Task, parameter: Parameter, value: str) -> str:
    from spry.core.values import check

    fault = check(parameter, value)
    settings = plan.settings.get(task.path)
    if fault and settings and parameter.name in settings.secrets:
        fault = check(parameter, "***") or fault  # says what is expected, and not what was given
    return f'parameter "{parameter.name}": {fault}' if fault else ""


def refuse(plan: Plan) -> None:
    """Stop a run that would not do what its runbook says; UsageError names task and place."""
    for step in plan.steps.values():
        task = step.task
        place = f"{task.path}:{task.line}:{task.column}"
        if task.inbox and task.language in HANDLED:
            message = (
                f'{place}: the stdin of a {task.language} is its own text, so it takes no --inbox (task "{task.name}")'
            )
            raise UsageError(message, "let another task take the message, and interpolate what it captures")


def alone(plan: Plan) -> None:
    """Stop a run of one repository whose tasks need those of another; UsageError says how that is run."""
    for step in plan.steps.values():
        task = step.task
        elsewhere = [dep for dep in task.deps if dep not in step.deps and is_elsewhere(dep)]
        if elsewhere:
            place = f"{task.path}:{task.line}:{task.column}"
            message = f'{place}: task "{task.name}" needs {elsewhere[0]}, which is in another repository'
            raise UsageError(message, f"run it with: spry workspace run {task.name}")


def needs(plan: Plan, has_terminal: Callable[[], bool]) -> None:
    """Stop a run whose tasks need what is not there: UsageError without a terminal, HostError without psutil."""
    steps = [step for step in plan.steps.values() if step.task.needs_process]
    if any(step.task.saves for step in plan.steps.values()):
        from spry.artifacts.walk import check
        from spry.core.artifacts import savings_of

        check([one for step in plan.steps.values() for one in savings_of(step.task)])
    interactive = [step.task.name for step in steps if step.task.interactive]
    limited = [step.task.name for step in steps if step.task.limits]
    if interactive and not has_terminal():
        _lacking(interactive, "--interactive needs a terminal, and there is none", UsageError, "run it in a terminal")
    if limited:
        try:
            import spry.execute.limits  # noqa: F401 - whether it can be imported is the question
        except ImportError as error:
            hint = "install it with: pip install 'spry[limits]'"
            _lacking(limited, f"--limit needs psutil, which cannot be imported ({error})", HostError, hint)


def _lacking(tasks: Sequence[str], why: str, kind: type[SpryError], hint: str) -> None:
    from spry.core.text import listing

    raise kind(f"{listing(tasks)}: {why}", hint) from None


def unanswerable(plan: Plan, has_terminal: Callable[[], bool]) -> None:
    """Stop a run whose questions nobody can answer; UsageError names the tasks that ask."""
    asking = [name for name, step in plan.steps.items() if step.task.confirm is not None]
    if asking and not has_terminal():
        from spry.core.text import listing

        raise UsageError(f"{listing(asking)}: --confirm asks on a terminal, and there is none", "answer with --yes")
