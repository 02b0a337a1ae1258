"""The promises of the page that introduces task orchestration: its examples, told and run as it tells them."""

from __future__ import annotations

import json
import re

import pytest
from book import cell
from golden import check

DURATION = re.compile(r"\b\d+\.\d+s\b")

CHAIN = (
    cell('bash install-deps --descr "Install what the build needs"', "echo installed > deps"),
    cell('bash build --dep install-deps --descr "Build the application"', "cat deps > built"),
    cell('bash test --dep build --descr "Run the tests"', "cat built > tested"),
    cell('bash deploy --dep test --descr "Deploy to production"', "cat tested > deployed"),
)
STEPS = (
    cell("bash step1", 'echo "Step 1 complete"'),
    cell("bash step2 --dep step1", "exit 1"),
    cell("bash step3 --dep step2", 'echo "Step 3 complete" | tee never'),
)
MIXED = (
    cell("bash install-deps", "true"),
    cell("bash compile-ts --dep install-deps", "true"),
    cell("bash compile-sass --dep install-deps", "true"),
    cell("bash run-tests --dep compile-ts", "true"),
    cell("bash build-bundle --dep compile-ts --dep compile-sass", "true"),
    cell("bash deploy --dep run-tests --dep build-bundle", "true"),
)
TARGETS = (
    cell("bash build-dev", "touch build-dev"),
    cell("bash build-prod", "touch build-prod"),
    cell("bash deploy-dev --dep build-dev", "touch deploy-dev"),
    cell("bash deploy-prod --dep build-prod", "touch deploy-prod"),
)


def timeless(text: str, folder: object = "/nowhere") -> str:
    """What was told, without what differs from run to run."""
    text = re.sub(r"/\S+/(?=bash )", "/usr/bin/", text.replace(str(folder), "/home/ada/shop"))
    return DURATION.sub("0.0s", text)


def written(done) -> list[str]:
    """The outcome lines of a run."""
    return [line for line in timeless(done.stderr).splitlines() if line[:1] in "✓✗⊘"]


def test_three_downloads_overlap_and_what_needs_them_runs_last(book):
    for name in ("images-videos", "videos-fonts", "fonts-images"):
        book.fifo(name)
    done = book(
        cell("bash download-images", "echo x > images-videos", "read x < fonts-images"),
        cell("bash download-videos", "read x < images-videos", "echo x > videos-fonts"),
        cell("bash download-fonts", "read x < videos-fonts", "echo x > fonts-images"),
        cell("bash unzip-all --dep download-images --dep download-videos --dep download-fonts", "echo unzipped"),
    ).run("task", "unzip-all", "-j", "3", "--timeout", "20", "--json")

    assert done.exit_code == 0
    assert list(done.outcomes)[-1] == "unzip-all"


def test_a_task_starts_while_another_of_the_layer_before_still_runs(book):
    book.fifo("gate")
    done = book(
        cell("bash slow", "read x < gate"),
        cell("bash fast", "true"),
        cell("bash next --dep fast", "echo x > gate"),
    ).run("runbook", "-j", "2", "--timeout", "20", "--json")

    assert done.exit_code == 0
    assert next(iter(done.outcomes)) == "fast"


@pytest.mark.parametrize("jobs", ["1", "8"])
def test_a_chain_keeps_its_order(book, jobs):
    done = book(*reversed(CHAIN)).run("task", "deploy", "-j", jobs, "--json")

    assert done.exit_code == 0
    assert list(done.outcomes) == ["install-deps", "build", "test", "deploy"]
    assert book.read("deployed") == "installed\n"


def test_every_task_starts_after_all_that_it_depends_on(book):
    done = book(*MIXED).run("runbook", "-j", "4", "--json")
    order = [(event["event"], event.get("task")) for event in done.events]

    assert done.exit_code == 0
    for task, needed in [
        ("compile-ts", "install-deps"), ("compile-sass", "install-deps"), ("run-tests", "compile-ts"),
        ("build-bundle", "compile-ts"), ("build-bundle", "compile-sass"), ("deploy", "run-tests"),
        ("deploy", "build-bundle"),
    ]:  # fmt: skip
        assert order.index(("task_finished", needed)) < order.index(("task_started", task))


def test_a_failure_is_told_as_the_page_tells_it(book):
    done = book(*STEPS).run("runbook")

    assert done.exit_code == 1
    assert done.stdout == "Step 1 complete\n"
    assert written(done) == [
        "✓ step1 completed (0.0s)",
        "✗ step2 failed with exit code 1 (0.0s)",
        "⊘ step3 skipped (dependency failed)",
    ]
    assert not book.has("never")


def test_unrelated_branches_go_on_after_a_failure(book):
    done = book(*STEPS, cell("bash other", "true"), cell("bash after --dep other", "touch after")).run(
        "runbook", "-j", "1"
    )

    assert done.exit_code == 1
    assert book.has("after")


def test_a_task_runs_with_all_that_it_needs_and_nothing_else(book):
    done = book(*TARGETS).run("task", "deploy-prod")

    assert done.exit_code == 0
    assert [name for name in ("build-dev", "build-prod", "deploy-dev", "deploy-prod") if book.has(name)] == [
        "build-prod",
        "deploy-prod",
    ]


def test_a_runbook_runs_every_task(book):
    done = book(*TARGETS).run("runbook")

    assert done.exit_code == 0
    assert all(book.has(name) for name in ("build-dev", "build-prod", "deploy-dev", "deploy-prod"))


@pytest.mark.parametrize(("tests", "code"), [("true", 0), ("exit 3", 1)])
def test_clean_up_runs_whether_the_tests_pass_or_not(book, tests, code):
    done = book(
        cell("bash setup-test-env", "touch up"),
        cell("bash run-tests --dep setup-test-env", tests),
        cell("bash cleanup --dep run-tests --finally", "rm up"),
    ).run("task", "run-tests")

    assert done.exit_code == code
    assert not book.has("up")


def test_a_flaky_call_is_tried_again(book):
    done = book(
        cell("bash flaky --retry 3", "echo x >> tries", '[ "$(wc -l < tries)" = 3 ]'),
    ).run("task", "flaky")

    assert done.exit_code == 0
    assert book.read("tries") == "x\n" * 3
    assert done.stderr.count("↻ flaky retrying") == 2


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("circular", [cell("bash task-a --dep task-b", "touch ran"), cell("bash task-b --dep task-a", "touch ran")]),
        ("missing", [cell("bash deploy --dep build", "touch ran")]),
        ("typo", [cell("bash build-app", "touch ran"), cell("bash deploy --dep biuld-app", "touch ran")]),
    ],
)
def test_a_graph_that_cannot_run_is_told_with_its_place(book, name, texts):
    done = book(*texts).run("runbook")

    assert (done.exit_code, done.stdout) == (2, "")
    assert not book.has("ran")
    check(f"cli/{name}.txt", done.stderr)


def test_verbose_tells_order_dependencies_and_timings(book):
    done = book(*STEPS).run("runbook", "--verbose", "-j", "1")

    check("cli/verbose.txt", timeless(done.stderr, book.folder))


def test_a_dry_run_tells_the_whole_plan_and_runs_nothing(book):
    done = book(*CHAIN).run("task", "deploy", "--dry-run")

    assert (done.exit_code, done.stderr) == (0, "")
    assert not book.has("deps")
    check("cli/dry-run.txt", timeless(done.stdout, book.folder))


def test_show_dag_draws_the_selection_and_runs_nothing(book):
    done = book(*CHAIN, *TARGETS[2:], cell("bash build-dev"), cell("bash build-prod")).run(
        "task", "deploy", "--show-dag"
    )

    assert (done.exit_code, done.stderr) == (0, "")
    assert not book.has("deps")
    check("cli/show-dag.txt", done.stdout)


def test_two_branches_are_drawn_as_they_join(book):
    done = book(
        cell("bash setup-db", "touch ran"),
        cell("bash fetch-api", "touch ran"),
        cell("bash process-data --dep setup-db --dep fetch-api", "touch ran"),
        cell("bash deploy --dep process-data", "touch ran"),
    ).run("task", "deploy", "--show-dag")

    assert done.exit_code == 0
    assert not book.has("ran")
    check("cli/join.txt", done.stdout)


def test_the_layers_of_a_mixed_graph_are_those_of_the_page(book):
    done = book(*MIXED).run("dag", "--format", "json")
    graph = json.loads(done.stdout)

    assert [sorted(layer) for layer in graph["layers"]] == [
        ["install-deps"],
        ["compile-sass", "compile-ts"],
        ["build-bundle", "run-tests"],
        ["deploy"],
    ]
