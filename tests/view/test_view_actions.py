"""On GitHub Actions: groups, annotations, and output of tasks that the runner does not obey."""

import re
from io import BytesIO

import pytest
from showing import begun, failed, over, said, started, succeeded

from spry.core.model import Plan, Step, Task
from spry.view.actions import Annotations, Runner
from spry.view.plain import output
from spry.view.screen import Screen

TASK = Task("a", "bash", "true\n", "docs/a,b:c.md", "/repo/docs", 7, 9)
PLAN = Plan({"a": Step(TASK, ()), "b": Step(TASK._replace(name="b"), ())})


def shown(mode, *events, together=True, workspace="/repo"):
    """What a run writes, its tokens by their number; both streams in one place, or each by itself."""
    stdout = BytesIO()
    stderr = stdout if together else BytesIO()
    screen = Screen(stdout, stderr, environ={})
    screen.runner = Runner(screen)
    listeners = [output(mode, screen, PLAN), Annotations(screen.runner, PLAN, workspace)]
    for event in events:
        for listener in listeners:
            listener(event)
    listeners[0].close()
    screen.runner.close()
    screen.close()
    found = [stream.getvalue().decode() for stream in ([stdout] if together else [stdout, stderr])]
    tokens = list(dict.fromkeys(re.findall("[0-9a-f]{32}", "".join(found))))
    for number, token in enumerate(tokens, 1):
        found = [text.replace(token, f"T{number}") for text in found]
    return found[0] if together else tuple(found)


def obeyed(text):
    """The commands in a stream that a runner carries out, as its documentation says: none between stop and token."""
    token, found = "", []
    for line in text.split("\n"):
        command = re.match(r"\s*::([\w-]+)(?: [^:]*)?::(.*)", line) or re.search(
            r"##\[([\w-]+)(?: [^\]]*)?\](.*)", line
        )
        if not command:
            continue
        if token:
            token = "" if command[1] == token else token
        elif command[1] == "stop-commands":
            token = command[2]
        else:
            found.append(command[1])
    return found


def test_the_output_of_a_task_is_a_group_that_the_runner_does_not_obey():
    text = shown("group", started("a", "b"), begun("a"), said("a", "::set-env name=X::y\n"), succeeded("a"), over())

    assert text == (
        "::group::a\n::stop-commands::T1\n::set-env name=X::y\n::T1::\n::endgroup::\n"
        "✓ a completed (1.2s)\n in 3.4s\n".replace("\n in", "\nnothing ran in")
    )


def test_each_stream_has_its_own_stop_where_they_are_two():
    out, err = shown(
        "group",
        started("a", "b"),
        begun("a"),
        said("a", "::error::out\n"),
        said("a", "::error::err\n", "stderr"),
        succeeded("a"),
        over(),
        together=False,
    )

    assert out == "::stop-commands::T1\n::error::out\n::T1::\n"
    assert "::stop-commands::T2\n::error::err\n::T2::\n::endgroup::\n" in err


def test_a_task_that_streams_is_stopped_from_its_first_byte_to_its_end():
    text = shown("group", started("a"), begun("a"), said("a", "::a::\nhalf"), said("a", " a line"), succeeded("a"))

    assert text == "::group::a\n::stop-commands::T1\n::a::\nhalf a line\n::T1::\n::endgroup::\n✓ a completed (1.2s)\n"


def test_a_task_without_output_makes_no_group():
    assert "::" not in shown("group", started("a", "b"), begun("a"), succeeded("a"), over())


def test_every_block_has_a_token_of_its_own():
    events = [begun("a"), said("a", "x\n"), succeeded("a"), begun("b"), said("b", "y\n"), succeeded("b")]
    text = shown("group", started("a", "b"), *events)

    assert text.count("::stop-commands::T1\n") == text.count("::stop-commands::T2\n") == 1


@pytest.mark.parametrize("mode", ["group", "prefix", "quiet"])
@pytest.mark.parametrize("together", [True, False])
def test_nothing_that_a_task_writes_is_obeyed_and_our_own_is(mode, together):
    evil = "::error::forged\n  ::add-mask::x\n##[warning]forged\n::guess::\n::endgroup::\nno line end ##[group]"
    events = [
        started("a", "b"),
        begun("a"),
        begun("b"),
        said("a", evil, "stderr"),
        said("b", evil),
        said("a", "\n" + evil, "stderr"),
        failed("a"),
        succeeded("b"),
        over(ok=False, failed=1),
    ]
    texts = shown(mode, *events, together=together)
    for text in [texts] if together else texts:
        assert set(obeyed(text)) <= {"group", "endgroup", "error"}
        assert obeyed(text).count("error") <= 1
    assert "error" in obeyed(texts if together else texts[1])


def test_a_failure_is_put_beside_its_task_in_the_repository():
    text = shown("quiet", started("a"), failed("a", 7, message="100%,\nno: x"))

    assert (
        "::error file=docs/a%2Cb%3Ac.md,line=7,col=9,title=Task a::failed with exit code 7 (0.3s): 100%25,%0Ano: x\n"
        in text
    )


def test_an_optional_failure_is_a_warning_and_a_success_is_nothing():
    text = shown("group", started("a", "b"), failed("a", optional=True), succeeded("b"))

    assert obeyed(text) == ["warning"]


def test_a_runbook_elsewhere_keeps_its_path():
    assert "::error file=docs/a%2Cb%3Ac.md," in shown("group", started("a"), failed("a"), workspace="/elsewhere")
