"""The queues of a run: control by messages, what was asked and what came of it, and the log of all of it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from book import cell
from driver import alive
from jsonschema import validate
from waiting import ended, until

from spry.core import canonical
from spry.core.model import Task
from spry.core.values import OF_RUNS
from spry.engine.control import LOOK, Control
from spry.errors import HostError
from spry.store.queues import Backend, Broker, marks

ROOT = Path(__file__).resolve().parents[2]
TASK_LOG = json.loads((ROOT / "docs" / "schemas" / "tasklog.json").read_text())
TASK_SPEC = json.loads((ROOT / "docs" / "schemas" / "taskspec.json").read_text())
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def project(book):
    """A project; whatever is still running in it is killed in the end."""
    assert book.run("init").exit_code == 0
    yield book
    left = book.run("runs", "--status", "running", "--json")
    for run in left.json if left.exit_code == 0 else ():
        book.run("kill", run["run"])


def detached(book, *argv):
    done = book.run("exec", "--detach", *argv)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.strip()


def ask(book, run, text):
    """Write a message to a run, and wait for its answer."""
    assert book.run("queue", "write", f"T{run}.ctrl_in", text).exit_code == 0
    return answer(book, run)


def answer(book, run):
    found = []

    def came():
        found.append(book.run("queue", "read", f"T{run}.ctrl_out").stdout)
        return found[-1]

    until(came)
    return json.loads(found[-1])


def log(book):
    """The log of tasks: event, task or nothing, status."""
    entries = [json.loads(line) for line in book.run("queue", "peek", "spry.log.tasks", "--all").stdout.splitlines()]
    for entry in entries:
        validate(entry, TASK_LOG)
    return entries


# F33


def test_f33_ping_status_and_stop_by_message_have_their_effect_and_their_answer(project):
    work = cell("bash work", "echo up > up; sleep 600")
    project(work, cell("bash tidy --finally --dep work", "echo swept > swept"))
    run = project.run("runbook", "--detach").stdout.strip()
    until(lambda: project.has("up"))
    pong, status = ask(project, run, "PING"), ask(project, run, "status")
    unknown, stop = ask(project, run, "dance"), ask(project, run, "STOP")

    assert (pong["status"], pong["message"], pong["tid"]) == ("ok", "PONG", run)
    assert (status["task_status"], status["tasks"]) == ("running", {"work": "running", "tidy": "waiting"})
    assert (unknown["status"], unknown["message"]) == ("error", "there are STOP, KILL, STATUS, PING")
    assert (stop["command"], stop["status"]) == ("STOP", "ok")
    assert ended(project, run)["status"] == "cancelled"
    assert project.read("swept") == "swept\n"
    assert project.run("queue", "list", "--pattern", "T*.ctrl_*").stdout == ""
    controls = [one for one in log(project) if one["event"].startswith("control_") and one["tid"] == run]
    assert [one["event"] for one in controls] == ["control_ping", "control_status", "control_stop"]


def test_f33_kill_by_message_ends_what_does_not_want_to_stop(project):
    run = detached(project, "sh", "-c", "trap '' TERM; echo $$ > pid.part; mv pid.part pid; while :; do sleep 1; done")
    until(lambda: project.has("pid"))

    assert ask(project, run, "KILL")["status"] == "ok"
    assert ended(project, run)["status"] == "cancelled"
    assert not alive(int(project.read("pid")))


def test_f33_a_run_that_somebody_waits_for_listens_where_there_are_queues(project):
    gate = project.fifo("gate")
    project.run("queue", "write", "q", "x")
    process = project.start("exec", "sh", "-c", "echo up > gate; sleep 600")
    gate.read_text()
    run = project.run("runs", "--json").json[0]["run"]

    assert ask(project, run, "STOP")["status"] == "ok"
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_f33_a_ping_is_answered_by_the_run_itself_and_leaves_nothing_in_its_queues(project):
    run = detached(project, "--no-autostart", "sleep", "600")
    ask(project, run, "STATUS")
    others = project.run("queue", "write", f"T{run}.ctrl_out", "of somebody else")

    assert others.exit_code == 0
    assert project.run("ping", run[-9:]) == (0, f"{run} running\n", "")
    assert [one["event"] for one in log(project) if one["tid"] == run] == ["control_status", "control_ping"]
    assert listed(project, "--pattern", "T*.ctrl_*") == {f"T{run}.ctrl_in": 0, f"T{run}.ctrl_out": 1}


def test_f33_a_run_that_does_not_answer_is_told_from_one_that_does(project, tmp_path):
    (tmp_path / "shadow" / "simplebroker").mkdir(parents=True)
    (tmp_path / "shadow" / "simplebroker" / "__init__.py").write_text("raise ImportError('no simplebroker')")
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "shadow"), str(ROOT)])}
    begun = project.start("exec", "--detach", "--no-autostart", "sleep", "600", env=env)
    run = begun.communicate(timeout=60)[0].decode().strip()
    done = project.run("ping", run, "--timeout", "0.2")

    assert (done.exit_code, done.stdout) == (124, f"{run} running\n")
    assert f"Error: run {run} does not answer, though its process lives: there was no answer within 0.2s" in done.stderr
    assert listed(project)[f"T{run}.ctrl_in"] == 0


def test_f33_a_run_that_listens_to_no_messages_is_not_said_to_have_answered(project):
    gate = project.fifo("gate")
    process = project.start("exec", "sh", "-c", "echo up > gate; exec sleep 600")
    gate.read_text()
    run = project.run("runs", "--json").json[0]["run"]
    done = project.run("ping", run)
    project.run("kill", run)
    process.communicate(timeout=60)

    assert (done.exit_code, done.stdout) == (0, f"{run} running\n")
    assert "was not asked, only its process looked at: it began before there were queues here" in done.stderr


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="the system tells no states of processes")
def test_f33_a_run_that_is_stopped_is_said_to_be(project):
    run = detached(project, "--no-autostart", "sleep", "600")
    pid = project.run("status", run, "--process", "--json").json["process"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "T")
    done = project.run("ping", run)
    os.kill(pid, signal.SIGCONT)

    assert (done.exit_code, done.stdout) == (1, f"{run} stopped\n")
    assert "cannot answer until its process goes on" in done.stderr


def test_f33_a_message_that_could_have_no_effect_is_refused(project):
    up, gate = project.fifo("up"), project.fifo("gate")
    process = project.start("exec", "sh", "-c", "echo up > up; cat gate")
    up.read_text()
    run = project.run("runs", "--json").json[0]["run"]
    deaf = project.run("queue", "write", f"T{run}.ctrl_in", "STOP")
    gate.write_text("\n")
    process.communicate(timeout=60)
    over = project.run("queue", "write", f"T{run}.ctrl_in", "STOP")

    assert (deaf.exit_code, over.exit_code) == (2, 2)
    assert "began before there were queues here" in deaf.stderr
    assert f"spry stop {run}" in deaf.stderr
    assert f"no run {run} is under way" in over.stderr
    assert process.returncode == 0


@pytest.fixture
def control(tmp_path):
    """A run in a history of its own that is controlled in this process, and its queues."""
    broker = Broker(str(tmp_path), Backend())
    (tmp_path / "run").mkdir()
    made = Control("7", str(tmp_path / "run"), str(tmp_path), lambda: Broker(str(tmp_path), Backend()))
    yield made, broker
    broker.close()


def looks(monkeypatch, made):
    """How often it opens the queues."""
    seen = []
    connect = made._connect
    monkeypatch.setattr(made, "_connect", lambda: seen.append(1) or connect())
    return seen


def test_f33_queues_in_which_nothing_happens_are_not_opened(control, monkeypatch):
    made, broker = control
    opened = looks(monkeypatch, made)
    broker.write("other", "before the first beat")
    now = time.time_ns()
    for beat in range(100):
        monkeypatch.setattr(time, "time_ns", lambda beat=beat: now + int(beat * LOOK * 1e9))
        made.beat(beat * LOOK)

    assert len(opened) <= 3
    before = marks(made._folder)
    broker.write("T7.ctrl_in", "PING")
    assert marks(made._folder) != before
    made.beat(100 * LOOK)
    assert [json.loads(one.text)["message"] for one in broker.peek("T7.ctrl_out")] == ["PONG"]


def test_f33_queues_that_cannot_be_used_cost_the_run_nothing(control, monkeypatch):
    made, broker = control

    def broken():
        raise HostError("the server is gone")

    monkeypatch.setattr(made, "_connect", broken)
    broker.write("T7.ctrl_in", "PING")
    made.beat(LOOK)

    assert [one.text for one in broker.peek("T7.ctrl_in")] == ["PING"]


@pytest.mark.stress
@pytest.mark.skipif(not os.path.isdir("/proc"), reason="the system tells no times of processes")
def test_f33_a_run_that_listens_takes_less_than_a_hundredth_of_a_processor(project):
    run = detached(project, "sleep", "600")
    assert ask(project, run, "PING")["message"] == "PONG"
    pid = project.run("status", run, "--process", "--json").json["process"]["pid"]

    def used():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    time.sleep(3 * LOOK)  # until it is at rest
    before, began = used(), time.monotonic()
    time.sleep(2)
    assert used() - before <= 0.01 * (time.monotonic() - began) + 1 / TICKS


# F11


def test_f11_a_run_has_what_was_asked_in_reserved_and_then_its_output_in_the_outbox(project):
    gate = project.fifo("gate")
    run = detached(project, "--timeout", "50", "--memory", "512", "--env", "A=b", "sh", "-c", "cat gate")
    asked = json.loads(project.run("queue", "peek", f"T{run}.reserved").stdout)
    assert project.run("queue", "peek", f"T{run}.outbox").exit_code == 2
    gate.write_text("one\ntwo\n")
    ended(project, run)

    validate(asked, TASK_SPEC)
    assert asked["spec"]["timeout"] == 50
    assert asked["spec"]["limits"] == {"memory_mb": 512}
    assert asked["spec"]["env"] == {"A": "b"}
    assert project.run("queue", "peek", f"T{run}.outbox").stdout == "one\ntwo\n"
    assert project.run("queue", "peek", f"T{run}.reserved").exit_code == 2
    assert project.run("queue", "peek", f"T{run}.inbox").exit_code == 2


def test_f11_the_queues_of_runs_are_no_queues_for_tasks_and_cannot_be_changed(project):
    project(cell("bash t --outbox T123.ctrl_in", "true"))
    assert "is kept by spry itself" in project.run("check").stdout
    for argv in (
        ("write", "T1.outbox", "x"),
        ("delete", "T1.reserved"),
        ("move", "T1.inbox", "q"),
        ("read", "T1.reserved"),
        ("write", "spry.spawn.requests", "x"),
        ("read", "spry.state.workers"),
    ):
        done = project.run("queue", *argv)
        assert done.exit_code == 2
        assert "can only be looked at" in done.stderr


def listed(book, *argv):
    """The queues of a list, with how many messages wait."""
    return {one["queue"]: one["messages"] for one in book.run("queue", "list", "--json", *argv).json}


def test_f11_the_queues_of_a_run_are_listed_while_it_is_under_way_and_what_waits_of_it_later_on_request(project):
    gate = project.fifo("gate")
    run = detached(project, "--no-autostart", "cat", "gate")
    own = {f"T{run}.{name}": 0 for name in ("inbox", "outbox", "ctrl_in", "ctrl_out")} | {f"T{run}.reserved": 1}
    now = listed(project)
    ids, streaming = (
        json.loads(project.run("queue", "peek", f"spry.state.{name}").stdout) for name in ("tid_mappings", "streaming")
    )
    gate.write_text("one\n")
    ended(project, run)

    assert now == own | {"spry.state.streaming": 1, "spry.state.tid_mappings": 1}
    assert (ids["tid"], ids["tid_short"]) == (run, run[-10:])
    assert streaming["queue"] == f"T{run}.outbox"
    assert listed(project) == {}
    assert listed(project, "--pattern", "T*") == {f"T{run}.outbox": 1}
    assert listed(project, "--all")[f"T{run}.outbox"] == 1
    assert listed(project, "--pattern", "spry.state.*") == {
        "spry.state.workers": 0, "spry.state.tid_mappings": 0, "spry.state.streaming": 0,
    }  # fmt: skip
    project.run("system", "dump", "-o", "dump.jsonl")
    assert "spry.state" not in project.read("dump.jsonl")


def test_f11_a_queue_of_a_run_is_found_by_any_end_of_its_id_that_no_other_has(project):
    assert "nothing has been run here" in project.run("queue", "peek", "T1.outbox").stderr
    for number in range(11):
        project.run("exec", "echo", str(number))
    runs = [run["run"] for run in reversed(project.run("runs", "--json").json)]
    end = next(end for end in "0123456789" if sum(run.endswith(end) for run in runs) > 1)
    several = project.run("queue", "peek", f"T{end}.outbox")
    none = project.run("queue", "peek", "T123456789.ctrl_out")

    assert project.run("queue", "peek", f"T{runs[3][-12:]}.outbox").stdout == "3\n"
    assert (several.exit_code, several.stdout) == (2, "")
    assert f"several runs end with {end}: " in several.stderr
    assert "no run has an id that ends with 123456789" in none.stderr
    assert "no run" in project.run("queue", "write", f"T{runs[0][-12:]}.ctrl_in", "PING").stderr


def test_f11_what_is_left_in_the_queues_of_a_run_goes_with_it(project):
    project.run("exec", "true")
    run = project.run("runs", "--json").json[0]["run"]
    project.run("queue", "write", f"T{run}.ctrl_out", "of nobody")
    project.run("queue", "write", "mine", "stays")
    assert f"T{run}.ctrl_out" in listed(project)
    project.run("system", "tidy", "--keep", "0")

    assert listed(project) == {"mine": 1}


# F29


def test_f29_an_outbox_stays_until_it_is_read_and_empty_queues_go_at_the_end(project):
    run = detached(project, "--no-autostart", "echo", "done")
    ended(project, run)
    outbox = f"T{run[-10:]}.outbox"

    assert listed(project, "--all").keys() & {f"T{run}.{name}" for name in OF_RUNS} == {f"T{run}.outbox"}
    assert project.run("queue", "peek", outbox).stdout == "done\n"
    assert project.run("queue", "read", outbox).stdout == "done\n"
    assert project.run("queue", "read", outbox).exit_code == 2
    assert listed(project, "--pattern", "T*") == {}
    assert project.run("result", "--all").stdout == ""
    assert project.run("result", run).exit_code == 0


def test_f29_without_cleanup_on_exit_the_queues_stay_in_sight(project):
    spec = {"spec": {"process_target": "echo", "args": ["done"], "cleanup_on_exit": False, "stream_output": False}}
    Path(project.folder, "spec.json").write_text(json.dumps(spec))
    run = detached(project, "--no-autostart", "--spec", "spec.json")
    ended(project, run)
    own = {f"T{run}.{name}" for name in OF_RUNS}
    last = log(project)[-1]["taskspec"]["spec"]

    assert listed(project, "--all").keys() >= own
    assert project.run("queue", "read", f"T{run}.outbox").stdout == "done\n"
    assert listed(project, "--pattern", "T*") == dict.fromkeys(own, 0)
    assert (last["cleanup_on_exit"], last["stream_output"]) == (False, False)


# F34, F35


def test_f34_an_entry_of_the_log_has_the_whole_spec_and_the_process(project):
    (Path(project.folder) / "later.py").write_text("def twice(x, by=1):\n    return x * 2 * int(by)\n")
    project.run("exec", "--name", "say", "--cpu", "90", "sh", "-c", "echo $PPID > pid")
    project.run("exec", "--function", "later:twice", "--arg", "3", "--kw", "by=2")
    told = {one["tid"].partition("/")[2]: one for one in log(project) if one["event"] == "work_completed"}
    say, twice = told["say"]["taskspec"], told["twice"]["taskspec"]

    for spec in (say, twice):
        validate(spec, TASK_SPEC)
    assert say["spec"]["args"] == ["-c", "echo $PPID > pid"]
    assert say["spec"]["limits"] == {"cpu_percent": 90}
    assert (twice["spec"]["function_target"], twice["spec"]["keyword_args"]) == ("later:twice", {"by": "2"})
    assert told["say"]["task_pid"] == int(project.read("pid"))


FRONT = "---\nspry: {env: {A: one, TOKEN: hunter2hunter2}, secrets: [TOKEN]}\n---\n"


def test_f34_an_entry_for_a_task_of_a_runbook_has_its_definition_as_it_was_without_secrets(project):
    work = cell("bash work --arg who=me --timeout 5 --limit memory=100", "echo $who hunter2hunter2")
    long = cell("bash long --dep work", f"echo {'x' * 4085}hunter2hunter2")  # cut in the midst of what is secret
    project(FRONT, work, long, cell("bash after --dep work,long --retry 3@1s*2 --env B=two", "true"))
    project.run("task", "after", "--param", "who=you", "--env", "A=other", "--", "x")
    project(cell("bash after", "changed"))
    told = {one["tid"].partition("/")[2]: one["taskspec"] for one in log(project)}
    work, after = told["work"]["spec"], told["after"]["spec"]

    assert told["work"]["files"] == [str(project.folder / "Spryfile.md")]
    assert (work["type"], work["language"], work["script"]) == ("cell", "bash", "echo $who ***\n")
    assert (work["timeout"], work["limits"]) == (5, {"memory_mb": 100})
    assert work["env"] == {"A": "other", "TOKEN": "***"}
    assert (work["arg"], work["params"]) == ([{"name": "who", "type": "str", "default": "me"}], {"who": "you"})
    assert (after["deps"], after["script"], after["args"]) == (["work", "long"], "true\n", ["x"])
    assert after["retry"] == {"attempts": 3, "backoff": 1, "factor": 2}
    assert list(after) == sorted(after)
    assert "hunter" not in project.run("queue", "peek", "spry.log.tasks", "--all").stdout


def test_f34_definitions_are_kept_once_go_with_a_dump_and_are_forgotten_with_the_last_of_their_runs(project):
    project(cell("bash t", "echo same"))
    for _ in range(3):
        project.run("task", "t")

    def kept(where="."):
        with closing(sqlite3.connect(project.folder / where / ".spry" / "spry.db")) as database:
            return database.execute("SELECT count(*) FROM books").fetchone()[0]

    assert kept() == 1
    project.run("system", "dump", "-o", "dump.jsonl")
    (project.folder / "other").mkdir()
    project.run("init", cwd="other")
    assert project.run("system", "load", "-i", "../dump.jsonl", cwd="other").exit_code == 0
    loaded = json.loads(project.run("queue", "peek", "spry.log.tasks", cwd="other").stdout)
    assert loaded["taskspec"]["spec"]["script"] == "echo same\n"
    project.run("system", "tidy", "--keep", "1ms", cwd="other")
    assert kept("other") == 0


def test_f34_what_is_told_of_a_task_is_bounded_and_cut_only_where_no_secret_is_left():
    long = canonical.spec(Task("t", "bash", "x" * 4090 + "hunter2"), clean=lambda text: text.replace("hunter2", "***"))
    huge = canonical.spec(Task("t", "bash", "echo", env=tuple((f"V{number}", "y" * 4000) for number in range(9))))

    assert long["spec"]["script"] == "x" * 4090 + "***"
    assert len(canonical.spec(Task("t", "bash", "z" * 10**6))["spec"]["script"]) < 4200
    assert huge["spec"] == {
        "cut": True, "language": "bash", "limits": {}, "script": "echo", "timeout": None, "type": "cell",
    }  # fmt: skip


def test_f35_stop_kill_and_ping_are_in_the_log_whichever_way_they_came(project):
    run = detached(project, "sleep", "600")
    project.run("ping", run)
    ask(project, run, "PING")
    project.run("kill", run)
    events = [one["event"] for one in log(project) if one["tid"] == run]

    assert events == ["control_ping", "control_ping", "control_kill"]


# F3, F38: stages with named queues


def test_f3_stages_may_hand_on_by_named_queues(project):
    def stage(name, script, **queues):
        return {"name": name, "spec": {"process_target": "sh", "args": ["-c", script], **queues}}

    stages = [
        stage("extract", "echo b; echo a", outbox="raw.data"),
        stage("transform", "sort", inbox="raw.data", outbox="clean.data"),
        stage("load", "cat; exit ${FAIL:-0}", inbox="clean.data"),
    ]
    project.path(".spry/pipelines/etl.json").write_text(json.dumps({"name": "etl", "stages": stages}))
    failed = project.run("exec", "--pipeline", "etl", "--env", "FAIL=3")
    kept = project.run("queue", "read", "clean.data.reserved").stdout
    done = project.run("exec", "--pipeline", "etl")

    assert (failed.exit_code, kept) == (3, "a\nb\n")
    assert (done.exit_code, done.stdout) == (0, "a\nb")
    assert project.run("queue", "list").stdout == ""
