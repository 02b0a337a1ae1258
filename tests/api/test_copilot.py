"""Prompts and agents through the Copilot SDK (rows T4, T+9). A stand-in for the SDK writes down what it is asked."""

from __future__ import annotations

import json

import pytest

from spry import Task, TaskExecutor, TaskGraph, TaskType, make_copilot_agent_handler, make_copilot_prompt_handler
from spry.errors import HostError

SDK = """
import json, os
from types import SimpleNamespace

class CopilotClient:
    async def __aenter__(self):
        note("started")
        return self
    async def __aexit__(self, *_):
        note("stopped")
    async def create_session(self, **options):
        options["on_permission_request"] = options["on_permission_request"](None, {})
        note(options)
        return Session()

class Session:
    async def __aenter__(self):
        return self
    async def __aexit__(self, *_):
        note("left")
    async def send_and_wait(self, text, timeout):
        note([text, timeout])
        if text == "fail":
            raise RuntimeError("no model")
        return None if text == "nothing" else SimpleNamespace(data=SimpleNamespace(content=f"answer to {text}"))

def note(what):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(what) + "\\n")
"""
SESSION = """
class PermissionHandler:
    @staticmethod
    def approve_all(request, invocation):
        return "approved"
"""


@pytest.fixture
def notes(tmp_path, monkeypatch):
    package = tmp_path / "site" / "copilot"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SDK)
    (package / "session.py").write_text(SESSION)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    yield lambda: [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]
    import sys

    for name in ("copilot", "copilot.session"):
        sys.modules.pop(name, None)


def test_tplus9_a_prompt_goes_to_a_small_model_without_tools(executor, notes):
    assert executor.execute(Task.prompt("why?")).output == "answer to why?"
    assert notes() == [
        "started",
        {"model": "gpt-5.4-mini", "on_permission_request": "approved", "available_tools": []},
        ["why?", 60.0],
        "left",
        "stopped",
    ]


def test_tplus9_an_agent_has_all_tools(executor, notes):
    executor.execute(Task.agent("do it"))

    assert notes()[1] == {"model": "gpt-5.5", "on_permission_request": "approved"}
    assert notes()[2][1] >= 3600


def test_tplus9_model_and_timeout_can_be_chosen(executor, notes):
    executor.register(TaskType.PROMPT, make_copilot_prompt_handler(model="m", timeout=5))
    executor.register(TaskType.AGENT, make_copilot_agent_handler(model="n"))
    executor.execute(Task.prompt("a"))
    executor.execute(Task.prompt("b", timeout=7))
    executor.execute(Task.agent("c", timeout=8))

    assert [note[1] for note in notes() if isinstance(note, list)] == [5, 7, 8]
    assert [note["model"] for note in notes() if isinstance(note, dict)] == ["m", "m", "n"]


def test_no_answer_is_an_empty_one_and_an_error_is_a_failure(executor, notes):
    assert executor.execute(Task.prompt("nothing")).output == ""
    with pytest.raises(RuntimeError, match="no model"):
        executor.execute(Task.prompt("fail"))
    assert notes()[-1] == "stopped"


@pytest.mark.parametrize("make", [Task.prompt, Task.agent])
def test_without_the_sdk_nothing_starts_and_it_says_what_to_install(executor, seen, make):
    graph = TaskGraph()
    graph.add(Task.bash("true"))
    graph.add(make("x"))
    for run in (lambda: executor.execute(make("x")), lambda: graph.run(executor)):
        with pytest.raises(HostError, match="Copilot SDK") as caught:
            run()
        assert "spry[copilot]" in caught.value.hint
    assert seen == []


def test_a_handler_of_ones_own_needs_no_sdk():
    executor = TaskExecutor()
    executor.register(TaskType.PROMPT, lambda context: context.payload.upper())

    assert executor.execute(Task.prompt("x")).output == "X"
