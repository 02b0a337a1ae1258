"""The shapes for programs, as the manual gives them."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def schema(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def conform(name, value):
    """Check a value against a schema of the manual; every key must be documented there."""
    described = _closed(schema(name))
    Draft202012Validator.check_schema(described)
    Draft202012Validator(described).validate(value)


def _closed(part):
    """The schema with no room for keys it does not name: what we write is exactly what is documented."""
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(one) for key, one in part.items()}
    if "properties" in closed and "required" in closed:
        closed.setdefault("additionalProperties", False)
    return closed
