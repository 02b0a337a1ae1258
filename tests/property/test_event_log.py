"""What is stored of a run is the run: the events come back as they were, and fold to the same result."""

from __future__ import annotations

import tempfile

from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.core.events import (
    Outcome,
    Reason,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskProgress,
    TaskRetrying,
    TaskStarted,
)
from spry.core.result import counts, fold
from spry.store import database
from spry.store.archive import Archive
from spry.store.history import Beginning, History, Left

RUN = "1795238277859122139"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SECONDS = st.floats(0, 1e6)
NUMBERS = st.none() | st.integers(0, 255)


@st.composite
def lives(draw, name):
    """The events of one task."""
    events, attempt = [], 0
    for _ in range(draw(st.integers(0, 2))):
        attempt += 1
        events.append(TaskStarted(draw(SECONDS), RUN, name, attempt))
        events.append(TaskProgress(draw(SECONDS), RUN, name, attempt, draw(st.none() | SECONDS), draw(TEXT)))
        reason = draw(st.sampled_from(Reason))
        times = draw(st.integers(2, 9)), draw(SECONDS)
        ending = draw(NUMBERS), draw(NUMBERS)
        events.append(TaskRetrying(draw(SECONDS), RUN, name, attempt, *times, reason, *ending, draw(TEXT)))
    outcome, reason = draw(st.sampled_from(Outcome)), draw(st.none() | st.sampled_from(Reason))
    ending = draw(NUMBERS), draw(NUMBERS), draw(SECONDS)
    events.append(
        TaskFinished(draw(SECONDS), RUN, name, attempt, outcome, reason, *ending, draw(TEXT), draw(st.booleans()))
    )
    return events


@st.composite
def runs(draw):
    """The events of a run; some were cut short."""
    names = draw(st.lists(st.from_regex(r"[a-z]{1,4}", fullmatch=True), unique=True, max_size=4))
    events = [RunStarted(draw(SECONDS), RUN, tuple(names), draw(st.integers(1, 8)))]
    for name in names:
        events += draw(lives(name))
    finished = [event for event in events if isinstance(event, TaskFinished)]
    end = RunFinished(
        draw(SECONDS), RUN, draw(st.booleans()), counts(finished), draw(SECONDS), draw(st.integers(0, 255))
    )
    return [*events, end] if draw(st.booleans()) else events


def stored(folder, events):
    """Events written by one process, as another reads them."""
    history = History(folder, database.connect(folder, create=True), Beginning(RUN, {}, "/"), lambda _: Left(), print)
    for event in events:
        history(event)
    history.close()
    archive = Archive(folder, database.connect(folder))
    try:
        return list(archive.events(RUN)), {one.task: one.outcome for one in archive.tasks(RUN)}
    finally:
        archive.close()


@examples(60)
@given(runs())
def test_the_stored_events_of_a_run_are_the_run(events):
    with tempfile.TemporaryDirectory() as folder:
        found, outcomes = stored(folder, events)

    assert found == events
    assert fold(found) == fold(events)
    assert outcomes == fold(events).outcomes
