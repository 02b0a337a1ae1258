"""Runs that nobody waits for: `--detach`, and `spry status`, `result`, `stop`, `kill` and `ping` from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from book import cell
from driver import alive
from waiting import LONGEST, ended, until

from spry.execute.title import fitted


@pytest.fixture
def project(book):
    """A project; whatever is still running in it is killed in the end, and its manager is stopped."""
    book.env["SPRY_MANAGER_LIFETIME_TIMEOUT"] = "60"
    assert book.run("init").exit_code == 0
    yield book
    book.run("manager", "stop")
    left = book.run("runs", "--status", "running", "--json")
    for run in left.json if left.exit_code == 0 else ():
        book.run("kill", run["run"])


def detached(book, *argv, **options):
    """Begin a command in the background: the id of its run."""
    done = book.run("exec", "--detach", *argv, **options)
    assert (done.exit_code, done.stderr) == (0, "")
    run = done.stdout.strip()
    assert len(run) == 19
    return run


def test_f5_a_detached_command_gives_its_id_at_once_and_its_result_later(project):
    gate = project.fifo("gate")
    run = detached(project, "sh", "-c", "cat gate; exit 7")

    assert project.run("status").stdout.startswith("System: OK\nTasks: 1 running\n")
    assert project.run("ping", run).stdout == f"{run} running\n"
    gate.write_text("came\n")
    assert ended(project, run) == {"status": "failed", "return_code": 7, "output": "came\n", "run": run}
    assert project.run("result", run).exit_code == 7


def test_f5_no_wait_is_another_word_for_it(project):
    run = project.run("exec", "--no-wait", "echo", "hi").stdout.strip()

    assert ended(project, run)["output"] == "hi\n"


def test_whoever_reads_the_output_of_the_command_line_does_not_wait_for_the_run(project):
    gate = project.fifo("gate")
    process = project.start("exec", "--detach", "cat", "gate")
    out, err = process.communicate(timeout=LONGEST)  # ends once nobody holds the other ends of the pipes

    assert err == b""
    gate.write_text("")
    assert ended(project, out.decode().strip())["status"] == "completed"


def test_a_detached_run_leads_a_session_without_a_terminal(project):
    run = detached(project, sys.executable, "-c", "import os; print(os.getppid())")
    parent = int(ended(project, run)["output"])

    assert parent != os.getpid()


def test_ending_everybody_of_the_session_that_started_it_does_not_end_it(project):
    gate = project.fifo("gate")
    command = f"{sys.executable} -m spry exec --detach cat gate; kill -TERM 0"
    env = {**project.env, "PYTHONPATH": os.getcwd()}
    shell = subprocess.run(
        ["bash", "-c", command],
        cwd=project.folder,
        env=env,
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=False,
    )
    run = shell.stdout.decode().strip()

    assert shell.returncode == -signal.SIGTERM
    assert project.run("ping", run).exit_code == 0
    gate.write_text("still there")
    assert ended(project, run)["output"] == "still there"


def test_what_is_piped_in_is_kept_for_it(project):
    gate = project.fifo("gate")
    run = detached(project, "sh", "-c", "cat gate; cat", stdin=b"x" * 300_000)
    gate.write_text("")

    assert len(ended(project, run)["output"]) == 300_000


def test_tasks_and_runbooks_can_be_detached_too(project):
    project("```bash one\necho 1\n```\n```bash two --dep one\necho 2\n```\n")
    for argv in (("task", "two"), ("runbook",)):
        run = project.run(*argv, "--detach").stdout.strip()

        assert ended(project, run)["output"] == "1\n2\n"


def test_a_failure_before_the_run_begins_is_told_at_once(project):
    done = project.run("exec", "--detach", "ehco", "hi")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "ehco: not found on the PATH" in done.stderr
    assert project.run("runs", "--json").json == []


def test_a_run_that_cannot_be_written_down_does_not_begin_in_the_background(project):
    project.path(".spry/spry.db").write_text("no database, " * 100)
    done = project.run("exec", "--detach", "touch", "made")

    assert done.exit_code == 3
    assert "the history is damaged" in done.stderr
    assert not project.has("made")


@pytest.mark.parametrize("option", ["--wait", "--interactive", "--json", "--no-history"])
def test_what_makes_no_sense_in_the_background_is_refused(project, option):
    done = project.run("exec", "--detach", option, "true")

    assert done.exit_code == 2
    assert f"{option} and --detach exclude each other" in done.stderr


def test_f33_stop_ends_a_run_politely_with_its_clean_up_and_is_believed_only_once_it_is_over(project):
    work = cell("bash work", "echo $$ > pid; echo up > up; sleep 60")
    project(work, cell("bash tidy --finally --dep work", "echo swept > swept"))
    run = project.run("runbook", "--detach").stdout.strip()
    until(lambda: project.has("up"))
    done = project.run("stop", run)

    assert done == (0, f"{run} cancelled\n", "")
    assert project.read("swept") == "swept\n"
    assert not alive(int(project.read("pid")))


def test_f33_kill_ends_at_once_what_does_not_want_to_stop(project):
    run = detached(project, "sh", "-c", "trap '' TERM; echo $$ > pid.part; mv pid.part pid; while :; do sleep 1; done")
    until(lambda: project.has("pid"))
    done = project.run("kill", run)

    assert done == (0, f"{run} cancelled\n", "")
    assert not alive(int(project.read("pid")))


def test_f33_a_run_can_be_pinged_until_it_is_over(project):
    gate = project.fifo("gate")
    run = detached(project, "cat", "gate")

    assert project.run("ping", run[-6:]) == (0, f"{run} running\n", "")
    gate.write_text("")
    ended(project, run)
    assert project.run("ping", run) == (1, f"{run} completed\n", "")


def test_f19_status_shows_the_process_of_a_run(project):
    gate = project.fifo("gate")
    run = detached(project, "cat", "gate")
    pid = int(project.path(f".spry/runs/{run}/lock").read_text().split()[0])

    assert project.run("status", run, "--process", "--json").json["process"] == {"pid": pid, "state": "running"}
    assert f"\nprocess {pid}: running\n" in project.run("status", run, "--process").stdout
    gate.write_text("")
    ended(project, run)
    assert f"\nprocess {pid}: ended\n" in project.run("status", run, "--process").stdout


@pytest.mark.parametrize("command", ["stop", "kill", "ping"])
def test_a_run_that_is_not_there_or_over_exits_2(project, command):
    run = detached(project, "true")
    ended(project, run)

    assert project.run(command, "123").exit_code == 2
    assert project.run(command, run).exit_code == (1 if command == "ping" else 2)


def test_whoever_has_the_number_of_a_dead_run_is_left_alone(project):
    gate = project.fifo("gate")
    run = detached(project, "cat", "gate")
    lock = project.path(f".spry/runs/{run}/lock")
    pid, start, boot = lock.read_text().split()
    stranger = subprocess.Popen(["sleep", "60"])
    lock.write_text(f"{stranger.pid} {start} {boot}\n")
    project.run("stop", run, "--timeout", "0.1")

    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    lock.write_text(f"{pid} {start} {boot}\n")
    gate.write_text("")
    assert ended(project, run)["status"] == "completed"


def test_a_run_whose_process_was_killed_is_lost_and_leaves_nobody(project):
    run = detached(project, "sh", "-c", "echo $$ > pid.part; mv pid.part pid; sleep 60")
    until(lambda: project.has("pid"))
    os.kill(int(project.path(f".spry/runs/{run}/lock").read_text().split()[0]), signal.SIGKILL)
    until(lambda: project.run("ping", run).exit_code == 1)

    assert project.run("status", run, "--json").json["status"] == "lost"


def test_f21_results_are_collected_once(project):
    runs = [detached(project, "echo", str(number)) for number in range(3)]
    for run in runs:
        ended(project, run)

    peeked = project.run("result", "--all", "--peek", "--json").json
    assert [one["output"] for one in peeked] == ["0\n", "1\n", "2\n"]
    assert project.run("result", "--all", "--json").json == peeked
    assert project.run("result", "--all", "--json").json == []


def test_f21_result_waits_no_longer_than_it_may(project):
    gate = project.fifo("gate")
    run = detached(project, "cat", "gate")

    assert project.run("result", run, "--timeout", "0.1").exit_code == 124
    assert project.run("result", run).stdout == "running\n"
    gate.write_text("")
    ended(project, run)


def test_what_spry_has_to_say_of_it_is_kept_beside_the_run(project):
    run = detached(project, "--timeout", "0.1", "sleep", "60")

    assert ended(project, run)["return_code"] == 124
    assert "timed out after 0.1s" in project.read(f".spry/runs/{run}/said")


def test_what_breaks_the_process_in_the_background_is_told():
    program = "from spry.manager.detached import apart; print(apart(lambda _: 1 / 0).code)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout == "3\n"
    assert "ZeroDivisionError" in ran.stderr


def shown(pid):
    """What the process list shows of a process; nothing if there is none."""
    try:
        with open(f"/proc/{pid}/cmdline") as stream:
            return stream.read().rstrip("\0")
    except FileNotFoundError:
        return ""


def process_of(project, run):
    return project.path(f".spry/runs/{run}/lock").read_text().split()[0]


ON_LINUX = pytest.mark.skipif(not os.path.exists("/proc/self/cmdline"), reason="reads /proc")


@ON_LINUX
def test_f17_the_process_list_shows_project_id_and_name_of_a_run_and_no_word_of_its_command_line(project):
    gate = project.fifo("gate")
    begun = project.start("exec", "--detach", "--name", "slow", "--env", "TOKEN=hush", "cat", "gate")
    run = begun.communicate(timeout=LONGEST)[0].decode().strip()
    pid = process_of(project, run)

    until(lambda: shown(pid) == f"spry-book-{run[-10:]}:slow:running")
    gate.write_text("")
    ended(project, run)


@ON_LINUX
def test_f17_the_process_list_shows_how_a_run_stands_and_what_it_is_at(project):
    one = project.fifo("one")
    project(cell("bash first", "cat one"), cell("bash again --dep first --retry 2@600", "false"))
    begun = project.start("runbook", "--detach")
    run = begun.communicate(timeout=LONGEST)[0].decode().strip()
    pid, title = process_of(project, run), f"spry-book-{run[-10:]}:runbook"

    until(lambda: shown(pid) == f"{title}:running:first")
    one.write_text("")
    until(lambda: shown(pid) == f"{title}:waiting")
    assert project.run("stop", run).exit_code == 0


@ON_LINUX
def test_f17_the_process_list_shows_whether_a_manager_has_something_to_do(project):
    gate = project.fifo("gate")
    run = project.start("exec", "--detach", "cat", "gate").communicate(timeout=LONGEST)[0].decode().strip()
    pid = project.run("manager", "status", "--json").json["pid"]

    until(lambda: re.fullmatch(r"spry-book-\d{10}:manager:running:1 run", shown(pid)))
    gate.write_text("")
    ended(project, run)
    until(lambda: re.fullmatch(r"spry-book-\d{10}:manager:idle", shown(pid)))


@pytest.mark.parametrize(
    ("most", "title"),
    [
        (200, "spry-book-1234567890:build:running:a,b"),
        (37, "spry-book-1234567890:build:running"),
        (33, "spry-book-1234567890:buil:running"),
        (29, "spry-book-1234567890::running"),
        (9, "spry-book"),
        (0, ""),
    ],
)
def test_f17_a_title_that_is_too_long_loses_its_details_and_then_the_end_of_the_name(most, title):
    assert fitted("book", "9991234567890", "build", "running", "a,b", most) == title.encode()


def test_f17_a_title_is_one_line():
    assert fitted("a\nb", "1", "x\x1by", "running") == b"spry-a?b-1:x?y:running"


@pytest.mark.stress
def test_fifty_detached_runs_at_once(project):
    starts = [project.start("exec", "--detach", "sh", "-c", f"echo {number}") for number in range(50)]
    runs = [start.communicate()[0].decode().strip() for start in starts]

    assert len(set(runs)) == 50
    assert [ended(project, run)["output"] for run in runs] == [f"{number}\n" for number in range(50)]


def test_a_large_output_is_in_a_file_that_its_result_names(project):
    run = detached(project, "head", "-c", "3000000", "/dev/zero")
    result = ended(project, run)
    reference = result["output_ref"]
    import hashlib

    assert result["output"] is None
    assert reference["size"] == 3_000_000
    assert reference["sha256"] == hashlib.sha256(bytes(3_000_000)).hexdigest()
    assert reference["path"] == str(project.path(f".spry/outputs/{run}"))
    assert os.path.getsize(reference["path"]) == 3_000_000
    assert os.stat(reference["path"]).st_mode & 0o777 == 0o600
    project.run("system", "tidy", "--keep", "0")
    assert not os.path.exists(reference["path"])


def test_json_of_a_large_output_is_valid(project):
    run = detached(project, "sh", "-c", "head -c 2000000 /dev/zero")

    ended(project, run)
    assert json.loads(project.run("result", "--all", "--json").stdout)[0]["output_ref"]["size"] == 2_000_000
