"""The longest chain of a plan."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.core.model import Plan


def critical_path(plan: Plan) -> tuple[str, ...]:
    """The longest chain of dependencies, counted in tasks, first to last; of equals the first in plan order."""
    length: dict[str, int] = {}
    before: dict[str, str | None] = {}
    place = {name: at for at, name in enumerate(plan.steps)}
    for name, step in plan.steps.items():
        best = max(step.deps, key=lambda dep: (length[dep], -place[dep]), default=None)
        before[name] = best
        length[name] = 1 if best is None else length[best] + 1
    at: str | None = max(length, key=lambda name: length[name], default=None)
    chain: list[str] = []
    while at is not None:
        chain.append(at)
        at = before[at]
    return tuple(reversed(chain))
