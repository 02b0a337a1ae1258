"""Why a task is not up to date: what is no longer as it was when it last succeeded, in words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from spry.core.fingerprint import Part

    Key = tuple[str, str]

WORDS: Mapping[str, str] = {
    "script": "script",
    "interpreter": "interpreter",
    "flags": "flags",
    "words": "arguments after --",
    "parameter": "parameter {}",
    "variable": "variable {}",
    "input": "input {}",
    "output": "output {}",
    "dependency": "dependency {}",
}
AFTERWARDS = frozenset({"left", "saved"})  # what a dependency made: told only where the dependency is the same
TOLD = 5  # in one line


def differences(before: Iterable[Part], now: Iterable[Part]) -> list[str]:
    """What of the parts differs, each as words: `input src/a.c changed`, `dependency build left something else`."""
    old, new = _by_key(before), _by_key(now)
    return [*_told(old, new)]


def brief(texts: Sequence[str], between: str = "; ") -> str:
    """Reasons, or other things, in one line, the first few of many."""
    more = len(texts) - TOLD
    return between.join([*texts[:TOLD], f"and {more} more"] if more > 0 else texts)


def _told(old: Mapping[Key, str], new: Mapping[Key, str]) -> Iterator[str]:
    for key in dict.fromkeys((*new, *old)):
        kind, name = key
        if old.get(key) == new.get(key):
            continue
        if kind in AFTERWARDS:
            if key in old and key in new:
                yield f"dependency {name} {kind} something else"
            continue
        change = "is new" if key not in old else "is gone" if key not in new else "changed"
        yield f"{WORDS[kind].format(name)} {change}"


def _by_key(parts: Iterable[Part]) -> dict[Key, str]:
    return {(part.kind, part.name): part.digest for part in parts}
