"""The page of a run: whole by itself, and nothing of what tasks or runbooks hold is obeyed."""

import re
from html.parser import HTMLParser

import pytest
from golden import check
from hypothesis import given
from hypothesis import strategies as st
from reporting import EVERY, HOSTILE, every_outcome, one_task, planned, report, task
from showing import begun, ended, failed, over, said, started, succeeded

from spry.core.events import Outcome, Reason
from spry.view.reports.colours import painted
from spry.view.reports.page import rendered
from spry.view.reports.timeline import _ticks

VOID = {"meta", "link", "img", "br", "hr", "input", "rect", "line", "path"}
TAGS = {
    "html", "head", "meta", "title", "link", "style", "body", "header", "main", "footer", "section", "article", "div",
    "h1", "h2", "h3", "h4", "h5", "h6", "p", "a", "span", "ul", "ol", "li", "details", "summary", "pre", "code", "i",
    "em", "strong", "s", "table", "thead", "tbody", "tr", "th", "td", "blockquote", "figure", "figcaption", "hr", "br",
    "svg", "defs", "marker", "path", "rect", "line", "g", "text",
}  # fmt: skip


class Page(HTMLParser):
    """A page as a browser reads it: its elements with their attributes, and the text of each kind of element."""

    def __init__(self, html):
        super().__init__()
        self.elements = []
        self.open = []
        self.words = {}
        self.feed(html)
        self.close()
        assert self.open == [], "not closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.words[tag] = self.words.get(tag, "") + data

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.elements if name in attrs]

    def assert_harmless(self):
        """Nothing runs, nothing is fetched, and links lead to the page itself or were written as prose."""
        assert {tag for tag, _ in self.elements} <= TAGS
        assert not [name for _, attrs in self.elements for name in attrs if name.startswith("on")]
        assert not self.attributes("src")
        assert all(link.startswith(("#", "data:image/svg+xml,")) for link in self.attributes("href"))
        assert not re.search(r"url\((?!#spry-tip)|@import|expression", " ".join(self.attributes("style")))


def page(events, of, code=1, **fields):
    return Page(report("html", events, of, code, **fields))


# What is on it


def test_a_run_with_every_outcome_looks_like_this():
    html = report("html", every_outcome(), EVERY, 130)

    check("reports/every.html", re.sub(r"<style>.*?</style>", "<style>…</style>", html, flags=re.DOTALL))


def test_the_page_forbids_browsers_to_run_or_fetch_anything():
    metas = [attrs for tag, attrs in page(every_outcome(), EVERY).elements if tag == "meta"]

    policy = next(meta["content"] for meta in metas if meta.get("http-equiv") == "Content-Security-Policy")
    assert {"default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"} <= set(policy.split("; "))


def test_every_link_within_the_page_leads_somewhere():
    found = page(every_outcome(), EVERY)
    links = {link[1:] for link in found.attributes("href") if link.startswith("#")}

    assert links
    assert links <= set(found.attributes("id"))


def test_the_picture_shows_each_task_with_its_outcome_and_leads_to_it():
    found = page(every_outcome(), EVERY)
    boxes = [attrs["class"] for tag, attrs in found.elements if tag == "rect" and attrs.get("class", "")[:3] == "box"]

    assert sorted(found.attributes("data-task")) == sorted(EVERY.steps)
    assert {box.split()[-1] for box in boxes} == {"succeeded", "failed", "skipped", "cancelled"}


def test_there_is_a_bar_for_each_attempt_where_it_was():
    bars = [attrs for tag, attrs in page(every_outcome(), EVERY).elements if tag == "rect" and attrs.get("rx") == "3"]

    assert [bar["class"] for bar in bars].count("retried") == 2
    assert len(bars) == 11
    assert all(0 <= float(bar["x"][:-1]) < 100 for bar in bars)
    assert all(0 < float(bar["width"][:-1]) + float(bar["x"][:-1]) <= 100.001 for bar in bars)


def test_what_failed_is_unfolded_and_the_rest_is_not():
    tasks = [attrs for tag, attrs in page(every_outcome(), EVERY).elements if tag == "details"]

    assert all(("open" in attrs) == ("failed" in attrs["class"]) for attrs in tasks)


def test_a_graph_that_is_too_large_is_left_out():
    names = [f"t{number}" for number in range(401)]
    found = page([started(*names), *(succeeded(name) for name in names), over()], planned(*map(task, names)), 0)

    assert not found.attributes("data-task")


def test_what_is_left_out_of_output_is_said():
    assert "first 4,464 of 70,000 bytes left out; all of it: spry logs r1/t" in report("html", *one_task(b"x" * 70_000))


@pytest.mark.parametrize(("span", "ticks"), [(0.9, 5), (10.0, 6), (3600.0, 2), (0.001, 2), (86400.0, 2)])
def test_the_scale_of_time_has_a_handful_of_round_instants(span, ticks):
    found = _ticks(span)

    assert found[0] == 0
    assert ticks <= len(found) <= 7
    assert found[-1] <= span


# Whom it obeys


@pytest.mark.parametrize("good", [True, False])
def test_nothing_that_a_task_writes_is_obeyed(good):
    events, of = one_task(HOSTILE, good=good)
    found = page(events, of)

    found.assert_harmless()
    assert "<script>alert(1)</script>" in found.words["pre"]


@given(
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=80) | st.just(HOSTILE)), max_size=4),
    st.text(max_size=40),
)
def test_nothing_that_a_task_writes_or_says_is_obeyed_whatever_it_is(pieces, message):
    written = [said("t", data, stream) for stream, data in pieces]
    ending = failed("t", reason=Reason.HANDLER, message=message)
    events = [started("t", "u"), begun("t"), *written, ending, ended("u", Outcome.SKIPPED, None, message), over()]
    of = planned(task("t", descr=message), task("u", path="<b>&\"'.md"))

    page(events, of).assert_harmless()


PROSE = """\
# A title <script>alert(1)</script>

<!-- a comment for the author -->
<script>alert(1)</script>

<img src=x onerror=alert(1)> inline <b>bold</b> <!-- and another --> text

![a picture](https://example.org/a.png "title") [web](https://example.org) [script](javascript:alert(1))
[neighbour](other.md) <https://example.org/auto> [data](data:text/html,x) [mail](mailto:a@example.org)

```bash build onmouseover="x" <b>
echo "<script>"
```

- a list

  ~~~yaml
  not: a task
  ~~~
"""


def test_a_runbook_is_rendered_without_obeying_it():
    found = Page(rendered(PROSE, {12: '<a class="badge" href="#t1">done</a>'}))

    links = found.attributes("href")
    assert links == ["https://example.org", "https://example.org/auto", "mailto:a@example.org", "#t1"]
    assert {tag for tag, _ in found.elements} <= TAGS
    assert not found.attributes("src")
    assert not found.attributes("onerror")


def test_comments_of_a_runbook_are_left_out_and_other_html_is_shown():
    html = rendered(PROSE, {})

    assert "comment" not in html
    assert "another" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "inline &lt;b&gt;bold&lt;/b&gt;  text" in html
    assert '<em class="image">a picture</em>' in html


def test_a_cell_shows_what_became_of_its_task():
    html = rendered(PROSE, {12: "BADGE"})

    assert html.count("BADGE") == 1
    assert '<figure class="cell"><figcaption><code>bash build' in html


# Colours


@pytest.mark.parametrize(
    ("data", "html"),
    [
        (b"\x1b[31mred\x1b[0m plain", '<span class="ink1">red</span> plain'),
        (b"\x1b[1;92mgood\x1b[22m less\x1b[39m none", None),
        (b"\x1b[38;5;208morange", '<span style="color:rgb(255,135,0)">orange</span>'),
        (b"\x1b[48;2;1;2;300mtrue", '<span style="background-color:rgb(1,2,255)">true</span>'),
        (b"\x1b[38;5;9mbright", '<span class="ink9">bright</span>'),
        (b"\x1b[38;5mcut\x1b[38m\x1b[999999999m", '<span class="ink0">cut</span>'),
        (b"\x1b[2J\x1b]0;title\x07\x1b[Hgone", "gone"),
        (b"10%\r90%\r100%\r\n", "100%\n"),
        (b"<&>\xff", "&lt;&amp;&gt;\ufffd"),
    ],
)
def test_colours_of_a_terminal_become_classes_and_everything_else_goes(data, html):
    shown = painted([("stdout", data)])

    assert shown == html or html is None
    if html is None:
        assert shown == '<span class="bold ink10">good</span><span class="ink10"> less</span> none'


def test_a_colour_and_a_letter_go_on_in_the_next_piece_of_their_stream():
    pieces = [("stdout", b"\x1b[31ma\xc3"), ("stderr", b"b"), ("stdout", b"\xa4")]

    assert painted(pieces) == (
        '<span class="ink1">a</span><span class="stderr" title="stderr">b</span><span class="ink1">ä</span>'
    )


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=40)), max_size=5))
def test_painting_leaves_every_letter_and_closes_every_tag(pieces):
    shown = painted(pieces)

    assert (
        re.sub(
            r'<span(?: class="[a-z0-9 ]+")?(?: style="[a-z0-9:;(),-]+")?(?: title="stderr")?>|</span>', "", shown
        ).find("<")
        == -1
    )
    assert shown.count("<span") == shown.count("</span>")
