"""Prompts and agents: cells whose text is put to a command, or to Copilot."""

from __future__ import annotations

import pytest
from book import ROOT, Done, cell

SHOUT = "---\nspry:\n  handlers: {prompt: 'tr a-z A-Z', agent: 'sed s/^/agent:/'}\n---\n"


@pytest.mark.parametrize(("language", "answer"), [("prompt", "WHY ME?\n"), ("agent", "agent:why me?\n")])
def test_a_handler_reads_the_text_on_stdin(book, language, answer):
    done = book(SHOUT, cell(f"{language} ask --descr x", "why me?")).run("task", "ask")

    assert (done.exit_code, done.stdout) == (0, answer)


def test_values_are_in_the_text_as_they_are(book):
    text = cell("bash who -C who", "echo '$(touch ran)'") + cell("prompt ask -I --descr x", "hello ${captured.who}")
    done = book(SHOUT, text).run("task", "ask")

    assert "HELLO $(TOUCH RAN)" in done.stdout
    assert not book.has("ran")


def test_the_text_is_data_also_where_the_handler_is_a_shell(book):
    front = "---\nspry:\n  handlers: {prompt: 'sh -c \"cat; exit 3\"'}\n---\n"
    text = cell("bash who -C who", "echo '$(touch ran)'") + cell(
        "prompt ask -I --descr x", "${captured.who}; touch ran"
    )
    done = book(front, text).run("task", "ask")

    assert "$(touch ran); touch ran" in done.stdout
    assert "ask failed with exit code 3" in done.stderr
    assert not book.has("ran")


def test_a_handler_is_a_task_like_any_other(book):
    front = "---\nspry:\n  handlers: {prompt: sleep 600}\n---\n"
    done = book(front, cell("prompt ask --timeout 0.2s", "x")).run("task", "ask")

    assert done.exit_code == 124


def test_a_handler_that_is_not_there_is_found_before_anything_runs(book):
    front = "---\nspry:\n  handlers: {prompt: no-such-llm -m x}\n---\n"
    done = book(front, cell("bash good", "touch ran"), cell("prompt ask --dep good", "x")).run("task", "ask")

    assert done.exit_code == 3
    assert "no-such-llm" in done.stderr
    assert not book.has("ran")


def test_a_message_on_the_stdin_of_a_prompt_is_refused(book):
    done = book(SHOUT, cell("prompt ask --inbox q", "x")).run("task", "ask")

    assert done.exit_code == 2
    assert "--inbox" in done.stderr


def test_the_plan_shows_what_would_be_asked(book):
    done = book(SHOUT, cell("prompt ask --descr x", "why me?")).run("task", "ask", "--dry-run")

    assert done.exit_code == 0
    assert "tr a-z A-Z" in done.stdout
    assert "its text is given on stdin" in done.stdout
    assert "why me?" in done.stdout


@pytest.fixture
def copilot(book, tmp_path):
    """A stand-in for the SDK, which answers with what it was asked."""
    package = tmp_path / "site" / "copilot"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from types import SimpleNamespace\n"
        "import asyncio\n"
        "class CopilotClient:\n"
        "    async def __aenter__(self): return self\n"
        "    async def __aexit__(self, *_): print('left', flush=True)\n"
        "    async def create_session(self, **options): return Session(options)\n"
        "class Session:\n"
        "    def __init__(self, options): self.options = options\n"
        "    async def __aenter__(self): return self\n"
        "    async def __aexit__(self, *_): pass\n"
        "    async def send_and_wait(self, text, timeout):\n"
        "        if text == 'wait\\n': await asyncio.sleep(600)\n"
        "        if text == 'fail\\n': raise RuntimeError('no model')\n"
        "        said = f\"{self.options['model']} {sorted(self.options)} {timeout:g}: {text}\"\n"
        "        return SimpleNamespace(data=SimpleNamespace(content=said))\n"
    )
    (package / "session.py").write_text("class PermissionHandler:\n    approve_all = None\n")

    def run(*argv):
        process = book.start(*argv, env={"PYTHONPATH": f"{ROOT}:{package.parent}"})
        out, err = process.communicate(timeout=60)
        return Done(process.returncode, out.decode(), err.decode())

    return run


def test_copilot_answers_where_no_handler_is_named(book, copilot):
    text = cell("prompt ask --descr x", "why?") + cell("agent act --timeout 7", "do it")
    book(text)
    done = copilot("runbook", "-j", "1")

    assert done.exit_code == 0
    assert "gpt-5.4-mini ['available_tools', 'model', 'on_permission_request'] 60: why?\n" in done.stdout
    assert "gpt-5.5 ['model', 'on_permission_request'] 7: do it\n" in done.stdout


def test_an_answer_can_be_captured(book, copilot):
    text = cell("prompt ask -C answer", "why?") + cell("bash use -I", 'echo "<${captured.answer}>"')
    book(text)
    done = copilot("task", "use")

    assert "<gpt-5.4-mini" in done.stdout
    assert "why?>" in done.stdout


def test_what_the_sdk_raises_is_the_failure(book, copilot):
    book(cell("prompt ask --descr x", "fail"))
    done = copilot("task", "ask")

    assert done.exit_code == 1
    assert "RuntimeError: no model" in done.stderr


def test_a_timeout_ends_the_question(book, copilot):
    book(cell("prompt ask --timeout 0.3s", "wait"))
    done = copilot("task", "ask")

    assert done.exit_code == 124
    assert "timed out" in done.stderr


def test_a_limit_on_what_copilot_does_is_refused(book, copilot):
    book(cell("prompt ask --limit memory=1G", "x"))
    done = copilot("task", "ask")

    assert done.exit_code == 2
    assert "--limit" in done.stderr
