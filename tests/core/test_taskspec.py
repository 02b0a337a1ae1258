from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from spry.core.source import source
from spry.core.taskspec import Spec, pipeline, task_spec
from spry.errors import RunbookError
from spry.view.templates import template

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
GOOD = {"name": "a", "spec": {"process_target": "true"}}


def read(value, reader=task_spec):
    text = value if isinstance(value, str) else json.dumps(value)
    return reader(source(text, "it.json"), "it")


def problems(value, reader=task_spec):
    with pytest.raises(RunbookError) as caught:
        read(value, reader)
    return [(one.line, one.column, one.message) for one in caught.value.problems]


def published(name):
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text()))


def test_a_spec_needs_no_more_than_its_target():
    assert read({"spec": {"process_target": "true"}}) == Spec("it", "command", "true")
    assert read({"spec": {"function_target": "a.b:c"}}) == Spec("it", "function", "a.b:c")


def test_every_field_is_read():
    fields = {"type": "command", "process_target": "x", "args": [1, "a"], "timeout": 1.5, "env": {"A": "1"}}
    fields |= {"limits": {"max_fds": 3, "memory_mb": None}, "stream_output": False, "working_dir": "w"}
    fields |= {"cleanup_on_exit": False, "interactive": True, "inbox": "i", "outbox": "o", "reserved": "keep"}

    assert read({"name": "n", "spec": fields}) == Spec(
        "n",
        "command",
        "x",
        (1, "a"),
        {},
        1.5,
        (("fds", 3.0),),
        (("A", "1"),),
        False,
        False,
        "w",
        True,
        "i",
        "o",
        "keep",
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("[]", "a task spec: expected an object, not a list"),
        ("{}", '"spec" is missing'),
        ({"name": "a b", **GOOD, "name": "a b"}, '"a b" cannot name a task'),  # noqa: F601 - the last one counts
        ({"spec": {}}, '"process_target" is missing'),
        ({"spec": {"type": "function"}}, '"function_target" is missing'),
        ({"spec": {"type": "script", "process_target": "a"}}, "type: expected command or function"),
        ({"spec": {"process_target": " "}}, '" " names no program'),
        ({"spec": {"process_target": 1}}, "process_target: expected a string, not a number"),
        ({"spec": {"function_target": "f"}}, '"f" names no function'),
        ({"spec": {"function_target": "a:b", "process_target": "c"}}, '"process_target" has no meaning for a function'),
        ({"spec": {"process_target": "a", "keyword_args": {"k": 1}}}, '"keyword_args" has no meaning for a command'),
        ({"spec": {"process_target": "a", "timeout": 0}}, "timeout: expected seconds above 0"),
        ({"spec": {"process_target": "a", "limits": {"memory": 1}}}, 'unknown key "memory"'),
        ({"spec": {"process_target": "a", "limits": {"max_fds": 1.5}}}, "max_fds: expected a whole number"),
        ({"spec": {"process_target": "a", "env": {"A B": "1"}}}, '"A B" cannot name a variable'),
        ({"spec": {"process_target": "a", "env": {"A": 1}}}, "env.A: expected a string, not a number"),
        ({"spec": {"process_target": "a", "reserved": "drop"}}, "reserved: expected keep, requeue or clear"),
        ({"spec": {"process_target": "a", "stream_output": "no"}}, "stream_output: expected a truth value"),
        ("{", "no JSON: expected a key"),
    ],
)
def test_a_wrong_spec_is_refused_with_one_problem(value, told):
    found = problems(value)

    assert len(found) == 1
    assert told in found[0][2]


def test_what_is_misspelled_is_not_missing_as_well():
    assert [message for *_, message in problems({"spec": {"process_taget": "a"}})] == ['unknown key "process_taget"']


def test_a_pipeline_has_stages_of_three_kinds():
    found = read({"stages": ["saved", {"name": "b", "task": "saved"}, {"name": "c", **GOOD, "name": "c"}]}, pipeline)  # noqa: F601

    assert [(stage.name, stage.saved) for stage in found.stages] == [("saved", "saved"), ("b", "saved"), ("c", "")]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, '"stages" needs at least one stage'),
        ({"stages": []}, '"stages" needs at least one stage'),
        ({"stages": ["a", "a"]}, 'two stages are called "a"'),
        ({"stages": [{"task": "a", "spec": {}}]}, '"task" names a saved spec'),
        ({"stages": [{}]}, '"spec" is missing'),
        ({"stages": [1]}, "stage 1: expected an object, not a number"),
    ],
)
def test_a_wrong_pipeline_is_refused(value, told):
    assert told in problems(value, pipeline)[0][2]


@pytest.mark.parametrize(
    ("kind", "schema", "reader"), [("task", "taskspec", task_spec), ("pipeline", "pipeline", pipeline)]
)
def test_a_template_is_valid_and_matches_its_schema(kind, schema, reader):
    text = template(kind, "mine")
    published(schema).validate(json.loads(text))

    assert read(text, reader).name == "mine"


@pytest.mark.parametrize(
    "fields",
    [
        {"process_taget": "a"}, {"process_target": "a", "timeout": -1}, {"process_target": "a", "limits": {"x": 1}},
        {"process_target": "a", "env": {"A": 1}}, {}, {"process_target": "a", "function_target": "b:c"},
    ],
)  # fmt: skip
def test_what_the_reader_refuses_the_schema_refuses_too(fields):
    problems({"spec": fields})

    assert not published("taskspec").is_valid({"spec": fields})
