"""Mistakes that others made with the same interface, and that are not made here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from driver import alive

import spry
from spry import Task, TaskExecutor, TaskGraph, TaskStatus


def chain(make, length):
    graph, before = TaskGraph(), []
    for _ in range(length):
        task = make()
        graph.add(task, after=before)
        before = [task]
    return graph


def python(script, **how):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, **how)


@pytest.mark.parametrize("attempt", range(3))
def test_bug_1_a_chain_of_a_thousand_handlers_gets_to_its_end(executor, handled, attempt):
    assert chain(lambda: handled(lambda _: None), 1000).run(executor).ok


def test_bug_1_a_chain_of_programs_gets_to_its_end(executor):
    assert chain(lambda: Task.bash("true"), 100).run(executor).ok


def test_bug_2_twice_the_tasks_take_about_twice_the_time(executor, handled):
    def seconds(size):
        graph = TaskGraph()
        for _ in range(size):
            graph.add(handled(lambda _: None))
        started = time.process_time()
        graph.run(executor)
        return time.process_time() - started

    seconds(200)
    small, large = min(seconds(500) for _ in range(3)), min(seconds(2000) for _ in range(2))

    assert large < small * 12  # a run that looks at all tasks after each would take 16 times as long


def test_bug_3_bash_is_bash_and_not_strict(executor):
    script = "false\n[[ abc == a* ]] && echo ${BASH_VERSION:+bash}\nx=(1 2); echo ${x[1]}; false | true; echo end"

    assert executor.execute(Task.bash(script)).output == "bash\n2\nend\n"


def test_bug_4_a_child_in_the_background_that_holds_the_pipe_keeps_nobody(executor):
    started = time.monotonic()
    result = executor.execute(Task.bash("sleep 600 & echo $!", timeout=60))

    assert time.monotonic() - started < 30
    assert not alive(int(result.output))


def test_bug_4_such_a_child_does_not_outlive_a_timeout(executor):
    task = Task.bash("sleep 600 & echo $!; wait", timeout=0.3)
    with pytest.raises(TimeoutError):
        executor.execute(task)

    assert not alive(int(task.result.output))


INTERRUPTED = """
    import sys, time
    from spry import Task, TaskExecutor, TaskGraph
    graph = TaskGraph()
    sleeper = Task.bash("echo $$ >pid; exec sleep 600", title="sleeper", cwd=sys.argv[1])
    child = Task.bash("true", title="child")
    clean = Task.bash("echo cleaned >clean", cwd=sys.argv[1])
    graph.add(sleeper)
    graph.add(child, after=[sleeper])
    graph.add(clean, after=[sleeper], finally_=True)
    executor = TaskExecutor()
    try:
        graph.run(executor)
    except KeyboardInterrupt:
        print("interrupted", *[task.status.value for task in graph], graph.ok)
        sleeper.payload = "true"
        print([task.title for task in graph.reset()], graph.run(executor).ok)
"""


def test_bug_5_ctrl_c_ends_what_runs_and_then_raises_keyboardinterrupt(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert out.splitlines() == [
        "interrupted cancelled cancelled succeeded False",
        "['sleeper', 'child'] True",
    ]
    assert not alive(int((tmp_path / "pid").read_text()))
    assert (tmp_path / "clean").exists()
    assert process.returncode == 0


def test_bug_5_ctrl_c_ends_an_execute_too(tmp_path):
    script = """
        import sys
        from spry import Task, TaskExecutor
        task = Task.bash("echo $$; echo ready >ready; exec sleep 600", cwd=sys.argv[1])
        try:
            TaskExecutor().execute(task)
        except KeyboardInterrupt:
            print(task.status.value, task.result.output.strip())
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    status, pid = process.communicate(timeout=60)[0].split()

    assert status == "cancelled"
    assert not alive(int(pid))


def test_bug_5_ctrl_c_gives_up_a_handler_that_does_not_listen():
    script = """
        import threading
        from spry import Task, TaskExecutor, TaskType
        def stubborn(context):
            print("ready", flush=True)
            threading.Event().wait(600)
        executor = TaskExecutor()
        executor.register(TaskType.PROMPT, stubborn)
        task = Task.prompt("x")
        try:
            executor.execute(task)
        except KeyboardInterrupt:
            print(task.status.value)
    """
    process = python(script, env={**os.environ, "SPRY_GRACE": "0.1"})
    process.stdout.readline()
    process.send_signal(signal.SIGINT)

    assert process.communicate(timeout=60)[0] == "cancelled\n"


def test_bug_6_what_a_crash_left_running_can_be_reset():
    graph, task, done = TaskGraph(), Task.bash("true", title="stuck"), Task.bash("true")
    TaskExecutor().execute(done)
    task.transition_to(TaskStatus.RUNNING)
    graph.add(done)
    graph.add(task, after=[done])
    with pytest.raises(ValueError, match=r"'stuck' is RUNNING; reset before run\(\)"):
        graph.run(TaskExecutor())

    assert graph.reset() == [task]
    assert task.is_pending
    assert graph.run(TaskExecutor()).ok


def test_bug_7_is_done_is_there(executor):
    task = Task.bash("true")
    executor.execute(task)

    assert task.is_done is True


def test_bug_10_importing_spry_loads_nothing_else():
    script = """
        import sys
        before = set(sys.modules)
        import spry
        print(sorted(set(sys.modules) - before))
        from spry import Task
        print("asyncio" in sys.modules, "copilot" in sys.modules, "networkx" in sys.modules)
    """
    out, _ = python(script).communicate(timeout=60)

    assert out.splitlines() == ["['spry']", "False False False"]


def test_every_public_name_can_be_imported_and_is_listed():
    for name in spry.__all__:
        assert getattr(spry, name) is not None
    assert set(spry.__all__) == set(spry._HOMES) <= set(dir(spry))
    with pytest.raises(AttributeError, match="no attribute 'Tsak'"):
        _ = spry.Tsak
