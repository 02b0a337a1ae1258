"""What starts by itself in a project, and how often: a manifest names something saved, and a policy."""

from __future__ import annotations

from spry.core.specvalues import NUMBER, OBJECT, STRING
from spry.core.taskspec import Reader
from spry.core.text import listing
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.core.jsontext import Value
    from spry.core.source import Source

KINDS = ("task", "pipeline")
MODES = ("once", "ensure")
BACKOFF, LONGEST_BACKOFF = 1.0, 60.0  # seconds


class Manifest(NamedTuple):
    """One thing that a manager starts: `target` is the name of a saved spec (`task`, `pipeline`), or a `runbook`.

    Mode `once` starts it once for each manager, `ensure` again whenever it has ended, at most `restarts` times (None:
    without an end), after `backoff` seconds that double each time.
    """

    name: str
    kind: str
    target: str
    mode: str = "once"
    restarts: int | None = None
    backoff: float = BACKOFF

    def pause(self, restarts: int) -> float:
        """Seconds between an end and the start that follows it, after so many of these."""
        return min(self.backoff * 2.0 ** min(restarts, 20), max(LONGEST_BACKOFF, self.backoff))


def manifest(source: Source, name: str) -> Manifest:
    """The manifest in a file, called `name` if it has no name of its own; RunbookError with everything wrong in it."""
    reader = Reader(source)
    top = reader.parsed()
    members = reader.members(top, ("name", "description", "target", "policy", "metadata"), "a manifest")
    name = reader.own_name(members, name)
    kind, target = _target(reader, top, members.get("target"))
    mode, restarts, backoff = _policy(reader, members.get("policy"))
    reader.conclude()
    return Manifest(name, kind, target, mode, restarts, backoff)


def _target(reader: Reader, top: Value, value: Value | None) -> tuple[str, str]:
    if value is None:
        if top.kind == OBJECT:
            hint = 'write {"type": "task", "name": …}'
            reader.problems.append(reader.problem('"target" is missing', top.start, top.start + 1, hint))
        return "", ""
    found = reader.members(value, ("type", "name"), "target")
    for key, item in found.items():
        reader.expect(item, STRING, key)
    kind = str(found["type"].plain) if "type" in found else "task"
    if kind not in KINDS:
        reader.fault(found["type"], f"type: expected {listing(KINDS, 'or')}")
    if "name" not in found and value.kind == OBJECT:
        reader.fault(value._replace(end=value.start + 1), '"name" is missing: a target is something saved')
        return kind, ""
    return kind, str(found["name"].plain) if "name" in found else ""


def _policy(reader: Reader, value: Value | None) -> tuple[str, int | None, float]:
    if value is None:
        return "once", None, BACKOFF
    found = reader.members(value, ("mode", "max_restarts", "backoff"), "policy")
    mode, restarts, backoff = found.get("mode"), found.get("max_restarts"), found.get("backoff")
    if mode is not None and mode.plain not in MODES:
        reader.fault(mode, f"mode: expected {listing(MODES, 'or')}")
    if restarts is not None and restarts.kind != "nothing" and not _is_count(restarts):
        reader.fault(restarts, "max_restarts: expected a whole number from 0 on, or null for no end")
    if backoff is not None and reader.expect(backoff, NUMBER, "backoff") and not 0 < float(backoff.plain or 0) < 1e6:
        reader.fault(backoff, "backoff: expected seconds above 0")
    most = int(str(restarts.plain)) if restarts is not None and _is_count(restarts) else None
    seconds = float(backoff.plain or BACKOFF) if backoff is not None and backoff.kind == NUMBER else BACKOFF
    return str(mode.plain) if mode is not None else "once", most, seconds


def _is_count(value: Value) -> bool:
    return value.kind == NUMBER and isinstance(value.plain, int) and value.plain >= 0
