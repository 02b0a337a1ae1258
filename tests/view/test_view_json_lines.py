"""Events for programs."""

import json
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemas import conform, schema
from showing import RUN, begun, ended, failed, over, retrying, said, started, succeeded

from examples import examples
from spry.core.events import NAMES, ConfirmationAsked, Outcome, Reason, TaskProgress
from spry.view.jsonl import json_lines
from spry.view.screen import Screen

EVERY = (
    started("a", "b"),
    begun("a"),
    said("a", "é\n"),
    TaskProgress(1.0, RUN, "a", 1, 25.0, "warming up"),
    ConfirmationAsked(1.0, RUN, "b", "Go?"),
    retrying("a"),
    failed("a", None, reason=Reason.SIGNAL, signal=9),
    ended("b", Outcome.SKIPPED, Reason.DEPENDENCY, '"a" failed'),
    succeeded("c"),
    over(ok=False, failed=1, skipped=1),
)


def written(*events):
    stdout, stderr = BytesIO(), BytesIO()
    screen = Screen(stdout, stderr, environ={})
    listener = json_lines(screen)
    for event in events:
        listener(event)
    listener.close()
    screen.close()

    assert stderr.getvalue() == b""
    return [json.loads(line) for line in stdout.getvalue().splitlines()]


@pytest.mark.parametrize("event", EVERY, ids=lambda event: type(event).__name__)
def test_every_event_has_the_documented_shape(event):
    (record,) = written(event)

    conform("event", record)


def test_the_manual_knows_every_event():
    documented = {one["properties"]["event"]["const"] for one in schema("event")["oneOf"]}

    assert documented == set(NAMES.values())


def test_every_event_is_tested():
    assert {type(event) for event in EVERY} == set(NAMES)


def test_events_stand_in_order_one_a_line():
    assert [record["event"] for record in written(*EVERY)] == [NAMES[type(event)] for event in EVERY]


def test_every_event_is_written_at_once():
    stdout = BytesIO()
    listener = json_lines(Screen(stdout, BytesIO(), environ={}))
    listener(begun("a"))

    assert stdout.getvalue().endswith(b"}\n")


def test_a_letter_split_over_two_chunks_stays_whole():
    texts = [record["text"] for record in written(said("a", b"caf\xc3"), said("a", b"\xa9!"))]

    assert texts == ["caf", "é!"]


def test_streams_do_not_share_their_halves():
    records = written(said("a", b"\xc3"), said("a", b"x", "stderr"), said("a", b"\xa9"))

    assert [(record["stream"], record["text"]) for record in records] == [("stderr", "x"), ("stdout", "é")]


def test_half_a_letter_at_the_end_is_told_as_unreadable():
    records = written(said("a", b"\xe2\x82"), succeeded("a"))

    assert [record.get("text") for record in records] == ["�", None]


def test_bytes_that_are_no_text_are_replaced():
    assert written(said("a", b"\xff\xfe"))[0]["text"] == "��"


@examples(150)
@given(st.text(max_size=20), st.lists(st.integers(0, 80), max_size=6))
def test_text_arrives_whole_wherever_it_is_split(text, cuts):
    data = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [said("a", data[start:end]) for start, end in pairwise(bounds)]
    records = written(*chunks, succeeded("a"))

    assert "".join(record.get("text", "") for record in records) == data.decode()
