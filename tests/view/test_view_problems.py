"""Problems as people and programs read them."""

import json

import pytest
from golden import check
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import validate
from schemas import conform

from examples import examples
from spry.core.source import source
from spry.errors import HostError, Problem, RunbookError, UsageError
from spry.view.checks import as_github, as_json, as_sarif
from spry.view.columns import width
from spry.view.problems import explain, report, tally, window

SOURCE = source(
    "# Deployment\n"
    "```bash deploy --dep biuld-app\n"
    "```bash 日本語 \t--tmeout 5\n"
    f"```bash long {'x' * 300} --tmeout 5 {'y' * 300}\n"
    "```bash \x1b[31mevil\u202e --tmeout 5\n",
    "docs/deploy.md",
)
PROBLEMS = (
    SOURCE.problem('Task "biuld-app" not found (did you mean "build-app"?)', 2, 22, 9),
    SOURCE.problem("unknown flag --tmeout", 3, 14, 8, 'did you mean "--timeout"?'),
    SOURCE.problem("unknown flag --tmeout", 4, 315, 8, 'did you mean "--timeout"?'),
    SOURCE.problem("unknown flag --tmeout", 5, 20, 8, 'did you mean "--timeout"?'),
    SOURCE.problem("missing value", 2, 31, 1, "give one"),
    SOURCE.problem("no task in this file", hint="name a cell"),
    Problem("nothing to read", hint="name a file"),
    SOURCE.problem('"teardown" has dependencies and no --finally', 2, 9, 6, "add --finally", "note"),
)


@pytest.mark.parametrize("columns", [0, 40, 60, 80, 120])
def test_a_report_of_every_kind_of_problem(columns):
    check(f"view/problems-{columns}.txt", explain(RunbookError(PROBLEMS), columns=columns))


def test_a_report_in_colour():
    check("view/problems-colour.txt", report(PROBLEMS[:2], colour=True))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UsageError('unknown task "x"', 'did you mean "y"?'), 'Error: unknown task "x"\n  hint: did you mean "y"?\n'),
        (HostError("disk full"), "Error: disk full\n"),
        (UsageError("odd \x1b[2J name"), "Error: odd \\x1b[2J name\n"),
    ],
)
def test_an_error_without_place(error, text):
    assert explain(error) == text


@pytest.mark.parametrize(
    ("problems", "text"),
    [
        (PROBLEMS[:1], "1 problem"),
        (PROBLEMS[:2], "2 problems"),
        (PROBLEMS[-1:], "1 note"),
        (PROBLEMS[-2:], "1 problem, 1 note"),
        ((), "0 problems"),
    ],
)
def test_a_tally_counts_problems_and_notes(problems, text):
    assert tally(problems) == text


LINES = st.text(alphabet="ab \t日é\u0301\x1b", max_size=60)


@examples(300)
@given(LINES, st.integers(0, 70), st.integers(1, 30), st.integers(20, 80))
def test_the_caret_always_fits_below_the_excerpt(line, start, length, room):
    shown, caret, marked = window(line, start, length, room)

    assert width(shown) <= room
    assert 0 <= caret <= width(shown)
    assert 1 <= marked <= max(room - caret, 1)


@examples(200)
@given(st.text(alphabet="ab日", max_size=200), st.integers(0, 199), st.integers(20, 60))
def test_the_caret_stands_below_what_is_meant(line, start, room):
    line = f"{line[:start]}*{line[start:]}"
    shown, caret, _ = window(line, line.index("*"), 1, room)
    place = next(index for index in range(len(shown) + 1) if width(shown[:index]) == caret)

    assert shown[place] == "*"


def test_a_huge_line_is_not_copied_into_the_report():
    problem = Problem("x", "f.md", 1, 5_000_000, 3, "y" * 10_000_000)

    assert len(report([problem])) < 1000


def test_json_has_the_documented_shape():
    conform("check", json.loads(as_json(PROBLEMS)))


def test_json_of_no_problems_is_an_empty_list():
    assert json.loads(as_json(())) == []


def test_json_places_and_hints():
    assert json.loads(as_json(PROBLEMS[1:2])) == [
        {
            "file": "docs/deploy.md",
            "line": 3,
            "column": 14,
            "message": "unknown flag --tmeout",
            "hint": 'did you mean "--timeout"?',
            "severity": "error",
        }
    ]


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (
            Problem("100% wrong\nreally", "a,b:c.md", 3, 5, 4, hint="fix\rit"),
            "::error file=a%2Cb%3Ac.md,line=3,col=5,endColumn=9::100%25 wrong%0Areally%0Ahint: fix%0Dit\n",
        ),
        (Problem("whole file", "x%.md"), "::error file=x%25.md::whole file\n"),
        (Problem("no file"), "::error::no file\n"),
        (Problem("mind", "x.md", 1, 1, severity="note"), "::notice file=x.md,line=1,col=1,endColumn=2::mind\n"),
        (Problem("a::b", "x.md", 1, 1), "::error file=x.md,line=1,col=1,endColumn=2::a::b\n"),
    ],
)
def test_annotations_are_escaped(problem, line):
    assert as_github([problem]) == line


REGION = {
    "type": "object",
    "properties": {name: {"type": "integer", "minimum": 1} for name in ("startLine", "startColumn", "endColumn")},
    "required": ["startLine"],
    "additionalProperties": False,
}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "additionalProperties": False}
LOCATION = {
    "type": "object",
    "properties": {
        "physicalLocation": {
            "type": "object",
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "properties": {"uri": {"type": "string", "pattern": r"^[\x21-\x7e]+$"}},
                    "additionalProperties": False,
                },
                "region": REGION,
            },
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
SARIF = {
    "type": "object",
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "tool": {
                        "type": "object",
                        "properties": {
                            "driver": {
                                "type": "object",
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "informationUri": {"type": "string", "format": "uri"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": TEXT,
                                                "defaultConfiguration": {
                                                    "type": "object",
                                                    "properties": {"level": LEVEL},
                                                    "additionalProperties": False,
                                                },
                                            },
                                            "required": ["id"],
                                            "additionalProperties": False,
                                        },
                                    },
                                },
                                "required": ["name"],
                                "additionalProperties": False,
                            }
                        },
                        "required": ["driver"],
                        "additionalProperties": False,
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": LEVEL,
                                "message": TEXT,
                                "locations": {"type": "array", "items": LOCATION},
                            },
                            "required": ["message"],
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["tool"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["version", "runs"],
    "additionalProperties": False,
}


def test_sarif_has_the_shape_of_the_standard():
    validate(json.loads(as_sarif(PROBLEMS, "1.2.3")), SARIF)


def test_sarif_results_point_to_their_rules():
    run = json.loads(as_sarif(PROBLEMS, "1.2.3"))["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]

    assert [rules[result["ruleIndex"]] for result in run["results"]] == [result["ruleId"] for result in run["results"]]
    assert run["results"][-1]["level"] == "note"


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("docs/a b.md", "docs/a%20b.md"),
        ("./x#1?.md", "x%231%3F.md"),
        ("../日.md", "../%E6%97%A5.md"),
        ("/abs/x.md", "file:///abs/x.md"),
        ("c:x.md", "c%3Ax.md"),
        ("100%.md", "100%25.md"),
        ("\udcff.md", "%FF.md"),
    ],
)
def test_sarif_paths_are_uris(path, uri):
    result = json.loads(as_sarif([Problem("x", path, 1, 1)], "1"))["runs"][0]["results"][0]

    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_sarif_of_a_whole_file_has_no_region():
    result = json.loads(as_sarif([Problem("x", "f.md")], "1"))["runs"][0]["results"][0]

    assert "region" not in result["locations"][0]["physicalLocation"]
