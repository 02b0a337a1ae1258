"""Tasks as a table, as JSON, and one by one."""

import json

import pytest
from golden import check
from schemas import conform
from showing import sample_graph

from spry.core.model import Graph, Runbook, Settings, Task
from spry.view.columns import width
from spry.view.listing import as_json, records, show, table

GRAPH = sample_graph()


def graph_of(*tasks, settings=None):
    names = {task.name: task for task in tasks}
    return Graph(Runbook(names, settings or {}), tuple(names), {name: names[name].deps for name in names}, {})


@pytest.mark.parametrize("columns", [0, 40, 60, 80, 120])
def test_the_table(columns):
    check(f"view/ls-{columns}.txt", table(GRAPH, columns=columns))


@pytest.mark.parametrize("columns", range(40, 130, 7))
def test_no_line_is_wider_than_the_terminal(columns):
    assert max(map(width, table(GRAPH, columns=columns).splitlines())) <= columns


def test_a_pipe_gets_one_uncut_line_a_task():
    long = Task("build", "bash", "x\n", descr="word " * 100)

    assert len(table(graph_of(long)).splitlines()) == 2


def test_columns_without_content_are_left_out():
    assert table(graph_of(Task("build", "bash", "x\n", "x.md", line=3))) == "Task   Where\nbuild  x.md:3\n"


def test_names_are_coloured_and_the_columns_stay_straight():
    check("view/ls-colour.txt", table(GRAPH, columns=100, colour=True))


def test_control_characters_of_a_runbook_never_reach_the_terminal():
    evil = Task("build", "bash", "\x1b[2J\n", "\x1b.md", descr="\x1b]0;t\x07 two\nlines")
    graph = graph_of(evil, settings={"\x1b.md": Settings(title="\x1b[2J", description="\x9b")})

    assert "\x1b" not in table(graph, columns=80) + show(graph, "build", columns=80)
    assert "\x9b" not in table(graph, columns=80)


def test_json_has_the_documented_shape():
    conform("ls", json.loads(as_json(GRAPH)))


def test_json_lists_tasks_in_document_order_with_all_dependencies():
    assert [(task["name"], task["deps"]) for task in records(GRAPH)] == [
        ("install-deps", []),
        ("build-app", ["install-deps"]),
        ("设置-db", []),
        ("all", ["build-app", "设置-db"]),
        ("cleanup", ["all", "install-deps"]),
    ]


@pytest.mark.parametrize("name", ["build-app", "all", "cleanup"])
def test_all_that_is_known_of_a_task(name):
    check(f"view/show-{name}.txt", show(GRAPH, name))


def test_all_that_is_known_fits_a_narrow_terminal():
    check("view/show-40.txt", show(GRAPH, "build-app", columns=40))


def test_the_script_is_shown_byte_for_byte():
    body = "\tif x; then\n\n  printf '\\t\x1b[31m'\r\n\tfi\n"

    assert show(graph_of(Task("a", "bash", body)), "a").endswith(f"\n\n{body}")


def test_secrets_are_never_shown():
    shown = show(GRAPH, "build-app")

    assert "hunter2" not in shown
    assert "s3cret" not in shown


FIELDS = {
    "injected_dep": ".*",
    "graphs": ("nightly",),
    "tags": ("slow",),
    "is_finally": True,
    "optional": True,
    "timeout": 90.0,
    "attempts": 4,
    "env_files": (".env",),
    "cwd": "sub/dir",
    "interpreter": "bash -x",
    "limits": (("fds", 100.0),),
    "exit_codes": (0, 3),
    "strict": False,
    "interactive": True,
    "confirm": "Sure?",
    "gitignore": ".gitignore",
    "interpolate": True,
    "injectable": True,
    "inputs": ("src/**",),
    "outputs": ("dist/**",),
    "restore": "in",
    "isolated": True,
    "inbox": "orders",
    "outbox": "parcels",
    "reserved": "keep",
}


@pytest.mark.parametrize("field", FIELDS)
def test_every_value_of_a_task_is_shown(field):
    plain = Task("a", "bash", "x\n")
    shown = show(graph_of(plain._replace(**{field: FIELDS[field]})), "a")

    assert len(shown.splitlines()) > len(show(graph_of(plain), "a").splitlines())


def test_no_field_of_a_task_is_forgotten():
    elsewhere = {
        "name", "language", "body", "path", "folder", "line", "column", "body_line", "deps", "dep_marks", "descr",
        "backoff", "backoff_factor", "env", "silent", "captures", "params", "saves", "save_marks", "expressions",
        "origins", "argv", "stdin", "stream", "cleanup",
    }  # fmt: skip

    assert set(FIELDS) | elsewhere == set(Task._fields)
