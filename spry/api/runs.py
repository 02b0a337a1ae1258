"""Whole runs of a runbook, for programs: waited for, awaited, or watched event by event."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from typing import TypedDict

from spry.api.asking import checked, known
from spry.api.cells import nobody, trusted
from spry.api.history import origin
from spry.api.runbook import load
from spry.api.running import Program, run_plan
from spry.api.wishes import Wishes
from spry.execute.protocol import Signalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from typing import Unpack

    from spry.api.runbook import Paths, Runbook
    from spry.core.events import Event
    from spry.core.result import RunResult
    from spry.engine.audience import Listener
    from spry.execute.local import LocalExecutor
    from spry.execute.protocol import Notice

AHEAD = 1_000  # events that a run may be ahead of whoever watches it


class Options(TypedDict, total=False):
    """What can be asked of a run, as on the command line: numbers and seconds instead of text."""

    graphs: Iterable[str]
    tags: Iterable[str]
    skip: Iterable[str]
    from_: str | None
    until: str | None
    params: Mapping[str, str]
    env: Mapping[str, str]
    jobs: int | None
    fail_fast: bool
    timeout: float | None
    yes: bool
    force: bool
    history: bool


def run(
    paths: Paths = (),
    names: str | Iterable[str] = (),
    *,
    on_event: Listener | None = None,
    **options: Unpack[Options],
) -> RunResult:
    """Run tasks of a runbook as `spry run` does, and wait for them: `ok` and `exit_code` of the result say it all.

    Without names the default graph is run, without paths the nearest runbook. `on_event` is called with every event,
    in the thread that runs. Nothing is printed and nobody is asked: `yes` answers all questions. Raises RunbookError
    for an invalid runbook, UsageError for what cannot be asked for, TypeError for options that there are not, HostError
    for what is not there, and KeyboardInterrupt once Ctrl-C has ended what ran.
    """
    going = _Going(load(paths), names, [on_event] if on_event else [], options)
    result = going.run()
    if going.local is not None and going.local.interrupted is not None:
        signal.raise_signal(going.local.interrupted)
    return result


async def arun(
    paths: Paths = (),
    names: str | Iterable[str] = (),
    *,
    on_event: Listener | None = None,
    **options: Unpack[Options],
) -> RunResult:
    """The same, awaited: it runs in a thread. To cancel it is its first Ctrl-C, to cancel it again its second."""
    going = _Going(load(paths), names, [on_event] if on_event else [], options)
    return await _awaited(going, asyncio.get_running_loop().run_in_executor(None, going.run))


async def aevents(
    paths: Paths = (), names: str | Iterable[str] = (), **options: Unpack[Options]
) -> AsyncIterator[Event]:
    """The events of a run as they come, from `RunStarted` to `RunFinished`; it waits for whoever is slow to take them.

    To close the iterator before its end is the first Ctrl-C of the run: what runs is ended, clean-up tasks run.
    """
    loop = asyncio.get_running_loop()
    came: asyncio.Queue[Event | None] = asyncio.Queue()
    room = threading.Semaphore(AHEAD)
    watched = True

    def tell(event: Event) -> None:
        if watched:
            room.acquire()
            loop.call_soon_threadsafe(came.put_nowait, event)

    going = _Going(load(paths), names, [tell], options)
    running = loop.run_in_executor(None, going.run)
    running.add_done_callback(lambda _: came.put_nowait(None))
    try:
        while (event := await came.get()) is not None:
            room.release()
            yield event
        await running
    finally:
        watched = False
        room.release(AHEAD)
        if not running.done():
            going.interrupt()
            await _awaited(going, running)


async def _awaited(going: _Going, running: asyncio.Future[RunResult]) -> RunResult:
    """Wait for a run; each time that this is cancelled, the run is interrupted and waited for all the same."""
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            result = await asyncio.shield(running)
        except asyncio.CancelledError as error:
            cancelled = error
            going.interrupt()
        else:
            break
    if cancelled is not None:
        raise cancelled
    return result


class _Going:
    """One run on its way; `interrupt` is for other threads."""

    def __init__(
        self, runbook: Runbook, names: str | Iterable[str], listeners: Sequence[Listener], options: Options
    ) -> None:
        known(options, Options.__annotations__)
        self.runbook, self.listeners = runbook, listeners
        self.selection = runbook.selection(
            names,
            options.get("graphs", ()),
            options.get("tags", ()),
            options.get("skip", ()),
            options.get("from_"),
            options.get("until"),
        )
        wishes = Wishes(
            jobs=options.get("jobs"),
            fail_fast=options.get("fail_fast", False),
            timeout=options.get("timeout"),
            yes=options.get("yes", False),
            env=dict(options.get("env") or {}),
            params=dict(options.get("params") or {}),
            force=options.get("force", False),
        )
        self.asked = checked(wishes)
        self.is_recorded = options.get("history", True)
        self.local: LocalExecutor | None = None
        self._post: Callable[[Notice], None] | None = None
        self._interrupts = 0
        self._lock = threading.Lock()

    def run(self) -> RunResult:
        """Run it here and now."""
        files, plan = self.runbook.files, self.runbook.select(self.selection)
        trusted(files, plan, self.asked)
        return run_plan(
            plan,
            self.asked,
            self.listeners,
            warn=logging.getLogger("spry").warning,
            has_terminal=nobody,
            origin=origin(files, self.selection) if self.is_recorded else None,
            files=files,
            program=Program(ready=self._begin),
        )

    def interrupt(self) -> None:
        """The first time end it politely, the second time at once."""
        with self._lock:
            self._interrupts += 1
            if self._post is not None:
                self._post(Signalled(signal.SIGINT))

    def _begin(self, local: LocalExecutor) -> None:
        with self._lock:
            self.local, self._post = local, local.mailbox()
            for _ in range(self._interrupts):
                self._post(Signalled(signal.SIGINT))
