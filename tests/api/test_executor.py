"""One task at a time: handlers, programs, retries, cancelling, the pool (rows T2 to T8, T14 to T19, T+4 to T+6)."""

from __future__ import annotations

import contextvars
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from driver import alive

from spry import (
    RetryPolicy,
    Task,
    TaskCancelled,
    TaskContext,
    TaskExecutionError,
    TaskExecutor,
    TaskGraph,
    TaskStatus,
    TaskTimeoutError,
    TaskType,
)
from spry.execute.sweep import kill_trees

SUCCEEDED, FAILED, CANCELLED = TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED
WAITS = "echo $$; exec sleep 600"


# Programs


def test_t2_a_good_program_is_done_and_its_result_has_its_output(executor):
    task = Task.bash("echo hello")
    result = executor.execute(task)

    assert task.is_done
    assert task.result is result
    assert (result.output, result.status, result.returncode) == ("hello\n", SUCCEEDED, 0)
    assert result.task_id == task.id
    assert 0 <= result.duration < 60
    assert result.started_at <= result.finished_at


def test_t3_both_streams_are_kept_whole_while_they_are_streamed(executor, seen):
    task = Task.bash("for i in {1..2000}; do echo out $i; echo err $i >&2; done")
    result = executor.execute(task)

    assert result.output == "".join(f"out {i}\n" for i in range(1, 2001))
    assert result.error == "".join(f"err {i}\n" for i in range(1, 2001))
    for stream, whole in (("stdout", result.output), ("stderr", result.error)):
        assert "".join(event.output_chunk for event in seen if event.output_stream == stream) == whole


def test_tplus4_a_bad_exit_code_is_an_error_with_all_that_is_known(executor):
    task = Task.bash("echo out; echo bad >&2; exit 3")
    with pytest.raises(TaskExecutionError, match="bad") as caught:
        executor.execute(task)

    completed = caught.value.completed
    assert (completed.returncode, completed.stdout, completed.stderr) == (3, "out\n", "bad\n")
    assert (task.status, task.error, task.result.termination_reason) == (FAILED, "bad\n", "exit_code")
    assert (task.result.output, task.result.returncode) == ("out\n", 3)


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", -9)])
def test_tplus4_without_words_the_code_is_the_message(executor, script, code):
    task = Task.bash(script)
    with pytest.raises(TaskExecutionError, match=f"^exited with code {code}$"):
        executor.execute(task)

    assert task.result.returncode == code


def test_t17_a_timeout_ends_the_program_and_says_so(executor):
    task = Task.bash(WAITS, timeout=0.3)
    with pytest.raises(TaskTimeoutError, match=r"Task timed out after 0\.3 seconds") as caught:
        executor.execute(task)

    assert isinstance(caught.value, TimeoutError)
    assert not alive(int(caught.value.completed.stdout))
    assert (task.status, task.error) == (FAILED, "Task timed out after 0.3 seconds")
    assert (task.result.status, task.result.termination_reason) == (FAILED, "timeout")


def test_t17_whoever_ignores_the_end_of_its_time_is_killed(executor, monkeypatch):
    monkeypatch.setenv("SPRY_GRACE", "0.2")
    task = Task.bash("trap '' TERM; echo $$; while :; do sleep 600; done", timeout=0.3)
    with pytest.raises(TaskTimeoutError) as caught:
        executor.execute(task)

    assert caught.value.completed.returncode == -signal.SIGKILL
    assert not alive(int(caught.value.completed.stdout))


def test_t17_a_handler_that_takes_too_long_is_told_to_end(executor, handled):
    def patient(context):
        while not context.cancelled:
            time.sleep(0.001)
        context.raise_if_cancelled()

    task = handled(patient, timeout=0.2)
    with pytest.raises(TaskTimeoutError):
        executor.execute(task)

    assert (task.status, task.result.termination_reason) == (FAILED, "timeout")


def test_t17_a_handler_that_does_not_listen_is_given_up_after_the_grace(executor, handled, monkeypatch):
    monkeypatch.setenv("SPRY_GRACE", "0.1")
    go_on = threading.Event()
    task = handled(lambda _: go_on.wait(60), timeout=0.1)
    with pytest.raises(TaskTimeoutError):
        executor.execute(task)
    go_on.set()

    assert task.status is FAILED


def test_environment_and_folder_of_a_program_can_be_given(executor, tmp_path, monkeypatch):
    monkeypatch.setenv("FROM_CALLER", "1")
    task = Task.bash("echo $FROM_CALLER $MINE; pwd", env={"MINE": "2"}, cwd=str(tmp_path))

    assert executor.execute(task).output == f"1 2\n{tmp_path}\n"


def test_an_empty_program_succeeds(executor):
    assert executor.execute(Task.bash("")).output == ""


def test_a_program_that_cannot_be_started_fails_and_says_why(executor, tmp_path):
    task = Task.bash("true", cwd=str(tmp_path / "missing"))
    with pytest.raises(TaskExecutionError, match="does not exist"):
        executor.execute(task)

    assert task.status is FAILED


def test_t1_powershell_needs_pwsh_and_says_so(executor, tmp_path):
    task = Task.powershell("Write-Output hi", env={"PATH": str(tmp_path)})
    with pytest.raises(TaskExecutionError, match="pwsh"):
        executor.execute(task)


def test_t1_powershell_is_run_by_pwsh(executor, tmp_path):
    program = tmp_path / "pwsh"
    program.write_text('#!/bin/sh\nfor last; do :; done\necho "pwsh $(cat "$last")"\n')
    program.chmod(0o755)
    task = Task.powershell("Write-Output hi", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    assert executor.execute(task).output == "pwsh Write-Output hi\n"


# Handlers


def test_t4_the_usual_handlers_are_there_and_an_empty_executor_has_none():
    full, empty = TaskExecutor(), TaskExecutor.empty()

    assert all(full.is_registered(kind) for kind in TaskType)
    assert not any(empty.is_registered(kind) for kind in TaskType)


def test_t4_any_handler_can_be_replaced(executor):
    executor.register(TaskType.BASH, lambda context: f"would run {context.payload}")

    assert executor.execute(Task.bash("rm x")).output == "would run rm x"


def test_t4_only_a_function_for_a_type_can_be_registered(executor):
    with pytest.raises(TypeError, match="TaskType"):
        executor.register("bash", print)
    with pytest.raises(TypeError, match="callable"):
        executor.register(TaskType.BASH, "print")


def test_t5_what_a_handler_returns_is_the_output(executor, handled):
    task = handled(lambda _: "done")

    assert executor.execute(task).output == "done"
    assert task.is_done


def test_t5_what_a_handler_raises_is_its_failure(executor, handled):
    boom = KeyError("boo")

    def fail(_):
        raise boom

    task = handled(fail)
    with pytest.raises(KeyError) as caught:
        executor.execute(task)

    assert caught.value is boom
    assert (task.status, task.error) == (FAILED, "'boo'")
    assert (task.result.error, task.result.termination_reason) == ("'boo'", "handler")


def test_t6_a_handler_sees_the_upstream_it_is_given(executor, handled):
    parent = Task.bash("echo up")
    executor.execute(parent)
    task = handled(lambda context: context.upstream[parent.id].result.output.upper())

    assert executor.execute(task, {parent.id: parent}).output == "UP\n"


def test_t7_progress_is_told_and_changes_nothing(executor, handled, seen):
    def work(context):
        context.emit_progress(25, "warming up")
        context.emit_progress(message="still working")
        context.emit_progress(10)

    executor.execute(handled(work))
    told = [(event.progress_percent, event.progress_message) for event in seen if event.type.name == "PROGRESS"]

    assert told == [(25.0, "warming up"), (None, "still working"), (10.0, None)]
    assert seen.kinds == ["STARTED", "PROGRESS", "PROGRESS", "PROGRESS", "SUCCEEDED"]
    assert all(event.previous_status is None for event in seen if event.type.name == "PROGRESS")


@pytest.mark.parametrize(
    ("percent", "error"),
    [(-1, ValueError), (101, ValueError), (float("nan"), ValueError), ("x", TypeError), (True, TypeError)],
)
def test_t7_progress_is_a_number_from_0_to_100(executor, handled, percent, error):
    with pytest.raises(error):
        executor.execute(handled(lambda context: context.emit_progress(percent)))


def test_t7_progress_says_something(executor, handled):
    with pytest.raises(ValueError, match="percent or message"):
        executor.execute(handled(lambda context: context.emit_progress()))


def test_t8_a_handler_that_raises_taskcancelled_cancels_its_task(executor, handled, seen):
    def stop(_):
        raise TaskCancelled("not today")

    task = handled(stop)
    with pytest.raises(TaskCancelled, match="not today"):
        executor.execute(task)

    assert (task.status, task.error) == (CANCELLED, "not today")
    assert (task.result.status, task.result.termination_reason) == (CANCELLED, "cancelled")
    assert seen.kinds == ["STARTED", "CANCELLED"]


def test_tplus5_without_a_handler_a_task_fails(seen):
    empty = TaskExecutor.empty()
    empty.events.subscribe(seen)
    task = Task.bash("true")
    with pytest.raises(ValueError, match="No handler registered for task type 'bash'"):
        empty.execute(task)

    assert (task.status, task.result.status, task.result.termination_reason) == (FAILED, FAILED, "handler")
    assert seen.kinds == ["FAILED"]


def test_a_task_runs_again_unless_it_has_succeeded(executor, tmp_path):
    task = Task.bash("[[ -e ready ]]", cwd=str(tmp_path))
    with pytest.raises(TaskExecutionError):
        executor.execute(task)
    (tmp_path / "ready").touch()
    executor.execute(task)

    with pytest.raises(ValueError, match="Cannot execute task with status 'succeeded'"):
        executor.execute(task)


def test_a_running_task_cannot_be_run_a_second_time(executor, handled):
    go_on, started = threading.Event(), threading.Event()
    task = handled(lambda _: (started.set(), go_on.wait(30)))
    future = executor.submit(task)
    started.wait(30)
    with pytest.raises(ValueError, match="'running'"):
        executor.execute(task)
    go_on.set()
    future.result()

    assert task.is_done


def test_tplus6_a_context_shows_its_task():
    task = Task.bash("true", title="T", description="D", timeout=3)
    context = TaskContext(task, {"x": task})

    assert (context.id, context.title, context.description, context.payload) == (task.id, "T", "D", "true")
    assert (context.type, context.timeout, context.status, context.cancelled) == (TaskType.BASH, 3, task.status, False)
    assert context.upstream == {"x": task}
    with pytest.raises(TypeError):
        context.upstream["y"] = task
    with pytest.raises(RuntimeError, match="without an executor"):
        context.emit_progress(1)
    context.raise_if_cancelled()
    task.cancel()
    with pytest.raises(TaskCancelled):
        context.raise_if_cancelled()


def test_a_handler_has_the_context_variables_of_its_caller(executor, handled):
    variable = contextvars.ContextVar("variable")
    variable.set("value")

    assert executor.execute(handled(lambda _: variable.get())).output == "value"


def test_a_handler_may_run_tasks_itself(executor, handled):
    task = handled(lambda _: executor.execute(Task.bash("echo inner")).output)

    assert executor.execute(task).output == "inner\n"


# Retries


def test_t14_max_attempts_counts_all_and_each_attempt_tells_its_events(executor, seen, tmp_path):
    task = Task.bash("echo x >>tries; [[ $(wc -l <tries) == 3 ]]", cwd=str(tmp_path))
    result = executor.execute(task, retry_policy=RetryPolicy(max_attempts=5))

    assert seen.kinds == ["STARTED", "FAILED", "STARTED", "FAILED", "STARTED", "SUCCEEDED"]
    assert [event.previous_status.name for event in seen] == [
        "PENDING", "RUNNING", "FAILED", "RUNNING", "FAILED", "RUNNING",
    ]  # fmt: skip
    assert task.result is result


def test_t14_the_result_is_that_of_the_last_attempt(executor, tmp_path):
    task = Task.bash("echo x >>tries; wc -l <tries; exit 1", cwd=str(tmp_path))
    with pytest.raises(TaskExecutionError):
        executor.execute(task, retry_policy=RetryPolicy(3))

    assert task.result.output.strip() == "3"


def test_t14_backoff_is_the_pause_between_attempts(executor, handled):
    times = []

    def fail(_):
        times.append(time.monotonic())
        raise OSError

    with pytest.raises(OSError):
        executor.execute(handled(fail), retry_policy=RetryPolicy(3, backoff=0.2))

    assert len(times) == 3
    assert times[1] - times[0] >= 0.2
    assert times[2] - times[1] >= 0.2


def test_t14_without_a_policy_there_is_one_attempt(executor, seen):
    with pytest.raises(TaskExecutionError):
        executor.execute(Task.bash("exit 1"))

    assert seen.kinds == ["STARTED", "FAILED"]


def test_t14_timeouts_are_tried_again(executor, seen):
    with pytest.raises(TaskTimeoutError):
        executor.execute(Task.bash("sleep 60", timeout=0.1), retry_policy=RetryPolicy(2))

    assert seen.kinds == ["STARTED", "FAILED", "STARTED", "FAILED"]


def test_t14_a_task_can_bring_its_own_policy_also_to_submit(executor, seen):
    future = executor.submit(Task.bash("exit 1", retry=RetryPolicy(2)))
    with pytest.raises(TaskExecutionError):
        future.result()

    assert seen.kinds == ["STARTED", "FAILED"] * 2


def test_t15_cancelling_is_never_tried_again(executor, handled, seen):
    def stop(_):
        raise TaskCancelled

    with pytest.raises(TaskCancelled):
        executor.execute(handled(stop), retry_policy=RetryPolicy(5))

    assert seen.kinds == ["STARTED", "CANCELLED"]


def test_t15_a_pause_before_a_retry_ends_when_the_task_is_cancelled(executor, seen):
    task = Task.bash("exit 1")
    future = executor.submit(task, retry_policy=RetryPolicy(3, backoff=600))
    seen.wait_for("FAILED")
    executor.cancel(task)
    with pytest.raises(TaskCancelled):
        future.result(30)

    assert task.status is CANCELLED
    assert seen.kinds == ["STARTED", "FAILED", "CANCELLED"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"env": {"PORT": 8080}}, "env must map str to str: 'PORT'"),
        ({"env": {1: "x"}}, "env must map str to str: 1"),
        ({"cwd": 3}, "cwd must be a path, not int"),
        ({"payload": b"true"}, "payload must be a str, not bytes"),
    ],
)
def test_what_no_program_can_be_started_with_fails_its_own_task_only(executor, seen, fields, says):
    odd, other, clean = Task.bash("true"), Task.bash("sleep 0.2"), Task.bash("true")
    for name, value in fields.items():
        setattr(odd, name, value)
    graph = TaskGraph()
    graph.add(other)
    graph.add(odd)
    graph.add(clean, after=[odd], finally_=True)
    graph.run(executor)

    assert (odd.status, odd.error) == (FAILED, says)
    assert isinstance(graph.errors[odd.id], TypeError)
    assert (other.status, clean.status) == (SUCCEEDED, SUCCEEDED)


def test_a_handler_takes_what_is_no_text(executor):
    executor.register(TaskType.PROMPT, lambda context: context.payload["a"])

    assert executor.execute(Task.prompt({"a": "b"})).output == "b"


def test_retry_is_a_policy():
    with pytest.raises(TypeError, match="RetryPolicy"):
        Task.bash("true", retry=3)


# Cancelling


def test_t16_cancel_ends_the_running_program(executor, seen):
    task = Task.bash(WAITS)
    future = executor.submit(task)
    seen.wait_for("OUTPUT")
    assert executor.is_running(task.id)
    executor.cancel(task)
    assert task.status is CANCELLED
    with pytest.raises(TaskCancelled):
        future.result(30)

    assert not alive(int(task.result.output))
    assert (task.result.status, task.result.termination_reason) == (CANCELLED, "cancelled")
    assert seen.kinds == ["STARTED", "OUTPUT", "CANCELLED"]
    assert not executor.is_running(task.id)


def test_t16_cancel_ends_a_whole_process_group(executor, seen, tmp_path):
    task = Task.bash("sleep 600 & echo $!; wait")
    future = executor.submit(task)
    seen.wait_for("OUTPUT")
    executor.cancel(task)
    with pytest.raises(TaskCancelled):
        future.result(30)

    assert not alive(int(task.result.output))


WAITING = {
    "result": ("with TaskExecutor() as executor:", "future.result()"),
    "block": ("with TaskExecutor() as executor:", "pass"),
    "shutdown": ("if executor := TaskExecutor():", "executor.shutdown()"),
    "program": ("if executor := TaskExecutor():", "future.result()"),
    "end": ("if executor := TaskExecutor():", "pass"),
}


def submitting(how, heard="pass", count=50):
    """A program that submits many tasks and waits in some way; its first line is who runs in the first task."""
    opening, wait = WAITING[how]
    return f"""
import os, signal, threading
from spry import Task, TaskExecutor

def heard(event):
    if event.output_chunk:
        print(event.output_chunk, end="", flush=True)
        {heard}

{opening}
    executor.events.subscribe(heard)
    print("submitting", flush=True)
    future = executor.submit(Task.bash("echo $$; exec sleep 600"))
    queued = [executor.submit(Task.bash("exec sleep 600")) for _ in range({count})]
    {wait}
"""


def seen_to_its_end(process):
    """What a program says until it ends; it is not there any more afterwards, nor is anybody whom it started."""
    try:
        return process.communicate(timeout=30)
    finally:
        if process.returncode is None:
            kill_trees([process.pid])


def python(program, folder):
    """A Python that runs a program."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": folder}
    return subprocess.Popen([sys.executable, "-W", "error", "-c", program], **pipes)


@pytest.mark.parametrize("how", WAITING)
def test_t16_ctrl_c_ends_what_was_submitted(how, tmp_path):
    """Even if another thread gets the signal: then nothing wakes the one that waits."""
    with python(submitting(how, "signal.pthread_kill(threading.get_ident(), signal.SIGINT)"), tmp_path) as process:
        out, err = seen_to_its_end(process)

    assert not alive(int(out.split()[1]))
    assert "KeyboardInterrupt" in err


@pytest.mark.stress
@pytest.mark.parametrize("how", WAITING)
def test_t16_ctrl_c_is_never_lost(how, tmp_path):
    pause = random.Random(7)
    for _ in range(40):
        with python(submitting(how, count=20), tmp_path) as process:
            process.stdout.readline()
            time.sleep(pause.uniform(0, 0.2))  # any moment will do
            process.send_signal(signal.SIGINT)
            out, err = seen_to_its_end(process)

        assert "KeyboardInterrupt" in err
        assert not [pid for pid in out.split() if alive(int(pid))]


def test_t16_ctrl_c_in_what_a_program_calls_at_its_end_is_not_lost(tmp_path):
    late = "import atexit; atexit.register(signal.raise_signal, signal.SIGINT)"
    with python(submitting("end") + f"    {late}\n", tmp_path) as process:
        out, err = seen_to_its_end(process)

    assert not [pid for pid in out.split()[1:] if alive(int(pid))]
    assert "KeyboardInterrupt" in err


def test_t16_ctrl_c_during_the_last_words_of_a_run_is_not_lost(executor):
    executor.events.subscribe(lambda event: event.type.name == "SUCCEEDED" and signal.raise_signal(signal.SIGINT))
    task = Task.bash("true")
    with pytest.raises(KeyboardInterrupt):
        executor.execute(task)

    assert task.is_succeeded


def test_t16_a_program_that_ends_waits_for_what_it_has_submitted(tmp_path):
    program = """
from spry import Task, TaskExecutor
TaskExecutor().submit(Task.bash("sleep 0.2; echo done > done"))
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, timeout=30, check=True)

    assert (tmp_path / "done").read_text() == "done\n"


def test_t16_what_is_submitted_after_ctrl_c_is_refused_and_what_waits_is_cancelled(tmp_path):
    executor = TaskExecutor()
    futures = [executor.submit(Task.bash("exec sleep 600")) for _ in range(50)]
    executor.__exit__(KeyboardInterrupt, None, None)

    assert all(future.done() for future in futures)
    assert futures[-1].cancelled()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(Task.bash("true"))


def test_t16_who_would_wait_for_the_end_of_itself_is_refused(executor):
    executor.events.subscribe(lambda event: executor.shutdown())
    executor.submit(Task.bash("true")).result(30)

    assert {type(error) for error in executor.events.errors} == {RuntimeError}


def test_t16_a_result_can_be_waited_for_a_while(executor, handled):
    go_on = threading.Event()
    future = executor.submit(handled(lambda _: go_on.wait(30)))
    with pytest.raises(TimeoutError):
        future.result(0.01)
    with pytest.raises(TimeoutError):
        future.exception(0)
    go_on.set()

    assert future.exception(30) is None
    assert future.result(0).status is SUCCEEDED


def test_t16_a_handler_can_see_that_it_is_cancelled_and_what_it_returns_then_does_not_count(executor, handled):
    started, go_on = threading.Event(), threading.Event()

    def late(context):
        started.set()
        go_on.wait(30)
        return f"late {context.cancelled}"

    task = handled(late)
    future = executor.submit(task)
    started.wait(30)
    executor.cancel(task)
    go_on.set()
    with pytest.raises(TaskCancelled):
        future.result(30)

    assert (task.status, task.result.output) == (CANCELLED, "")


def test_tplus5_what_has_not_started_is_cancelled_at_once(executor, seen):
    task = Task.bash("true")
    executor.cancel(task)
    executor.cancel(task)

    assert seen.kinds == ["CANCELLED"]
    assert (seen[0].previous_status.name, seen[0].error) == ("PENDING", "cancelled")
    assert task.result.status is CANCELLED
    with pytest.raises(ValueError, match="'cancelled'"):
        executor.execute(task)


def test_tplus5_what_has_succeeded_is_not_cancelled(executor, seen):
    task = Task.bash("true")
    executor.execute(task)
    executor.cancel(task)

    assert task.is_done
    assert seen.kinds == ["STARTED", "SUCCEEDED"]


def test_tplus5_a_blocked_task_can_be_cancelled_or_run(executor, seen):
    first, second = Task.bash("true"), Task.bash("true")
    executor.mark_blocked(first, "parent")
    executor.mark_blocked(second, None)
    blocked = (first.status.name, first.blocked_by, first.result)
    executor.cancel(first)
    executor.execute(second)

    assert blocked == ("BLOCKED", "parent", None)
    assert (first.status, second.status) == (CANCELLED, SUCCEEDED)
    assert seen.of(first) == ["BLOCKED", "CANCELLED"]
    assert seen.of(second) == ["BLOCKED", "STARTED", "SUCCEEDED"]


# In the background


def test_t18_a_submitted_task_goes_the_same_way(executor, seen):
    task = Task.bash("echo hi")
    result = executor.submit(task).result()

    assert result is task.result
    assert seen.kinds == ["STARTED", "OUTPUT", "SUCCEEDED"]


def test_t18_what_goes_wrong_comes_out_of_the_future(executor):
    with pytest.raises(TaskExecutionError):
        executor.submit(Task.bash("exit 1")).result()


def test_t19_there_are_no_threads_before_the_first_submit(executor):
    before = threading.active_count()
    TaskExecutor().shutdown()

    assert threading.active_count() == before
    assert executor._workers is None


def test_t19_shutdown_waits_for_all_that_was_submitted_and_takes_no_more(executor):
    tasks = [Task.bash("sleep 0.02") for _ in range(40)]
    futures = [executor.submit(task) for task in tasks]
    executor.shutdown()
    executor.shutdown()

    assert executor.is_shutdown
    assert all(future.done() for future in futures)
    assert all(task.is_done for task in tasks)
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(Task.bash("true"))
    assert executor.execute(Task.bash("echo still")).output == "still\n"


def test_t19_leaving_a_with_block_is_a_shutdown_and_so_is_close():
    with TaskExecutor() as executor:
        future = executor.submit(Task.bash("echo hi"))
    other = TaskExecutor()
    other.close()

    assert future.done()
    assert executor.is_shutdown
    assert other.is_shutdown


def test_a_future_that_is_cancelled_in_the_queue_leaves_its_task_pending(executor):
    go_on = threading.Event()
    executor.register(TaskType.PROMPT, lambda _: go_on.wait(30))
    tasks = [Task.prompt("x") for _ in range(60)]
    futures = [executor.submit(task) for task in tasks]
    assert futures[-1].cancel()
    go_on.set()
    executor.shutdown()

    assert tasks[-1].is_pending
    assert all(task.is_done for task in tasks[:-1])
