"""The manager of a project: one process that starts what starts by itself, and leaves when there is nothing to do.

A lock elects it: whoever does not get it goes away. It is never in the way of a run: detached runs have processes of
their own, and it ends none. What a dead one has left it takes over; a run whose process has died it marks as lost, and
ends what is left of it.
"""

from __future__ import annotations

import json
import os
import signal
import time

from spry.api.history import archive, place
from spry.api.reached import context
from spry.artifacts.files import write_whole
from spry.errors import INTERNAL, SpryError, UsageError
from spry.execute.title import show
from spry.manager.autostart import Manifests, Standing, enabled
from spry.manager.detached import Begun
from spry.manager.election import still
from spry.store.lock import alive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.core.manifest import Manifest

ACCOUNT, LOG = "manager.json", "manager.log"
TURN = 0.5  # seconds between two looks at the runs it knows
LOOK = 5.0  # seconds between two looks for those that others have started
LIFETIME = 600.0  # seconds without anything to do
ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


def lifetime() -> float:
    """How long a manager stays without anything to do, in seconds: as the environment says, or ten minutes."""
    if not enabled("SPRY_MANAGER_REUSE_ENABLED"):
        return 0.0
    text = os.environ.get("SPRY_MANAGER_LIFETIME_TIMEOUT", "")
    if not text:
        return LIFETIME
    from spry.core.values import duration  # noqa: PLC0415 - few set it

    seconds = 0.0 if text == "0" else duration(text)
    if isinstance(seconds, str):
        raise UsageError(f"SPRY_MANAGER_LIFETIME_TIMEOUT: {seconds}", "set it to a number of seconds")
    return seconds


def account(home: str) -> Mapping[str, object]:
    """What the manager last wrote about itself: `targets`, by name."""
    try:
        with open(os.path.join(home, ACCOUNT), encoding="utf-8") as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _ended(seconds: float) -> bool:
    """Whether somebody tells us to leave within so many seconds."""
    if hasattr(signal, "sigtimedwait"):
        return signal.sigtimedwait(ENDING, seconds) is not None
    time.sleep(seconds)  # macOS
    return bool(signal.sigpending() & ENDING)


class Manager:
    """The manager of the project of a folder; `launch` begins a manifest's run, and `warn` keeps a line of the log."""

    def __init__(
        self, folder: str, launch: Callable[[Manifest], Begun], warn: Callable[[str], None], lock: int = -1
    ) -> None:
        self.folder, self.home = folder, place(folder)
        self._lock = lock
        self._launch, self._warn = launch, warn
        self._manifests = Manifests(self.home, warn)
        self._standings: dict[str, Standing] = {}
        self._told: object = None
        self._looked = float("-inf")
        self._others: list[str] = []
        self._id, self._shown = str(time.time_ns()), ""

    def run(self, idle: float) -> None:
        """Turn until somebody ends it, the project is gone, or there was nothing to do for so many seconds."""
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        self._adopt()
        busy = time.monotonic()
        while True:
            now = time.monotonic()
            self._turn(now)
            is_needed = self._is_needed(now)
            self._show()
            if is_needed:
                busy = now
            elif now >= busy + idle:
                return
            if _ended(TURN) or (self._lock >= 0 and not still(self.home, self._lock)):
                return

    def _adopt(self) -> None:
        """Take over what an earlier manager has started and still runs."""
        found = self._running()
        for name, one in self._manifests.current().items():
            run = next((run for run, origin in found.items() if origin == name), "")
            self._standings[name] = Standing(one, run, time.monotonic())

    def _running(self) -> dict[str, object]:
        """The runs that are under way, with the names of the manifests that began them; the dead ones are marked."""
        try:
            found = archive(self.folder)
            if found is None:
                return {}
            try:
                return {run.run: run.request.get("autostart") for run in found.runs("running")}
            finally:
                found.close()
        except SpryError as error:
            self._warn(error.message)
            return {}

    def _turn(self, now: float) -> None:
        current = self._manifests.current()
        for name in [name for name in self._standings if name not in current]:
            del self._standings[name]  # its run goes on, and is no matter of ours any more
        for name, one in current.items():
            standing = self._standings.setdefault(name, Standing(one))
            standing.manifest = one
            if standing.is_up and not alive(self.home, standing.run):
                self._running()  # marks it as lost, if it is
                standing.ended(now)
            if standing.is_due(now):
                self._begin(standing, now)
        self._tell()

    def _begin(self, standing: Standing, now: float) -> None:
        try:
            begun = self._launch(standing.manifest)
        except (SpryError, OSError) as error:
            self._warn(str(error))
            begun = Begun("", INTERNAL)
        if begun.run:
            standing.began(begun.run, now)
            self._warn(f"{standing.manifest.name}: started as run {begun.run}")
        else:
            standing.ended(now)
            self._warn(f"{standing.manifest.name}: could not be started (exit code {begun.code})")

    def _is_needed(self, now: float) -> bool:
        """Whether something runs in the project, or is to be started."""
        are_alive = all(alive(self.home, run) for run in self._others)
        if not are_alive or now >= self._looked + LOOK:
            self._looked, self._others = now, [*self._running()]  # which marks those as lost that have died
        return bool(self._others) or any(one.comes_again for one in self._standings.values())

    def _show(self) -> None:
        """Show in the process list whether there is something to look after."""
        count = len(self._others)
        status = f"running:{count} run{'' if count == 1 else 's'}" if count else "idle"
        if status != self._shown and self._lock >= 0:
            self._shown = status
            show(context(self.home), self._id, "manager", *status.split(":"))

    def _tell(self) -> None:
        """Write down how everything stands, if that has changed."""
        targets = {
            name: {
                "mode": one.manifest.mode,
                "run": one.run or None,
                "up": one.is_up,
                "waits": one.comes_again and not one.is_up,
                "restarts": one.restarts,
            }
            for name, one in self._standings.items()
        }
        if targets != self._told:
            self._told = targets
            try:
                write_whole(os.path.join(self.home, ACCOUNT), [json.dumps({"targets": targets}).encode()], mode=0o600)
            except OSError as error:
                self._warn(f"{ACCOUNT} cannot be written: {error.strerror}")
