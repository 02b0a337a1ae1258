from __future__ import annotations

import json

import pytest
from golden import check

from spry.core.model import Plan, Step, Task
from spry.errors import UsageError
from spry.view.dag import draw

CHAIN = {"install-deps": [], "build": ["install-deps"], "test": ["build"], "deploy": ["test"]}
JOIN = {
    "setup-database": [],
    "fetch-users": [],
    "fetch-products": [],
    "import-data": ["setup-database", "fetch-users", "fetch-products"],
}
MIXED = {
    "install-deps": [],
    "compile-ts": ["install-deps"],
    "compile-sass": ["install-deps"],
    "run-tests": ["compile-ts"],
    "build-bundle": ["compile-ts", "compile-sass"],
    "deploy": ["run-tests", "build-bundle"],
}
FULL_STACK = {
    "check-tools": [],
    "db-start": ["check-tools"],
    "db-migrate": ["db-start"],
    "db-seed": ["db-migrate"],
    "backend-install": ["check-tools"],
    "backend-build": ["backend-install"],
    "backend-test": ["backend-build", "db-seed"],
    "frontend-install": ["check-tools"],
    "frontend-build": ["frontend-install"],
    "frontend-test": ["frontend-build"],
    "integration-test": ["backend-test", "frontend-test", "db-seed"],
    "deploy-backend": ["integration-test"],
    "deploy-frontend": ["integration-test"],
    "deploy-complete": ["deploy-backend", "deploy-frontend"],
    "cleanup": ["deploy-complete"],
}
CLEANED = {**CHAIN, "lint": ["install-deps"], "docs": [], "teardown": [*CHAIN, "lint", "docs"]}
DESCRIPTIONS = {
    "check-tools": "Are docker and node on this machine?",
    "db-start": "A throw-away database in a container",
    "db-seed": "Three users, twelve products",
    "integration-test": "Everything together, against the seeded database",
    "teardown": "Give everything back, whatever happened",
}
SHARDS = {
    "prepare": [],
    **{f"shard-{at:02}": ["prepare"] for at in range(1, 13)},
    "report": [f"shard-{at:02}" for at in range(1, 13)],
}
KINDS = {("install-deps", "lint"): "injected", ("build", "deploy"): "capture:VERSION"}
IMPLIED = {**CHAIN, "lint": ["install-deps"], "deploy": ["test", "build"]}


def plan(deps, kinds=()):
    layers = {}
    for name, needed in deps.items():
        layers[name] = 1 + max((layers[dep] for dep in needed), default=-1)
    tasks = {
        name: Task(name, "bash", descr=DESCRIPTIONS.get(name, ""), is_finally=name in ("cleanup", "teardown"))
        for name in deps
    }
    return Plan({name: Step(tasks[name], tuple(deps[name]), layers[name]) for name in deps}, dict(kinds))


@pytest.mark.parametrize(
    ("name", "graph", "width"),
    [
        ("chain", plan(CHAIN), 80),
        ("chain-narrow", plan(CHAIN), 40),
        ("join", plan(JOIN), 80),
        ("mixed", plan(MIXED), 80),
        ("mixed-narrow", plan(MIXED), 40),
        ("full-stack", plan(FULL_STACK), 80),
        ("full-stack-narrow", plan(FULL_STACK), 40),
        ("full-stack-wide", plan(FULL_STACK), 200),
        ("cleaned", plan(CLEANED), 60),
        ("shards", plan(SHARDS), 60),
        ("implied", plan(IMPLIED, KINDS), 60),
    ],
)
def test_a_picture_looks_as_it_did(name, graph, width):
    check(f"dag/{name}.txt", draw(graph, "ascii", width))


@pytest.mark.parametrize(("name", "graph"), [("mixed-ascii", plan(MIXED)), ("full-stack-ascii", plan(FULL_STACK))])
def test_a_picture_in_ascii_looks_as_it_did(name, graph):
    text = draw(graph, "ascii", 80, ascii_only=True)

    check(f"dag/{name}.txt", text)
    assert text.isascii()


@pytest.mark.parametrize(("format", "ending"), [("mermaid", "mmd"), ("dot", "dot"), ("json", "json"), ("svg", "svg")])
def test_another_format_is_as_it_was(format, ending):  # noqa: A002 - the parameter's name in draw
    check(f"dag/implied.{ending}", draw(plan(IMPLIED, KINDS), format, 80))


def test_json_has_the_documented_shape():
    shape = json.loads(draw(plan(IMPLIED, KINDS), "json", 80))

    assert list(shape) == ["nodes", "edges", "layers", "critical_path"]
    assert shape["nodes"][0] == {"name": "install-deps", "descr": "", "layer": 0}
    assert {"from": "install-deps", "to": "build", "implied": False} in shape["edges"]
    assert {"from": "build", "to": "deploy", "implied": True, "kind": "capture:VERSION"} in shape["edges"]
    assert shape["layers"] == [["install-deps"], ["build", "lint"], ["test"], ["deploy"]]
    assert shape["critical_path"] == ["install-deps", "build", "test", "deploy"]


def test_colours_change_nothing_but_the_colour():
    import re

    plain = draw(plan(FULL_STACK), "ascii", 80)
    colored = draw(plan(FULL_STACK), "ascii", 80, colour=True)

    assert colored != plain
    assert re.sub(r"\x1b\[\d+m", "", colored) == plain


def test_an_unknown_format_is_refused():
    with pytest.raises(UsageError, match='unknown format "png"'):
        draw(plan(CHAIN), "png", 80)


@pytest.mark.parametrize("format", ["ascii", "mermaid", "dot", "json", "svg"])
def test_an_empty_plan_is_drawn_as_nothing(format):  # noqa: A002 - the parameter's name in draw
    assert "task" not in draw(Plan({}), format, 80).replace("0 tasks", "")
