"""Runbooks in programs: reading, looking, graphs of cells, runs that are waited for, awaited or watched."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from driver import alive

import spry
from spry import TaskExecutor, TaskType, aevents, arun, load, run
from spry.core.events import Outcome, RunFinished, RunStarted, TaskFinished, TaskOutput
from spry.errors import RunbookError, UsageError


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def written(text, name="book.md"):
        (tmp_path / name).write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path / name

    return written


def cells(*infos, body="echo hi"):
    return "".join(f"```bash {info}\n{body}\n```\n" for info in infos)


SEMANTICS = """\
---
spry:
  env: {GREETING: hello}
  interpreters: {upper: "tr a-z A-Z"}
---
```env base
FROM_CELL=cell
```

```bash version -C version
echo 1.4.2
```

```bash strict --retry 2
echo "attempt $SPRY_ATTEMPT"
[[ $SPRY_ATTEMPT == 2 ]]
false | true
echo "not reached"
```

```bash show -I --dep base --env OWN=own --arg who=world
echo "${captured.version} $GREETING $FROM_CELL $OWN $who $SPRY_TASK"
echo "key=value" >>"$SPRY_OUTPUT"
```

```python snake --dep show
import json, os
print(json.load(open(os.environ["SPRY_UPSTREAM"]))["show"]["outputs"])
```

```bash sweep --finally --optional --dep snake
exit 7
```
"""


# Reading and looking


def test_load_takes_paths_of_any_kind(write):
    path = write(cells("a"))
    other = write(cells("b"), "other.md")

    assert list(load(path).tasks) == list(load(str(path)).tasks) == ["a"]
    assert list(load([path, other]).tasks) == ["a", "b"]
    assert list(load("*.md").tasks) == ["a", "b"]


def test_load_without_paths_finds_the_nearest_runbook(write):
    write(cells("near"), "Spryfile.md")

    assert list(load().tasks) == ["near"]


def test_a_path_that_leads_nowhere_is_a_usage_error(write):
    with pytest.raises(UsageError, match="no such file"):
        load("missing.md")


def test_tasks_have_every_value(write):
    book = load(write(cells("a --descr Words --timeout 5s", "b --dep a --env K=V")))

    assert book.tasks["a"].descr == "Words"
    assert book.tasks["a"].timeout == 5
    assert (book.tasks["b"].deps, book.tasks["b"].env) == (("a",), (("K", "V"),))


def test_check_returns_every_problem_and_everything_else_raises_them(write):
    book = load(write(cells("a --dep x", "b --dep y")))
    problems = book.check()

    assert [(problem.line, problem.severity) for problem in problems] == [(1, "error"), (4, "error")]
    for look in (lambda: book.tasks, book.plan, book.graph, lambda: run("book.md")):
        with pytest.raises(RunbookError) as caught:
            look()
        assert len(caught.value.problems) == 2


def test_a_valid_runbook_has_no_problems(write):
    assert load(write(cells("a"))).check() == ()


def test_plan_selects_as_the_command_does(write):
    book = load(write(cells("a", "b --dep a", "c --graph other", "d --finally --dep b --tag t")))

    assert list(book.plan().steps) == ["a", "b", "d"]
    assert list(book.plan("a").steps) == ["a"]
    assert list(book.plan(graphs=["other"]).steps) == ["c"]
    assert list(book.plan(skip="a").steps) == ["b", "d"]
    assert book.plan("b").steps["b"].deps == ("a",)
    with pytest.raises(UsageError, match="not found"):
        book.plan("x")


# Graphs of cells


def statuses(graph):
    return {task.title: task.status.value for task in graph}


def test_a_graph_of_cells_runs_as_the_command_would(write):
    graph = load(write(SEMANTICS)).graph()
    graph.run(TaskExecutor())
    tasks = {task.title: task for task in graph}

    assert statuses(graph) == {
        "base": "succeeded", "version": "succeeded", "strict": "failed", "show": "succeeded", "snake": "succeeded",
        "sweep": "failed",
    }  # fmt: skip
    assert tasks["strict"].result.output == "attempt 2\n"
    assert tasks["show"].result.output == "1.4.2 hello cell own world show\n"
    assert tasks["snake"].result.output == "{'key': 'value'}\n"
    assert (graph.optional_failed, graph.required_failed) == ([tasks["sweep"]], [tasks["strict"]])
    assert graph.is_finally(tasks["sweep"])
    assert graph[tasks["show"]] == [tasks["base"], tasks["version"]]


def test_both_ways_to_run_a_runbook_say_the_same(write):
    path = write(SEMANTICS)
    graph = load(path).graph()
    graph.run(TaskExecutor())
    command = [sys.executable, "-m", "spry", "runbook", str(path), "--json", "--no-history"]
    done = subprocess.run(command, capture_output=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    outputs = {}
    for event in events:
        if event["event"] == "task_output" and event["stream"] == "stdout":
            outputs[event["task"]] = outputs.get(event["task"], "") + event["text"]
    finished = {event["task"]: event["outcome"] for event in events if event["event"] == "task_finished"}

    assert statuses(graph) == finished
    assert {task.title: task.result.output for task in graph if task.title not in ("base", "strict")} == {
        name: outputs.get(name, "") for name in finished if name not in ("base", "strict")
    }
    assert done.returncode == 1


def test_the_tasks_of_a_graph_say_what_they_are(write):
    text = cells("a --descr Words --timeout 5 --retry 3@1") + "```python b --dep a\n1\n```\n```pwsh c --dep a\n1\n```\n"
    a, b, c = load(write(text)).graph()

    assert (a.type, b.type, c.type) == (TaskType.BASH, TaskType.SCRIPT, TaskType.POWERSHELL)
    assert (a.payload, a.description, a.timeout) == ("echo hi\n", "Words", 5)
    assert (a.retry.max_attempts, a.retry.backoff) == (3, 1)
    assert a.origin.endswith("book.md:1 a")
    with pytest.raises(AttributeError, match="in the runbook"):
        a.payload = "rm"


def test_what_a_program_changes_about_a_cell_holds(write, executor):
    graph = load(write(cells("a", body='echo "$X"; exec sleep 600'))).graph()
    (task,) = graph
    task.timeout, task.env["X"] = 0.3, "changed"
    graph.run(executor)

    assert task.result.output == "changed\n"
    assert task.result.termination_reason == "timeout"


def test_a_graph_of_cells_goes_on_after_a_failure_with_what_was_captured(write, executor, tmp_path):
    text = "```bash a -C key\necho $RANDOM\n```\n```bash b -I\n[[ -e ready ]]\necho ${captured.key}\n```\n"
    graph = load(write(text)).graph()
    a, b = graph
    graph.run(executor)
    first = (a.result, b.status.value)
    (tmp_path / "ready").touch()
    graph.run(executor)

    assert first == (a.result, "failed")
    assert b.result.output == a.result.output


def test_tasks_of_a_program_can_join_cells(write, executor, handled):
    graph = load(write(cells("a"))).graph()
    (cell,) = graph
    last = handled(lambda context: context.upstream[cell.id].result.output.upper())
    graph.add(last, after=[cell])
    graph.run(executor)

    assert last.result.output == "HI\n"


def test_a_handler_that_is_registered_does_the_cells_of_its_type(write, executor):
    executor.register(TaskType.PROMPT, lambda context: context.payload.upper())
    graph = load(write("```bash a -C x\necho who\n```\n```prompt ask -I\nask ${captured.x}\n```\n")).graph("ask")
    graph.run(executor)
    ask = next(task for task in graph if task.title == "ask")

    assert ask.result.output == "ASK WHO\n"


def test_parameters_are_given_to_the_graph_and_checked_there(write, executor):
    book = load(write(cells("a --arg n:int --arg m=2", body="echo $n $m")))
    with pytest.raises(UsageError, match='needs a value for "n"'):
        book.graph()
    with pytest.raises(UsageError, match="x"):
        book.graph(params={"n": "x"})
    with pytest.raises(UsageError, match="no selected task declares"):
        book.graph(params={"n": "1", "other": "1"})
    graph = book.graph(params={"n": "1"})
    (task,) = graph.run(executor)

    assert task.result.output == "1 2\n"


def test_a_question_is_refused_unless_it_is_answered_beforehand(write, executor):
    book = load(write(cells("a --confirm")))
    with pytest.raises(UsageError, match="--confirm"):
        book.graph()

    assert book.graph(yes=True).run(executor).ok


def test_secrets_are_not_in_results_and_events(write, executor, seen):
    text = cells("a --arg password:secret", body='echo "is $password"')
    graph = load(write(text)).graph(params={"password": "hunter2hunter2"})
    (task,) = graph.run(executor)

    assert task.result.output == "is ***\n"
    assert all("hunter2" not in str(event.output_chunk) for event in seen)


def test_a_cell_does_not_run_without_what_it_depends_on(write, executor):
    a, b = load(write(cells("a", "b --dep a"))).graph()
    other = spry.TaskGraph()
    other.add(b)
    for go in (lambda: executor.execute(b), lambda: other.run(executor)):
        with pytest.raises(ValueError, match="'b' is a cell that depends on a"):
            go()

    executor.execute(a)
    assert b.is_pending


def test_cells_of_two_graphs_are_not_mixed(write, executor):
    book = load(write(cells("a", "b")))
    (a, _), (_, b) = book.graph(), book.graph()
    graph = spry.TaskGraph()
    graph.add(a)
    graph.add(b)
    with pytest.raises(ValueError, match="different calls"):
        graph.run(executor)


def test_a_cell_out_of_a_store_is_shown_and_not_run(write, tmp_path):
    store = spry.SQLiteStore(tmp_path / "tasks.db")
    executor = TaskExecutor(store)
    graph = load(write(cells("a", "b --dep a", body="exit 1"))).graph()
    graph.run(executor)
    again = store.graphs[graph.id]
    again.run(executor)
    a, _ = again

    assert a.origin.endswith("book.md:1 a")
    assert a.is_failed
    assert "load its runbook" in str(again.errors[a.id])


# Runs


def test_run_returns_the_result_of_the_whole(write):
    path = write(cells("a", "b --dep a") + "```bash c --dep b\nexit 3\n```\n")
    good, bad = run(path, "b"), run(path)

    assert (good.ok, good.exit_code, list(good.outcomes)) == (True, 0, ["a", "b"])
    assert (bad.ok, bad.exit_code, bad.outcomes["c"]) == (False, 1, Outcome.FAILED)
    assert bad.finished["c"].exit_code == 3


def test_run_tells_every_event_and_is_written_down(write):
    events = []
    path = write(cells("a"))
    result = run(path, on_event=events.append)
    listed = subprocess.run([sys.executable, "-m", "spry", "runs", "--json"], capture_output=True, check=True)

    assert [type(event).__name__ for event in events] == [
        "RunStarted", "TaskStarted", "TaskOutput", "TaskFinished", "RunFinished",
    ]  # fmt: skip
    assert [one["run"] for one in json.loads(listed.stdout)] == [result.run]


def test_run_leaves_nothing_without_history(write):
    path = write(cells("a"))
    run(path, history=False)

    assert not os.path.exists("state")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"fail_fats": True}, TypeError, "'fail_fats' (did you mean \"fail_fast\"?)"),
        ({"jobs": 0}, UsageError, "jobs: expected a whole number from 1 on, not 0"),
        ({"jobs": "2"}, TypeError, "jobs must be an int"),
        ({"timeout": -1}, UsageError, "timeout: expected more than 0 seconds, not -1"),
        ({"timeout": float("nan")}, UsageError, "not nan"),
        ({"timeout": "5s"}, TypeError, "timeout must be a number of seconds"),
        ({"env": {"A=B": "x"}}, UsageError, '"A=B" cannot name a variable'),
        ({"env": {"A": "\0"}}, UsageError, "NUL"),
        ({"env": {"A": 1}}, TypeError, "env must map str to str: 'A'"),
        ({"params": {"kind": 3}}, TypeError, "params must map str to str: 'kind'"),
    ],
)
def test_what_a_run_cannot_mean_is_refused_before_anything_starts(write, tmp_path, options, error, says):
    path = write(cells("a --arg kind=x", body="touch ran"))

    with pytest.raises(error) as found:
        run(path, **options)
    with pytest.raises(error):
        asyncio.run(arun(path, **options))

    assert says in str(found.value)
    assert not (tmp_path / "ran").exists()


def test_an_invalid_runbook_says_in_a_traceback_what_is_wrong_with_it(write):
    with pytest.raises(RunbookError) as found:
        run(write(cells("a --dep nowhere", "b --dep never")))

    assert [line.partition(": ")[2] for line in str(found.value).splitlines()[1:]] == [
        'Task "nowhere" referenced by "a" does not exist',
        'Task "never" referenced by "b" does not exist',
    ]


def test_a_graph_takes_no_variables_that_cannot_be(write):
    with pytest.raises(UsageError, match="cannot name a variable"):
        load(write(cells("a"))).graph(env={"A B": "x"})


def test_run_takes_the_options_of_the_command(write):
    path = write(cells("a --arg x", "b", body='echo "$x$E"') + "```bash c --graph g\nsleep 600\n```\n")
    events = []
    run(path, ["a"], params={"x": "1"}, env={"E": "2"}, on_event=events.append)
    timed = run(path, graphs=["g"], timeout=0.3)

    assert b"".join(event.data for event in events if isinstance(event, TaskOutput)) == b"12\n"
    assert timed.exit_code == 124
    assert list(run(path, skip=["a"]).outcomes) == ["b"]


def test_a_strangers_runbook_is_not_run_by_a_program_either(write, monkeypatch):
    path = write(cells("a"))
    path.chmod(0o666)
    with pytest.raises(UsageError, match="may be written by anybody"):
        run(path)
    with pytest.raises(UsageError, match="may be written by anybody"):
        load(path).graph()

    assert run(path, yes=True).ok


INTERRUPTED = """
    import sys, spry
    try:
        show = lambda event: hasattr(event, "data") and print(event.data.decode(), end="", flush=True)
        spry.run("book.md", on_event=show)
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_ctrl_c_ends_a_run_and_is_raised_then(write, tmp_path):
    write(cells("a", body="echo $$; exec sleep 600") + "```bash z --finally\necho clean\n```\n")
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    pid = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)

    assert rest == "clean\ninterrupted\n"
    assert not alive(pid)


# With await


def test_arun_is_run_awaited(write):
    path = write(cells("a"))

    async def both():
        return await asyncio.gather(arun(path), arun(path, history=False))

    assert [result.ok for result in asyncio.run(both())] == [True, True]


def test_to_cancel_arun_ends_what_runs_and_cleans_up(write, tmp_path):
    path = write(cells("a", body="echo $$ >pid; echo go; exec sleep 600") + "```bash z --finally\ntouch clean\n```\n")

    async def cancelled():
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell(event):
            if isinstance(event, TaskOutput):
                loop.call_soon_threadsafe(begun.set)

        running = asyncio.create_task(arun(path, on_event=tell))
        await begun.wait()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        return running.cancelled()

    assert asyncio.run(cancelled())
    assert not alive(int((tmp_path / "pid").read_text()))
    assert (tmp_path / "clean").exists()


def test_aevents_tells_events_as_they_come(write):
    path = write(cells("a", body="echo one; sleep 0.05; echo two"))

    async def watched():
        return [event async for event in aevents(path)]

    events = asyncio.run(watched())

    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert b"".join(event.data for event in events if isinstance(event, TaskOutput)) == b"one\ntwo\n"
    assert [event.task for event in events if isinstance(event, TaskFinished)] == ["a"]


def test_to_stop_watching_ends_the_run(write, tmp_path):
    path = write(cells("a", body="echo $$; exec sleep 600") + "```bash z --finally\ntouch clean\n```\n")

    async def watched():
        async with contextlib.aclosing(aevents(path)) as events:
            async for event in events:
                if isinstance(event, TaskOutput):
                    return int(event.data)
        raise AssertionError("no output came")

    pid = asyncio.run(watched())

    assert not alive(pid)
    assert (tmp_path / "clean").exists()


def test_a_slow_watcher_holds_back_a_run_and_loses_nothing(write):
    path = write(cells(*(f"t{number}" for number in range(150)), body="for i in {1..5}; do echo x; sleep 0; done"))

    async def watched():
        found = 0
        async for event in aevents(path, history=False, jobs=2):
            found += len(event.data) if isinstance(event, TaskOutput) else 0
            await asyncio.sleep(0)
        return found

    assert asyncio.run(watched()) == 150 * 10


def test_what_is_wrong_comes_out_of_the_iterator(write):
    write(cells("a --dep x"))

    async def watched(path):
        return [event async for event in aevents(path)]

    with pytest.raises(RunbookError):
        asyncio.run(watched("book.md"))
    with pytest.raises(UsageError):
        asyncio.run(watched("missing.md"))


def test_a_run_in_a_thread_takes_no_time_to_end(write):
    path = write(cells("a", body="true"))
    started = time.monotonic()
    asyncio.run(arun(path, history=False))

    assert time.monotonic() - started < 10
