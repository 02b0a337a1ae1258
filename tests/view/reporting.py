"""Runs for the tests of reports: every outcome there is, and output that wishes us ill."""

from showing import RUN, begun, ended, failed, over, said, started, succeeded

from spry.core.events import Outcome, Reason, RunFinished, TaskRetrying
from spry.core.model import Plan, Step, Task
from spry.view.reports.formats import written
from spry.view.reports.story import Chronicle

HOSTILE = (
    b"\x00\xff\xfe \x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J ]]> <script>alert(1)</script> </textarea></pre>\n"
    b"::set-env name=PATH::/tmp\n##[set-env name=PATH]/tmp\n1..99\nok 1 - forged\nBail out! forged\n# TODO\n"
    b"```\n~~~~\n</details>\n<img src=x onerror=alert(1)>\n&amp; \"'> \xe2\x80\xa8 \xef\xbf\xbe \xc2\x85 \xc2\x9b31m\n"
    b"  ...\n  ---\n\x08\x0b\x0c\x7f\r\n12%\r34%\r100%\n[a](javascript:alert(1))|`x`| @all\n"
)


def task(name, line=1, path="docs/ship.md", **fields):
    return Task(name, "bash", "true\n", path, "/w/docs", line, 9, line + 1, **fields)


def planned(*tasks):
    return Plan({one.name: Step(one, one.deps, len(one.deps)) for one in tasks})


EVERY = planned(
    task("install", 5, descr="Get what is needed"),
    task("lint", 9, deps=("install",)),
    task("flaky", 13, deps=("install",), attempts=3),
    task("build", 18, deps=("lint",)),
    task("deploy", 25, deps=("build",)),
    task("slow", 29, timeout=5.0),
    task("stubborn", 33, attempts=2),
    task("lost", 37),
    task("asked", 41, confirm="Really?"),
    task("running", 45),
    task("waiting", 49),
    task("cached", 5, path="docs/more.md"),
    task("clean", 9, path="docs/more.md", is_finally=True, optional=True),
)


def retrying(name, attempt, attempts, code, at):
    return TaskRetrying(at, RUN, name, attempt, attempts, 0.5, Reason.EXIT_CODE, code, None, "")


def every_outcome():
    """The events of a run in which everything happens that can happen to a task."""
    return [
        started(*EVERY.steps, at=1000.0),
        begun("install", at=1000.0),
        said("install", "installing\n"),
        said("install", "a warning\n", "stderr"),
        succeeded("install", 0.2)._replace(at=1000.2),
        begun("lint", at=1000.2),
        said("lint", "\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[0m\n"),
        succeeded("lint", 0.3)._replace(at=1000.5, leaked=2),
        begun("flaky", at=1000.3),
        said("flaky", "not yet\n", "stderr"),
        retrying("flaky", 1, 3, 3, 1000.4),
        begun("flaky", 2, at=1000.9),
        said("flaky", "now\n", attempt=2),
        succeeded("flaky", 0.8, attempt=2)._replace(at=1001.1),
        begun("build", at=1000.5),
        said("build", "compiling\n"),
        said("build", HOSTILE, "stderr"),
        failed("build", 7)._replace(at=1001.0, duration=0.5),
        ended("deploy", Outcome.SKIPPED, Reason.DEPENDENCY, '"build" failed'),
        begun("slow", at=1000.0),
        failed("slow", None, reason=Reason.TIMEOUT, signal=15, duration=5.0)._replace(at=1005.0),
        begun("stubborn", at=1001.0),
        said("stubborn", "first\n"),
        retrying("stubborn", 1, 2, 1, 1001.5),
        begun("stubborn", 2, at=1002.0),
        said("stubborn", "second\n", attempt=2),
        failed("stubborn", None, reason=Reason.SIGNAL, signal=9, attempt=2, duration=1.5)._replace(at=1002.5),
        begun("lost", at=1001.0),
        failed("lost", None, reason=Reason.HANDLER, message="cannot start bash: no such file")._replace(at=1001.0),
        ended("asked", Outcome.CANCELLED, Reason.DECLINED),
        begun("running", at=1004.0),
        ended("running", Outcome.CANCELLED, Reason.INTERRUPTED)._replace(attempt=1, duration=2.0, at=1006.0),
        ended("waiting", Outcome.CANCELLED, Reason.INTERRUPTED),
        ended("cached", Outcome.SUCCEEDED, Reason.UP_TO_DATE, "succeeded in run 17"),
        begun("clean", at=1006.0),
        said("clean", "could not clean\n"),
        failed("clean", optional=True)._replace(at=1006.3),
        RunFinished(1006.4, RUN, False, {}, 6.4, 130),
    ]


def report(form, events, of, exit_code=1, *, recorded=True):
    """The text of a report of these events; none where there is nothing to tell."""
    chronicle = Chronicle()
    try:
        for event in events:
            chronicle(event)
        story = chronicle.story(of, exit_code, recorded=recorded)
        return None if story is None else "".join(written(form, story))
    finally:
        chronicle.close()


def one_task(data, *, good=False, **fields):
    """The events of a run of one task `t` that writes these bytes, and its plan."""
    ending = succeeded("t") if good else failed("t")
    events = [started("t"), begun("t"), said("t", data), ending, over(ok=good)]
    return events, planned(task("t", **fields))
