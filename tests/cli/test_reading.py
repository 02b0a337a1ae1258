"""Two readers of the command line: click, and the quick one that must agree with it or stand aside."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.cli import quick
from spry.cli.app import request
from spry.cli.options import MODES, QUICK, Request

COMMANDS = st.sampled_from(sorted(QUICK))
WORDS = st.sampled_from(["a", "b.md", "x=1", "K=a=b", "-", "3", "5m", "raw", "B.MARKDOWN", "ä", "", *MODES])


@st.composite
def command_lines(draw):
    command = draw(COMMANDS)
    argv = [command]
    for option in draw(st.lists(st.sampled_from([*QUICK[command], None]), max_size=6)):
        if option is None:
            argv.append(draw(WORDS))
            continue
        spelling = draw(st.sampled_from([name for name in (option.long, option.short) if name]))
        if not option.metavar:
            argv.append(spelling)
        elif draw(st.booleans()):
            argv.append(f"{spelling}={draw(WORDS)}")
        else:
            argv += [spelling, draw(WORDS)]
    return argv + draw(st.sampled_from([[], [], ["--"], ["--", "-x", "y.md"]]))


@examples(400)
@given(command_lines())
def test_what_the_quick_reader_accepts_click_reads_alike(argv):
    asked = quick.read(argv)

    if asked is not None:
        assert request(argv) == asked


@examples(200)
@given(
    st.lists(
        st.sampled_from(["task", "ls", "-n", "--nope", "--dry-ru", "-j", "-jn", "a", "--help", "-v=1", "--"]),
        max_size=5,
    )
)
def test_what_click_refuses_the_quick_reader_never_accepts(argv):
    try:
        request(argv)
    except click.ClickException:
        assert quick.read(argv) is None


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], Request("ls")),
        (["docs/a.md"], Request("ls", files=("docs/a.md",))),
        (["task", "a", "b", "x.md"], Request("task", ("a", "b"), ("x.md",))),
        (["task", "a", "-f", "x", "y.md"], Request("task", ("a",), ("x", "y.md"))),
        (["task", "a", "--", "--x", "b.md"], Request("task", ("a",), words=("--x", "b.md"))),
        (["task", "a", "-j", "4", "-n", "--env=A=1", "--env", "B=2"],
         Request("task", ("a",), jobs="4", dry_run=True, env=("A=1", "B=2"))),
        (["run"], Request("run")),
        (["ls", "--json"], Request("ls", json=True)),
    ],
)  # fmt: skip
def test_everyday_lines_need_no_click(argv, expected):
    assert quick.read(argv) == expected


ASIDE = ["task", "task --help", "task a --nope", "tsk a", "task a -j", "ls a", "show a", "task a --output loud"]


@pytest.mark.parametrize("line", [*ASIDE, "task a -j 1 -j 2", "task a --dry-run=yes"])
def test_the_quick_reader_stands_aside_at_anything_else(line):
    assert quick.read(line.split()) is None


def test_options_before_the_command_count_too():
    asked = request(["-f", "x.md", "-C", "docs", "task", "a", "-f", "y.md"])

    assert asked == Request("task", ("a",), ("x.md", "y.md"), chdir="docs")


def test_a_wrong_command_names_the_nearest():
    with pytest.raises(click.UsageError, match=r'No such command "tsk"\. Did you mean "task"\?'):
        request(["tsk", "a"])


def test_a_task_named_without_a_command_is_told_how():
    with pytest.raises(click.UsageError, match="To run a task: spry task deploy"):
        request(["deploy"])
