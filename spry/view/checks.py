"""What `spry check` found, for programs: JSON, annotations of GitHub's runners, SARIF."""

from __future__ import annotations

from spry.view.actions import annotation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spry.errors import Problem

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
HOME = "https://pypi.org/project/spry/"
RULES = (
    ("runbook", "error", "The runbook cannot be run as it stands."),
    ("runbook-note", "note", "The runbook can be run, and probably does not do what was meant."),
)


def as_json(problems: Iterable[Problem]) -> str:
    """A list of `{file, line, column, message, hint, severity}`; line and column are 0 for a file as a whole."""
    import json  # noqa: PLC0415 - only for programs

    found = [
        {
            "file": problem.path,
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
            "hint": problem.hint,
            "severity": problem.severity,
        }
        for problem in problems
    ]
    return json.dumps(found, indent=2) + "\n"


def as_github(problems: Iterable[Problem]) -> str:
    """One workflow command a problem: it appears beside its line in the pull request."""
    return "".join(f"{_annotation(problem)}\n" for problem in problems)


def as_sarif(problems: Iterable[Problem], version: str) -> str:
    """A SARIF 2.1.0 log with one run; `version` is spry's own."""
    import json  # noqa: PLC0415 - only for programs

    rules = [
        {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
        for name, level, text in RULES
    ]
    run = {
        "tool": {"driver": {"name": "spry", "version": version, "informationUri": HOME, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem) for problem in problems],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _annotation(problem: Problem) -> str:
    properties: dict[str, object] = {"file": problem.path} if problem.path else {}
    if problem.line:
        properties["line"] = problem.line
    if problem.column:
        properties["col"] = problem.column
        properties["endColumn"] = problem.column + problem.length
    command = "notice" if problem.severity == "note" else "error"
    return annotation(command, _whole(problem), properties)


def _result(problem: Problem) -> Mapping[str, object]:
    index = int(problem.severity == "note")
    name, level, _ = RULES[index]
    result: dict[str, object] = {
        "ruleId": name,
        "ruleIndex": index,
        "level": level,
        "message": {"text": _whole(problem)},
    }
    if problem.path:
        result["locations"] = [{"physicalLocation": _location(problem)}]
    return result


def _location(problem: Problem) -> Mapping[str, object]:
    location: dict[str, object] = {"artifactLocation": {"uri": _uri(problem.path)}}
    if problem.line:
        region = {"startLine": problem.line}
        if problem.column:
            region |= {"startColumn": problem.column, "endColumn": problem.column + problem.length}
        location["region"] = region
    return location


def _uri(path: str) -> str:
    """A path as a URI: relative ones stay relative, to the root of the repository for those who read them."""
    from urllib.parse import quote  # noqa: PLC0415 - only for SARIF

    quoted = quote(path.removeprefix("./"), safe="/!$&'()*+,;=@", errors="surrogateescape")
    return f"file://{quoted}" if path.startswith("/") else quoted


def _whole(problem: Problem) -> str:
    return f"{problem.message}\nhint: {problem.hint}" if problem.hint else problem.message
