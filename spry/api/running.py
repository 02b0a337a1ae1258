"""A plan, carried out here and now: everything is checked before anything starts."""

from __future__ import annotations

import os
import time
from functools import partial

from spry.api.history import place, recall, recorded
from spry.api.wishes import alone, bind, needs, refuse, unanswerable
from spry.core.model import Terms
from spry.engine.attempts import Attempts, Situation
from spry.engine.loop import Loop
from spry.errors import HostError, SpryError, UsageError
from spry.execute.local import LocalExecutor
from spry.execute.pair import split
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from spry.api.history import Origin
    from spry.api.places import File
    from spry.api.wishes import Wishes
    from spry.core.model import Plan
    from spry.core.result import RunResult
    from spry.engine.audience import Listener
    from spry.engine.secrets import Secrets
    from spry.execute.pair import Line
    from spry.execute.protocol import Call, Executor
    from spry.store.reservations import Held

GRACE = 5.0
QUEUES = "queues"  # as in `store.queues`, which is nothing for runs without any


class Program(NamedTuple):
    """How a program in Python takes part in a run of its own.

    `calls` are those of `Situation`; `recall` gives the run what is known of tasks that need not run, with a store for
    its files if it has any, and names those; `ready` gets the executor before anything starts. Of tasks that are not in
    `checks` (None: all are), what is missing is told when their turn has come.
    """

    calls: Mapping[str, Callable[[int], Call | None]] = {}
    recall: Callable[[Attempts], Mapping[str, str]] = lambda _: {}
    ready: Callable[[LocalExecutor], None] = lambda _: None
    checks: Collection[str] | None = None


NO_PROGRAM = Program()


def run_plan(  # noqa: PLR0913 - one way for all who run a plan
    plan: Plan,
    asked: Wishes,
    listeners: Sequence[Listener],
    *,
    warn: Callable[[str], None],
    has_terminal: Callable[[], bool],
    origin: Origin | None = None,
    files: Sequence[File] = (),
    given: dict[str, Held] | None = None,
    program: Program = NO_PROGRAM,
) -> RunResult:
    """Run a plan on this machine and wait for it; with an `origin` it is written down and can be resumed.

    `files` are the runbooks that the plan comes from; reports show them. `given` are messages that somebody has taken
    for it. `program` is who runs it from Python. Without one the run is a pair of processes (`execute.pair`), of which
    one returns, and nobody else may start processes here meanwhile.

    Raises UsageError (a flag without effect, a missing or unknown parameter, a question nobody can answer) and
    HostError (a missing program or folder) before anything has started.
    """
    alone(plan)
    asked, attempts = prepared(plan, asked, warn=warn, has_terminal=has_terminal, calls=program.calls)
    try:
        attempts.check(program.checks)
        line = pair(attempts.close) if program is NO_PROGRAM else None  # before anything is opened that is not for two
        done = {**ready(attempts, asked, origin, given), **program.recall(attempts)}
        terms = Terms(
            jobs_of(plan, asked),
            asked.fail_fast,
            asked.timeout,
            asked.yes,
            grace_of(plan),
            done,
            own_code=asked.own_code,
        )
        executor = LocalExecutor(terms.jobs, line=line)
        try:
            program.ready(executor)
            go = partial(_recorded, plan, asked, executor, attempts, terms, origin, warn)
            if not asked.reports:
                return go(listeners)
            from spry.api.reports import Reporting

            with Reporting(plan, asked.reports, files, attempts) as reporting:
                return reporting.told(go([reporting.chronicle, *listeners]), recorded=origin is not None)
        finally:
            executor.close()
    except SpryError as error:
        error.message, error.hint = attempts.shown(error.message), attempts.shown(error.hint)
        raise
    finally:
        attempts.close()


def _hear(executor: LocalExecutor, attempts: Attempts) -> None:
    """Let tasks say how far they are. Where there can be no named pipe, `spry progress` says that nobody listens."""
    try:
        executor.hear(attempts.left.progress_file)
    except OSError:
        return


def _recorded(
    plan: Plan,
    asked: Wishes,
    executor: LocalExecutor,
    attempts: Attempts,
    terms: Terms,
    origin: Origin | None,
    warn: Callable[[str], None],
    listeners: Sequence[Listener],
) -> RunResult:
    """Run a plan, and write it down before anybody else is told."""
    _hear(executor, attempts)
    with recorded(origin, asked, attempts, warn) as (first, usual):
        expect(listeners, usual)
        situation = attempts.situation
        executor.entrust(situation.run, situation.scratch, [history.lock for history in first])
        told = [*first, *listeners]
        if origin is not None:
            told += _reached(origin, asked, attempts)
        doer: Executor = executor
        if plan.has_artifacts:
            from spry.api.artifacts import equip
            from spry.engine.chores import Chores

            artifacts = attempts.artifacts or equip(attempts, origin, recorded=bool(first))
            doer = Chores(executor, lambda name: (artifacts, name))
        return Loop(plan, attempts.situation.run, doer, attempts, told, terms, durations=usual).run()


def _reached(origin: Origin, asked: Wishes, attempts: Attempts) -> list[Listener]:
    """What makes a run reachable from outside, if it can be.

    One in the background always is. Whoever waits for a run can end it without messages: it listens where there are
    queues already, unless it is one of many, each for a message.
    """
    is_one_of_many = attempts.messages is not None and bool(attempts.messages.held)
    if asked.begun is None and (is_one_of_many or not os.path.isdir(os.path.join(place(origin.folder), QUEUES))):
        return []
    from spry.api.reached import background, control

    run = attempts.situation.run
    found = [] if is_one_of_many else control(origin.folder, run)
    return found if asked.begun is None else [*found, *background(asked.begun, place(origin.folder), run, attempts)]


def pair(clean: Callable[[], object]) -> Line | None:
    """Become a pair of processes; HostError where that cannot be done."""
    try:
        return split(clean)
    except OSError as error:
        message = f"cannot start the process that runs the tasks: {error.strerror}"
        raise HostError(message, "end other processes, or raise the limit (ulimit -u)") from None


def prepared(
    plan: Plan,
    asked: Wishes,
    *,
    warn: Callable[[str], None],
    has_terminal: Callable[[], bool],
    within: str = "",
    calls: Mapping[str, Callable[[int], Call | None]] = NO_PROGRAM.calls,
) -> tuple[Wishes, Attempts]:
    """A plan made ready for its attempts, and what is asked of it with its secrets; close the attempts in the end.

    Small files of the run are in a folder of its own, made `within` the one that is given. `calls` are those of
    `Situation`. Raises UsageError and HostError as `run_plan` does.
    """
    asked, params = granted(plan, asked, has_terminal)
    run_id, folder = str(time.time_ns()), os.getcwd()
    scratch = scratch_folder(run_id, within)
    situation = Situation(run_id, os.environb, folder, scratch, asked.env, params, asked.words, warn, calls)
    attempts = Attempts(plan, situation)
    if attempts.secrets is not None:
        attempts.warn = partial(_cleaned, attempts.secrets, warn)
    return asked, attempts


def ready(
    attempts: Attempts, asked: Wishes, origin: Origin | None, given: dict[str, Held] | None = None
) -> dict[str, str]:
    """Open what a run needs that was checked; the tasks that need not run, with the words why.

    UsageError or HostError names what is missing.
    """
    if attempts.plan.has_messages:
        from spry.api.queues import messages

        attempts.messages = messages(attempts.plan, attempts, given)
    done = recall(origin, attempts)
    if attempts.plan.has_files:
        from spry.api.freshness import remember

        remember(attempts, origin, force=asked.force)
    return done


def granted(
    plan: Plan, asked: Wishes, has_terminal: Callable[[], bool]
) -> tuple[Wishes, Mapping[str, Mapping[str, str]]]:
    """What is asked for with its secrets, and the parameters of each task; UsageError where it cannot be done."""
    refuse(plan)
    if plan.has_secrets:
        from spry.api.secrets import given

        asked = asked._replace(params=given(plan, asked.params, has_terminal))
    bound = bind(plan, asked.params)
    if bound.faults:
        raise UsageError("; ".join(bound.faults), "spry show NAME lists the parameters of a task")
    if not asked.yes:
        unanswerable(plan, has_terminal)
    needs(plan, has_terminal)
    return asked, bound.values


def expect(listeners: Sequence[Listener], usual: Mapping[str, float]) -> None:
    """Tell those who want to know how long tasks usually take."""
    for listener in listeners:
        if usual and hasattr(listener, "expect"):
            listener.expect(usual)


def _cleaned(secrets: Secrets, warn: Callable[[str], None], text: str) -> None:
    warn(secrets.text(text))


def scratch_folder(run_id: str, within: str = "") -> str:
    """A private folder for one run, perhaps `within` another one; HostError where none can be made."""
    name = f"spry-{run_id}-{os.getpid()}"
    for parent in (within, os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"):  # noqa: S108 - in memory, ten times as fast
        try:
            if parent:
                os.mkdir(os.path.join(parent, name), 0o700)
                return os.path.join(parent, name)
        except OSError:
            continue
    path = os.path.join(os.environ.get("TMPDIR") or "/tmp", name)  # noqa: S108 - POSIX names it
    try:
        os.mkdir(path, 0o700)
    except OSError as error:
        raise HostError(
            f"no scratch folder for the run: {path}: {error.strerror}", "set TMPDIR to a folder with room"
        ) from None
    return path


def jobs_of(plan: Plan, asked: Wishes) -> int:
    """How many tasks may run at once: the command line, the first runbook that says so, or the cores we may use."""
    written = [settings.jobs for settings in plan.settings.values() if settings.jobs]
    return asked.jobs or (written[0] if written else cores())


def cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def grace_of(plan: Plan) -> float:
    """Seconds between TERM and KILL: `SPRY_GRACE`, the first runbook that says so, or 5."""
    text = os.environ.get("SPRY_GRACE")
    if text:
        from spry.core.values import duration

        seconds = 0.0 if text == "0" else duration(text)
        if isinstance(seconds, str):
            raise UsageError(f"SPRY_GRACE: {seconds}", "set it to a number of seconds")
        return seconds
    written = [settings.grace for settings in plan.settings.values() if settings.grace is not None]
    return written[0] if written else GRACE
