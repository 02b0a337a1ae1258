"""Specs to begin with: valid as they are, with every key that people usually want."""

from __future__ import annotations

import json


def template(kind: str, name: str) -> str:
    """A task spec or a pipeline of this name, as JSON text."""
    return json.dumps(_pipeline(name) if kind == "pipeline" else _task(name), indent=2) + "\n"


def _task(name: str) -> dict[str, object]:
    return {
        "name": name,
        "spec": {
            "type": "command",
            "process_target": "echo",
            "args": ["hello"],
            "timeout": 300,
            "limits": {"memory_mb": 512, "cpu_percent": None, "max_fds": None, "max_connections": None},
            "env": {},
            "stream_output": True,
            "cleanup_on_exit": True,
        },
    }


def _pipeline(name: str) -> dict[str, object]:
    first = {"type": "command", "process_target": "printf", "args": ["b\na\n"]}
    second = {"type": "command", "process_target": "sort"}
    return {"name": name, "stages": [{"name": "write", "spec": first}, {"name": "sort", "spec": second}]}
