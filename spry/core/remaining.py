"""How long a run will still take, as far as earlier runs can tell."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from spry.core.model import Step


def seconds_left(
    steps: Mapping[str, Step],
    usual: Mapping[str, float],
    ended: Collection[str],
    running: Mapping[str, float],
    jobs: int,
) -> float | None:
    """Seconds until the last of these steps, in topological order, will have ended; None if no time of any is known.

    `usual` are the seconds of each task in earlier runs: one that is new is taken for an average one. `running` are the
    seconds since each started. There is no less to do than the longest path, nor than all work shared by `jobs`.
    """
    known = [seconds for name, seconds in usual.items() if name in steps]
    if not known:
        return None
    average = sum(known) / len(known)
    path: dict[str, float] = {}
    work = 0.0
    for name, step in steps.items():
        if name in ended:
            continue
        rest = max(usual.get(name, average) - running.get(name, 0.0), 0.0)
        work += rest
        path[name] = rest + max((path.get(dep, 0.0) for dep in step.deps), default=0.0)
    return max(max(path.values(), default=0.0), work / max(jobs, 1))
