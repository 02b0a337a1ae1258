"""What a run would do, in words and as JSON."""

import json

import pytest
from golden import check
from schemas import conform
from showing import sample_graph

from spry.core.model import Task
from spry.view.dryrun import SCRIPT, Preview, as_json, plan, text

TASKS = sample_graph().runbook.tasks
BUILD = TASKS["build-app"]
PREVIEWS = (
    Preview(TASKS["install-deps"], 0, (), ("/bin/bash", "-e", "-o", "pipefail", "-c", "npm ci\n"), "/w/docs"),
    Preview(
        BUILD,
        1,
        ("install-deps",),
        ("/bin/bash", "-e", "-c", BUILD.body, "spry", "two words"),
        "/w/docs",
        (("NODE_ENV", "production"), ("api_key", "s3cret"), ("MODE", "fast")),
        (("mode", "fast"), ("api-key", "s3cret")),
        ("region",),
        ("up to date", "restores dist/ of install-deps"),
    ),
    Preview(TASKS["设置-db"], 1, (), ("/usr/bin/sqlite3", "app.db"), "/w/docs", script="select 2;\n"),
    Preview(TASKS["all"], 2, ("build-app", "设置-db"), (), "/w/ops"),
)


@pytest.mark.parametrize("columns", [0, 40, 60, 80, 120])
def test_the_plan_in_words(columns):
    check(f"view/dryrun-{columns}.txt", text(PREVIEWS, skipped=("old",), columns=columns))


def test_the_plan_in_colour():
    check("view/dryrun-colour.txt", text(PREVIEWS[:1], columns=80, colour=True))


def test_the_plan_has_the_documented_shape():
    conform("plan", json.loads(as_json(PREVIEWS, skipped=("old",))))


def test_an_empty_plan_has_the_documented_shape():
    conform("plan", json.loads(as_json(())))


def test_the_plan_for_programs_is_exact():
    shape = plan(PREVIEWS, skipped=("old",))

    assert shape["layers"] == [["install-deps"], ["build-app", "设置-db"], ["all"]]
    assert shape["missing"] == [{"task": "build-app", "param": "region"}]
    assert shape["skipped"] == ["old"]
    assert [task["argv"] for task in shape["tasks"]] == [list(preview.argv) for preview in PREVIEWS]
    assert shape["tasks"][2]["script"] == "select 2;\n"


@pytest.mark.parametrize("shown", [text(PREVIEWS), as_json(PREVIEWS)])
def test_secrets_are_never_shown(shown):
    assert "s3cret" not in shown


def test_missing_parameters_are_reported_at_the_end():
    assert text(PREVIEWS).endswith(
        "\n1 parameter without a value: region (build-app)\n  hint: give --param NAME=VALUE\n"
    )


def test_every_byte_of_a_script_is_there():
    body = "\tif x; then\n\n  printf '\x1b[31m' \\\n\tfi\n"
    shown = text([Preview(Task("a", "bash", body), 0, argv=("bash", "-c", body))])
    lines = shown.split("    script\n")[1].split("\n")

    assert "".join(f"{line.removeprefix('      ')}\n" for line in lines[:-1]) == body


def test_nothing_in_a_script_acts_on_a_terminal():
    shown = text([Preview(Task("a", "bash", "printf '\x1b[2J'\n"), 0)], columns=80)

    assert "\x1b" not in shown


def test_a_script_that_stands_for_itself_is_not_quoted():
    shown = text([Preview(Task("a", "bash", "x\n"), 0, argv=("bash", "-e", SCRIPT, "a b"))])

    assert "bash -e <script> 'a b'\n" in shown


def test_an_env_cell_is_lent_not_executed():
    assert "none: lends its variables" in text([Preview(Task("a", "env", "K=V\n"), 0)])
