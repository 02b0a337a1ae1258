"""Reports: JUnit, TAP, JSON, Markdown; every outcome, hostile output, output that is too much."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from golden import check
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reporting import EVERY, HOSTILE, every_outcome, one_task, planned, report, task
from schemas import conform
from showing import begun, ended, failed, over, said, started, succeeded

from spry.core.events import Outcome, Reason
from spry.view.reports import tails
from spry.view.reports.formats import FORMATS
from spry.view.reports.tails import LIMIT, Shelf, Tail, plain

EXTENSIONS = {"junit": "xml", "json": "json", "markdown": "md", "tap": "tap"}
READER = MarkdownIt("commonmark").enable("table")
BYTES = st.binary(max_size=200) | st.sampled_from([HOSTILE, b"\x1b[", b"]]>", b"\n", b"```", b"::error::x\n"])
ENDINGS = st.sampled_from(
    [
        succeeded("t"),
        failed("t"),
        failed("t", None, reason=Reason.SIGNAL, signal=9),
        failed("t", None, reason=Reason.HANDLER, message="no \x00 such <thing> # TODO"),
        failed("t", optional=True),
        ended("t", Outcome.SKIPPED, Reason.DEPENDENCY, '"x" failed'),
        ended("t", Outcome.CANCELLED, Reason.INTERRUPTED),
        ended("t", Outcome.CANCELLED, Reason.DECLINED),
    ]
)


def points(text):
    """The test points of a TAP document: number, whether it is ok, name and directive; and the rest of the lines."""
    found = []
    for line in text.split("\n"):
        point = re.fullmatch(r"(not )?ok (\d+) - (\S+)(?: # (SKIP|TODO) .*)?", line)
        if point:
            found.append((int(point[2]), not point[1], point[3], point[4]))
    return found


def diagnoses(text):
    """The YAML documents of a TAP document."""
    return [yaml.safe_load(block) for block in re.findall(r"^  ---\n(.*?)^  \.\.\.$", text, re.MULTILINE | re.DOTALL)]


# Every outcome


@pytest.mark.parametrize("form", EXTENSIONS)
def test_a_run_with_every_outcome_looks_like_this(form):
    check(f"reports/every.{EXTENSIONS[form]}", report(form, every_outcome(), EVERY, 130))


def test_every_format_has_a_golden_file():
    assert {*EXTENSIONS, "html"} == set(FORMATS)


@pytest.mark.parametrize("form", EXTENSIONS)
def test_a_run_that_broke_off_is_told_as_far_as_it_went_and_is_not_good(form):
    events = [started("a", "b"), begun("a"), said("a", "half")]
    text = report(form, events, planned(task("a"), task("b")), None)

    assert "half" in text
    assert "broke off" in text or '"ok": false' in text


def test_there_is_no_story_of_a_run_that_never_began():
    assert report("json", [], planned()) is None


# JUnit


def schema():
    etree = pytest.importorskip("lxml.etree", reason="lxml comes with the extra test")
    return etree, etree.XMLSchema(etree.parse(str(Path(__file__).with_name("junit.xsd"))))


@pytest.mark.parametrize(
    ("events", "of", "code"),
    [
        (every_outcome(), EVERY, 130),
        ([started("t"), over()], planned(task("t")), None),
        (*one_task(HOSTILE), 1),
        (*one_task(b"", good=True), 0),
    ],
)
def test_junit_is_what_the_schema_says(events, of, code):
    etree, known = schema()
    known.assertValid(etree.fromstring(report("junit", events, of, code).encode()))


def test_junit_counts_what_it_holds():
    root = ET.fromstring(report("junit", every_outcome(), EVERY, 130))

    for counted in (root, *root.iter("testsuite")):
        cases = list(counted.iter("testcase"))
        assert int(counted.get("tests")) == len(cases)
        for figure, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(counted.get(figure)) == sum(case.find(tag) is not None for case in cases), figure


@pytest.mark.parametrize(
    "ending",
    [
        ended("t", Outcome.CANCELLED, Reason.INTERRUPTED),
        ended("t", Outcome.SKIPPED, Reason.DEPENDENCY),
        ended("t", Outcome.CANCELLED, Reason.DECLINED),
        succeeded("t"),
        failed("t", optional=True),
    ],
)
def test_a_run_that_is_not_good_has_an_error_in_junit_and_tap_even_if_no_task_is_to_blame(ending):
    events, of = [started("t"), ending, over(ok=False)], planned(task("t"))

    assert int(ET.fromstring(report("junit", events, of, 3)).get("errors")) == 1
    tap = report("tap", events, of, 3)
    assert "Bail out! The run ended with exit code 3" in tap or "\nnot ok 1 - t\n" in tap


def test_what_is_optional_and_fails_makes_no_report_bad():
    events = [started("t"), begun("t"), failed("t", optional=True), over()]
    root = ET.fromstring(report("junit", events, planned(task("t", optional=True)), 0))

    assert (root.get("failures"), root.get("errors"), root.get("skipped")) == ("0", "0", "1")
    assert points(report("tap", events, planned(task("t")), 0)) == [(1, False, "t", "TODO")]


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), BYTES), max_size=5), ENDINGS)
def test_junit_always_parses_whatever_tasks_write(pieces, ending):
    events = [started("t"), begun("t"), *(said("t", data, stream) for stream, data in pieces), ending, over()]
    root = ET.fromstring(report("junit", events, planned(task("t"))))

    assert next(root.iter("testcase")).get("name") == "t"


# TAP


def test_tap_has_a_point_for_each_task_and_a_bail_out_where_the_run_was_interrupted():
    text = report("tap", every_outcome(), EVERY, 130)

    assert text.startswith("TAP version 14\n1..13\n")
    assert [name for _, _, name, _ in points(text)] == list(EVERY.steps)
    assert text.endswith("Bail out! The run was told to stop by signal 2\n")
    assert points(text)[4] == (5, True, "deploy", "SKIP")


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), BYTES), max_size=5), ENDINGS)
def test_tap_always_has_its_number_of_points_and_sound_yaml_whatever_tasks_write(pieces, ending):
    events = [started("t", "u"), begun("t"), *(said("t", data, stream) for stream, data in pieces), ending]
    text = report("tap", [*events, ended("u", Outcome.SKIPPED), over()], planned(task("t"), task("u")))

    assert [point[0] for point in points(text)] == [1, 2]
    assert text.split("\n")[1] == "1..2"
    assert len(diagnoses(text)) == 2
    assert all(line.startswith(("  ", "ok ", "not ok ")) for line in text.split("\n")[2:-1] if "Bail" not in line)


# JSON


@pytest.mark.parametrize(("events", "of", "code"), [(every_outcome(), EVERY, 130), (*one_task(HOSTILE), 1)])
def test_json_is_what_the_schema_says(events, of, code):
    conform("report", json.loads(report("json", events, of, code)))


def test_json_of_a_run_that_broke_off_is_what_the_schema_says():
    events = [started("a", "b"), begun("a"), said("a", "half")]
    found = json.loads(report("json", events, planned(task("a"), task("b")), None))

    conform("report", found)
    assert [one["outcome"] for one in found["tasks"]] == [None, None]
    assert found["exit_code"] == 3


def test_json_has_the_text_as_events_have_it():
    found = json.loads(report("json", *one_task(HOSTILE)))

    assert found["tasks"][0]["attempts"][0]["output"][0]["text"] == HOSTILE.decode("utf-8", "replace")


# Markdown


@given(BYTES, ENDINGS)
def test_nothing_that_a_task_writes_leaves_its_code_block_in_markdown(data, ending):
    events = [started("t"), begun("t"), said("t", data + b"\nend"), ending, over()]
    tokens = READER.parse(report("markdown", events, planned(task("t"))))

    html = [token.content for token in tokens if token.type == "html_block"]
    assert all(re.match(r"<details><summary>|</details>", block) for block in html)
    assert len(html) in {0, 2}
    assert not [child for token in tokens for child in token.children or () if child.type in {"link_open", "image"}]


def test_a_message_cannot_break_the_table_of_markdown():
    message = "a|b <b> *x* [y](z) `q` \n new ~~line~~ https://example.org @all #1"
    events = [started("t"), begun("t"), failed("t", reason=Reason.HANDLER, message=message), over()]
    tokens = READER.parse(report("markdown", events, planned(task("t"))))
    cells = [tokens[at + 1] for at, token in enumerate(tokens) if token.type == "td_open"]

    assert len(cells) == 4
    assert {child.type for child in cells[2].children} == {"text"}
    assert cells[2].content.count("\\") > 10


def test_only_the_errors_of_a_silent_task_are_shown_in_markdown():
    events = [started("t"), begun("t"), said("t", "quiet\n"), said("t", "loud\n", "stderr"), failed("t"), over()]
    text = report("markdown", events, planned(task("t", silent=True)))

    assert "loud" in text
    assert "quiet" not in text


def test_markdown_of_thousands_of_failures_fits_into_the_summary_of_a_job():
    names = [f"t{number}" for number in range(2_000)]
    events = [started(*names)]
    for name in names:
        events += [begun(name), said(name, b"x" * 5000), failed(name)]

    assert len(report("markdown", [*events, over(ok=False)], planned(*map(task, names))).encode()) < 1_000_000


# Too much output


def test_of_much_output_the_end_is_kept_from_the_beginning_of_a_line_on_and_the_rest_is_told():
    lines = b"".join(b"line %06d\n" % number for number in range(20_000))
    events, of = one_task(lines)
    tail = json.loads(report("json", events, of))["tasks"][0]["attempts"][0]
    text = tail["output"][0]["text"]

    assert LIMIT - 12 <= len(text) <= LIMIT
    assert text.startswith("line ")
    assert text.endswith("line 019999\n")
    assert (tail["bytes"], tail["left_out"]) == (len(lines), len(lines) - len(text))
    cut = f"output cut: first {tail['left_out']:,} of {len(lines):,} bytes left out"
    assert f"[{cut}; all of it: spry logs r1/t]" in report("junit", events, of)
    assert f"[{cut}]" in report("junit", events, of, recorded=False)


def test_pieces_of_both_streams_stay_in_order_when_the_beginning_is_cut():
    tail = Tail()
    for number in range(10_000):
        tail.add(("stdout", "stderr")[number % 2], b"%05d\n" % number)

    pieces = tail.pieces()
    assert pieces[-1] == ("stderr", b"09999\n")
    numbers = [int(data) for _, data in pieces]
    assert numbers == list(range(numbers[0], 10_000))
    assert tail.total == 60_000


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=3 * LIMIT)), max_size=4))
def test_a_tail_is_the_end_of_what_was_written(written):
    tail = Tail()
    for stream, data in written:
        tail.add(stream, data)

    kept = b"".join(data for _, data in tail.pieces())
    everything = b"".join(data for _, data in written)
    assert len(kept) <= LIMIT
    assert everything.endswith(kept)
    assert len(kept) == len(everything) or len(kept) >= LIMIT - tails.LONGEST_LINE - 2 * tails.OVERHEAD


def test_many_tails_leave_memory_for_a_file(monkeypatch):
    monkeypatch.setattr(tails, "IN_MEMORY", 1000)
    shelf, outputs = Shelf(), []
    for number in range(50):
        tail = Tail()
        tail.add("stdout", b"%d" % number * 50)
        outputs.append(shelf.put(tail))

    assert shelf._file._rolled
    assert [output.text("stdout") for output in outputs] == [str(number) * 50 for number in range(50)]
    shelf.close()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"10%\r50%\r100%\ndone", "100%\ndone"),
        (b"\x1b[31mred\x1b[0m\x08\x00\x1b]0;x\x07", "red"),
        (b"\xff\xe2\x82", "\ufffd\ufffd"),
    ],
)
def test_plain_text_is_what_a_terminal_would_have_left(data, text):
    assert plain(data) == text
