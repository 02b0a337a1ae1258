"""What the tasks of a runbook were when they last succeeded, for the runs and the previews of a plan."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache, partial

from spry.api.history import Origin, home, place, root
from spry.api.places import STDIN
from spry.api.wishes import bind
from spry.core.plan import Selection, select
from spry.engine.attempts import Attempts, Situation
from spry.engine.freshness import Freshness, Memory
from spry.errors import HostError
from spry.store import database
from spry.store.cache import Cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.core.model import Graph, Task
    from spry.engine.forecast import Standing

STORE = "artifacts"
KEY = "key"
KEY_BYTES = 32


def remember(attempts: Attempts, origin: Origin | None, *, force: bool) -> None:
    """Let the tasks of a run be up to date; without an origin, or a usable history, nothing is remembered.

    Raises UsageError where inputs are not there that nothing can make, HostError without the library for patterns.
    """
    memory = None if origin is None else _memory(attempts, origin.folder, create=True)
    attempts.freshness = Freshness(attempts, memory, force=force)
    attempts.freshness.check()


@contextmanager
def remembered(attempts: Attempts, origin: Origin | None, *, force: bool) -> Iterator[Freshness]:
    """What is remembered, for as long as somebody looks who runs and writes nothing."""
    memory = None if origin is None else _memory(attempts, origin.folder, create=False)
    attempts.freshness = Freshness(attempts, memory, force=force)
    if memory is not None and any(step.task.saves for step in attempts.plan.steps.values()):
        _lay_out(attempts, memory.store, origin)
    try:
        yield attempts.freshness
    finally:
        attempts.freshness.close(learn=False)


def _lay_out(attempts: Attempts, store: str, origin: Origin | None) -> None:
    """Let whoever looks see what tasks have saved, also in the run that is resumed."""
    from spry.engine.artifacts import Artifacts, Place

    artifacts = attempts.artifacts = Artifacts(attempts.plan, Place(store), "", attempts.folder)
    for name in origin.recalled if origin is not None else ():
        saved = artifacts.find(name, origin.resumed if origin is not None else "")
        if saved is not None:
            artifacts.records[name] = saved.record


def idle(graph: Graph) -> Iterator[tuple[Task, tuple[str, ...]]]:
    """The tasks of a runbook whose inputs are not there, with the patterns; none if the library for them is missing."""
    attempts = Attempts(select(graph, Selection(everything=True)), Situation("", os.environb, os.getcwd(), ""))
    try:
        yield from Freshness(attempts, None).idle()
    except HostError:
        return


def standings(graph: Graph, folder: str, names: tuple[str, ...] = ()) -> dict[str, Standing]:
    """Where the tasks of a runbook with inputs or outputs stand, or these and what they need; nothing is written."""
    from spry.engine.forecast import forecast

    plan = select(graph, Selection(names, everything=not names))
    if not plan.has_files:
        return {}
    params = bind(plan, {}).values
    attempts = Attempts(plan, Situation("", os.environb, os.getcwd(), "", params=params, warn=_nobody))
    with remembered(attempts, Origin((), folder), force=False):
        return forecast(attempts)


def _nobody(text: str) -> None:
    """Whoever only looks is not warned: the run will."""


def _memory(attempts: Attempts, folder: str, *, create: bool) -> Memory | None:
    try:
        where = place(folder)
        connection = database.connect(where, create=create)
    except HostError:
        return None  # whoever writes the history down says so
    if connection is None:
        return None
    above = root(folder)
    books = {step.task.path: _book(step.task, above) for step in attempts.plan.steps.values()}
    own = cache(partial(key, create=create))
    return Memory(Cache(where, connection, attempts.warn), books, own, os.path.join(where, STORE))


def _book(task: Task, above: str) -> str:
    """How a runbook is called in the history of a folder, wherever that folder lies."""
    inside = os.path.relpath(os.path.realpath(task.folder), os.path.realpath(above))
    return os.path.join(inside, STDIN if task.path == STDIN else os.path.basename(task.path))


def key(*, create: bool) -> bytes:
    """What digests of secrets are made with: this user's, and kept apart from what is made with it.

    Made when it is first needed and may be made (`create`); empty where it cannot be read or made.
    """
    path = os.path.join(home(), KEY)
    try:
        if create and not os.path.exists(path):
            _make(path)
        with open(path, "rb") as stream:
            found = stream.read(KEY_BYTES + 1)
    except OSError:
        return b""
    return found if len(found) == KEY_BYTES else b""


def _make(path: str) -> None:
    """A new key, under its name only once it is whole; whoever comes first makes it."""
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    part = f"{path}.{os.getpid()}"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as stream:
        stream.write(os.urandom(KEY_BYTES))
    try:
        os.link(part, path)
    except FileExistsError:
        return
    finally:
        os.unlink(part)
