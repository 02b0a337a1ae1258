"""How many examples a property is tried with: a third of them every day, all with `--hypothesis-profile=many`."""

from __future__ import annotations

from hypothesis import settings

FEWEST = 20


def examples(count: int) -> settings:
    """Settings of a property that is well tried after `count` examples, however long they take."""
    if settings.get_current_profile_name() != "many":
        count = min(count, max(count // 3, FEWEST))
    return settings(max_examples=count, deadline=None)
