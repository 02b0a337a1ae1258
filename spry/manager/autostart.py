"""What the manager of a project has to start: manifests, read anew when they change, and how each of them stands."""

from __future__ import annotations

import os

from spry.core.manifest import Manifest, manifest
from spry.core.source import Source, decode
from spry.errors import RunbookError, SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = "autostart"
SUFFIXES = (".json", ".md", ".markdown")
STEADY = 60.0  # seconds after which one that ran counts as sound: its restarts are forgotten
OFF = ("0", "false", "no", "off")


def wanted(home: str) -> bool:
    """Whether a project has anything that starts by itself, and nobody has turned that off."""
    return enabled("SPRY_AUTOSTART_TASKS") and bool(paths(home))


def enabled(variable: str) -> bool:
    """Whether a switch in the environment is on, as it is without a value."""
    return os.environ.get(variable, "").strip().lower() not in OFF


def paths(home: str) -> list[str]:
    """The manifests of a project, sorted; none without the folder for them."""
    folder = os.path.join(home, FOLDER)
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(SUFFIXES) and not name.startswith("."))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names]


def read(path: str) -> Manifest:
    """The manifest in a file: a JSON object, or a runbook that is run whole; SpryError if it is none."""
    name = os.path.basename(path).rpartition(".")[0]
    if not path.endswith(".json"):
        return Manifest(name, "runbook", path)
    with open(path, "rb") as stream:
        source = decode(stream.read(), path, os.path.dirname(path))
    if not isinstance(source, Source):
        raise RunbookError([source])
    return manifest(source, name)


class Manifests:
    """The manifests of a project; `warn` is told once what is wrong with one, and it is passed over."""

    def __init__(self, home: str, warn: Callable[[str], None]) -> None:
        self._home, self._warn = home, warn
        self._known: dict[str, tuple[int, Manifest | None]] = {}

    def current(self) -> dict[str, Manifest]:
        """The sound ones by name, the first of a name."""
        found: dict[str, Manifest] = {}
        for path in paths(self._home) if enabled("SPRY_AUTOSTART_TASKS") else ():
            one = self._one(path)
            if one is not None:
                found.setdefault(one.name, one)
        return found

    def _one(self, path: str) -> Manifest | None:
        try:
            changed = os.stat(path).st_mtime_ns
            if path not in self._known or self._known[path][0] != changed:
                self._known[path] = changed, None
                self._known[path] = changed, read(path)
        except RunbookError as error:
            for problem in error.problems:
                self._warn(f"{problem.place}: {problem.message}")
        except (OSError, SpryError) as error:
            self._warn(f"{path}: {error}")
        return self._known[path][1] if path in self._known else None


class Standing:
    """How one of them stands: the run that was started last, and when it may be started again.

    Times are of a clock that never goes back.
    """

    def __init__(self, one: Manifest, run: str = "", now: float = 0.0) -> None:
        self.manifest, self.run = one, run
        self.restarts = 0
        self.starts = 1 if run else 0
        self.due = 0.0
        self._begun = now
        self._is_up = bool(run)

    def is_due(self, now: float) -> bool:
        """Whether it has to be started now."""
        return not self._is_up and self.comes_again and now >= self.due

    @property
    def comes_again(self) -> bool:
        """Whether it will be started, now or later."""
        if self._is_up or not self.starts:
            return True
        most = self.manifest.restarts
        return self.manifest.mode == "ensure" and (most is None or self.restarts < most)

    @property
    def is_up(self) -> bool:
        """Whether its run is under way."""
        return self._is_up

    def began(self, run: str, now: float) -> None:
        """It was started as this run."""
        self.restarts += self.starts > 0
        self.starts += 1
        self.run, self._begun, self._is_up = run, now, True

    def ended(self, now: float) -> None:
        """Its run is over, or could not begin."""
        if not self._is_up:
            self.restarts += self.starts > 0
            self.starts += 1
        elif now - self._begun >= STEADY and self.manifest.restarts is None:
            self.restarts = 0
        self._is_up = False
        self.due = now + self.manifest.pause(self.restarts)
