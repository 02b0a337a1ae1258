"""`spry exec` and `spry init`, row by row: one command with its own output and its own exit code."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest
from driver import alive

from spry.cli.unread import Unread
from spry.core.events import TaskOutput
from spry.view.screen import Screen

FUNCTIONS = """
import os
import sys


def process_data(path, mode="slow"):
    print("reading", path)
    return {"path": path, "mode": mode}


def shout():
    return sys.stdin.read().upper()


async def later():
    return "came"


def fail():
    raise ValueError("no such luck")
"""

EATER = "import signal; held = bytearray(200 << 20); signal.pause()"


@pytest.fixture
def project(book):
    """A folder that `spry init` has made a project."""
    assert book.run("init").exit_code == 0
    return book


def latest(book, *argv):
    """The latest run, as `spry runs --json` tells it."""
    return book.run("runs", "--json", *argv).json[0]


def spec(book, name, **fields):
    """Save a task spec."""
    path = book.path(f".spry/tasks/{name}.json")
    path.write_text(json.dumps({"name": name, "spec": fields}))
    return path


# F1, F36, F37: a command


def test_f1_a_command_prints_its_output_and_nothing_else(project):
    done = project.run("exec", "echo", "hello world")

    assert done == (0, "hello world\n", "")


def test_f1_every_word_behind_the_command_belongs_to_it(project):
    done = project.run("exec", "--name", "say", "printf", "%s|", "--json", "a b", "--", "-v", "x.md")

    assert done == (0, "--json|a b|--|-v|x.md|", "")


def test_f1_words_are_given_as_they_are_and_no_shell_reads_them(project):
    assert project.run("exec", "--", "echo", "$HOME", "a;b", "*").stdout == "$HOME a;b *\n"


@pytest.mark.parametrize("code", [1, 3, 7, 126, 200])
def test_f37_its_exit_code_is_passed_on_without_a_word_of_ours(project, code):
    done = project.run("exec", "sh", "-c", f"echo out; echo err >&2; exit {code}")

    assert done == (code, "out\n", "err\n")


def test_f37_a_signal_becomes_128_and_its_number(project):
    done = project.run("exec", "sh", "-c", "kill -TERM $$")

    assert done.exit_code == 128 + signal.SIGTERM
    assert "killed by signal 15 (SIGTERM)" in done.stderr


def test_f37_a_command_that_does_not_exist_exits_2_and_is_named(project):
    done = project.run("exec", "ehco", "hi")

    assert done.exit_code == 2
    assert "ehco: not found on the PATH" in done.stderr


@pytest.mark.parametrize("options", [(), ("--stream",)])
def test_f36_output_comes_as_it_is_written_and_once(project, options):
    gate = project.fifo("gate")
    process = project.start("exec", *options, "sh", "-c", "echo first; cat gate; echo second")

    assert process.stdout.readline() == b"first\n"
    gate.write_text("between\n")
    assert process.communicate()[0] == b"between\nsecond\n"


def test_stdin_that_is_piped_in_is_read_by_the_command(project):
    assert project.run("exec", "tr", "a-z", "A-Z", stdin=b"piped\n").stdout == "PIPED\n"


def test_a_command_is_remembered_like_any_run(project):
    project.run("exec", "--name", "greet", "--tag", "demo", "echo", "hi")
    run = latest(project)

    assert (run["status"], run["exit_code"], run["total"]) == ("completed", 0, 1)
    assert project.run("logs", run["run"]).stdout == "hi\n"
    assert "greet: echo hi" in project.run("runs").stdout


def test_a_command_without_history_leaves_no_run(project):
    project.run("exec", "--no-history", "true")

    assert project.run("runs").stdout == "no runs are remembered here\n"


def test_f21_the_result_has_its_own_exit_code(project):
    project.run("exec", "sh", "-c", "echo out; exit 7")
    result = project.run("result", latest(project)["run"], "--json").json

    assert (result["status"], result["return_code"], result["output"]) == ("failed", 7, "out\n")


def test_a_failed_command_is_never_what_resume_means_without_an_id(project):
    project.run("exec", "false")

    assert "nothing to resume" in project.run("resume").stderr


def test_a_command_can_be_run_again_by_the_id_of_its_run(project):
    project.run("exec", "--env", "WHO=you", "sh", "-c", "echo for $WHO; test -e there")
    project.path("there").touch()
    done = project.run("resume", latest(project)["run"])

    assert (done.exit_code, done.stdout) == (0, "for you\n")


def test_events_can_be_had_instead(project):
    done = project.run("exec", "--json", "echo", "hi")

    assert [event["event"] for event in done.events][0::4] == ["run_started", "run_finished"]
    assert done.outcomes == {"echo": "succeeded"}


def test_no_stream_shows_the_output_once_it_is_over(project):
    gate = project.fifo("gate")
    process = project.start("exec", "--no-stream", "sh", "-c", "echo early; cat gate; : > ended")
    gate.write_text("late\n")

    assert process.communicate()[0] == b"early\nlate\n"


def test_who_reads_the_output_may_leave_and_the_command_still_does_all_it_has_to(book):
    reader, writer = os.pipe()
    process = book.start("exec", "sh", "-c", "seq 100000; touch done; exit 3", stdout=writer)
    os.close(writer)
    os.read(reader, 2)
    os.close(reader)

    process.communicate(timeout=60)
    run = book.run("runs", "--json").json[0]["run"]

    assert process.returncode == 3
    assert book.has("done")
    assert book.run("result", run).stdout.endswith("100000\nfailed, exit code 3\n")


@pytest.fixture
def deserted():
    """A screen whose stdout nobody reads."""
    reader, writer = os.pipe()
    screen = Screen(writer, None)
    os.close(reader)
    yield screen
    screen.close()
    os.close(writer)


def test_what_nobody_reads_is_not_written_without_an_end(deserted, monkeypatch):
    said, ended = [], []
    monkeypatch.setattr(deserted, "say", lambda *spans: said.append(spans))
    before = signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    try:
        unread = Unread(deserted, 1000)
        unread(TaskOutput(0.0, "1", "yes", 1, "stdout", b"y" * 2000))
        assert not ended  # whoever reads it may only be slow
        deserted.write("stdout", b"y")
        deserted.flush()
        for _ in range(5):
            unread(TaskOutput(0.0, "1", "yes", 1, "stdout", b"y" * 300))
            unread(TaskOutput(0.0, "1", "yes", 1, "stderr", b"y" * 300))
    finally:
        signal.signal(signal.SIGTERM, before)

    assert len(ended) == len(said) == 1
    assert "nobody reads stdout any more, and yes has written 0.001 MB since then" in said[0][-1]


@pytest.mark.stress
def test_a_command_that_writes_for_ever_ends_after_its_reader_has_left(book):
    reader, writer = os.pipe()
    process = book.start("exec", "--no-history", "yes", stdout=writer)
    os.close(writer)
    os.read(reader, 2)
    os.close(reader)

    assert process.communicate(timeout=60)[1].startswith(b"spry: nobody reads stdout any more")
    assert process.returncode == 143


# F5, F6, F7: limits and environment


def test_f5_a_timeout_exits_124_and_leaves_nobody(project):
    done = project.run("exec", "--timeout", "0.3", "sh", "-c", "sleep 60 & echo $! > child; wait")

    assert done.exit_code == 124
    assert "timed out after 0.3s" in done.stderr
    assert not alive(int(project.read("child")))


def test_f6_memory_is_that_of_the_whole_tree(project):
    eater = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {EATER!r}])"
    done = project.run("exec", "--memory", "100", sys.executable, "-c", eater)

    assert done.exit_code == 1
    assert "went over a limit: memory" in done.stderr


@pytest.mark.slow
def test_f6_a_busy_loop_does_not_keep_a_processor_that_it_may_not_use(project):
    done = project.run("exec", "--cpu", "20", "sh", "-c", "while :; do :; done")

    assert done.exit_code == 1
    assert "went over a limit: cpu" in done.stderr


@pytest.mark.parametrize("option", [("--memory", "much"), ("--memory", "1,fds=3"), ("--cpu", "0"), ("--timeout", "x")])
def test_f6_an_amount_that_is_none_is_refused(project, option):
    done = project.run("exec", *option, "true")

    assert done.exit_code == 2
    assert option[0] in done.stderr


def test_f7_variables_are_set_for_the_command(project):
    assert project.run("exec", "--env", "A=1", "--env", "B=x=y", "sh", "-c", "echo $A $B").stdout == "1 x=y\n"


# F4: functions


def test_f4_a_function_gets_its_arguments_and_its_value_is_printed(project):
    project.path("tools.py").write_text(FUNCTIONS)
    done = project.run("exec", "--function", "tools:process_data", "--arg", "in.csv", "--kw", "mode=fast")

    assert done == (0, 'reading in.csv\n{"path": "in.csv", "mode": "fast"}\n', "")


def test_f4_text_is_printed_as_it_is_and_stdin_can_be_read(project):
    project.path("tools.py").write_text(FUNCTIONS)

    assert project.run("exec", "--function", "tools:shout", stdin=b"low").stdout == "LOW\n"
    assert project.run("exec", "--function", "tools:later").stdout == "came\n"


def test_f4_an_exception_exits_1_with_the_traceback_of_the_function_alone(project):
    project.path("tools.py").write_text(FUNCTIONS)
    done = project.run("exec", "--function", "tools:fail")

    assert done.exit_code == 1
    assert "ValueError: no such luck" in done.stderr
    assert "execute/function.py" not in done.stderr


@pytest.mark.parametrize(
    ("target", "code", "words"),
    [("tools:absent", 1, "has no function absent"), ("absent:f", 1, "no module is called absent"), ("f", 2, "MODULE")],
)
def test_f4_a_function_that_is_not_there_is_named(project, target, code, words):
    project.path("tools.py").write_text(FUNCTIONS)
    done = project.run("exec", "--function", target)

    assert done.exit_code == code
    assert words.lower() in done.stderr.lower()


def test_f40_a_function_runs_in_the_python_of_the_project(project):
    binary = project.path(".venv/bin/python")
    binary.parent.mkdir(parents=True)
    binary.write_text(f'#!/bin/sh\nOWN=venv exec {sys.executable} "$@"\n')
    binary.chmod(0o755)
    binary.with_name("python3").symlink_to("python")
    project.path(".venv/pyvenv.cfg").touch()
    project.path("tools.py").write_text("import os\ndef where(): return os.environ['OWN']\n")

    assert project.run("exec", "--function", "tools:where").stdout == "venv\n"


# F2, F27, F28, F29, F30, F31: specs


def test_f2_a_saved_spec_runs_in_the_folder_of_its_project(project):
    spec(project, "where", type="command", process_target="sh", args=["-c", 'pwd; echo "$0 $A"', "x"], env={"A": "1"})
    project.path("below").mkdir()
    done = project.run("exec", "--spec", "where", cwd="below")

    assert done == (0, f"{project.folder}\nx 1\n", "")


def test_f2_a_spec_is_found_by_path_and_runs_beside_it(project):
    project.path("sub").mkdir()
    project.path("sub/job.json").write_text('{"spec": {"process_target": "pwd"}}')

    assert project.run("exec", "--spec", "sub/job.json").stdout == f"{project.folder}/sub\n"


def test_f2_a_task_of_a_runbook_runs_with_what_it_needs_and_shows_its_own_output_only(project):
    project('```bash one\necho 1\n```\n```bash two --dep one\necho "2 $1"; exit 4\n```\n')
    done = project.run("exec", "--spec", "Spryfile.md#two", "--", "word")

    assert (done.exit_code, done.stdout) == (4, "2 word\n")


def test_f2_a_name_that_is_not_saved_exits_2_with_the_nearest(project):
    spec(project, "nightly", process_target="true")
    done = project.run("exec", "--spec", "nigthly")

    assert done.exit_code == 2
    assert 'did you mean "nightly"?' in done.stderr


def test_f27_the_example_of_the_reference_runs(project):
    limits = {"memory_mb": 512, "cpu_percent": 75, "max_fds": 100, "max_connections": 50}
    spec(
        project, "process-data", type="command", process_target="echo", args=["process.py", 5, True], timeout=300,
        limits=limits, env={"LOG_LEVEL": "debug"}, stream_output=True, cleanup_on_exit=True, weft_context="/elsewhere",
    )  # fmt: skip

    assert project.run("exec", "--spec", "process-data").stdout == "process.py 5 true\n"


def test_f28_a_function_spec_gets_values_of_every_type(project):
    project.path("tools.py").write_text("def f(*args, **kw): return [args, kw]\n")
    spec(
        project, "f", type="function", function_target="tools:f", args=[1, "a", None], keyword_args={"deep": {"k": [1]}}
    )

    assert json.loads(project.run("exec", "--spec", "f").stdout) == [[1, "a", None], {"deep": {"k": [1]}}]


def test_f29_a_spec_may_say_that_its_output_comes_at_the_end(project):
    spec(project, "late", process_target="sh", args=["-c", "echo a; echo b >&2"], stream_output=False)
    done = project.run("exec", "--spec", "late")

    assert done == (0, "a\n", "b\n")


def test_f30_all_that_is_wrong_with_a_spec_is_told_with_its_places(project):
    path = project.path("bad.json")
    path.write_text('{\n  "name": "bad name",\n  "tid": "1",\n  "spec": {"process_taget": "x", "timeout": -1}\n}\n')
    done = project.run("exec", "--spec", "bad.json")

    assert done.exit_code == 2
    for told in (
        'bad.json:2:11: Error: "bad name" cannot name a task',
        'bad.json:3:3: Error: "tid" belongs to a task that runs',
        'bad.json:4:12: Error: unknown key "process_taget"',
        'did you mean "process_target"?',
        "bad.json:4:45: Error: timeout: expected seconds above 0",
    ):
        assert told in done.stderr


def test_f30_what_runs_is_what_the_specs_said_when_it_began(project):
    later = spec(project, "later", process_target="echo", args=["as", "it", "was"])
    changed = {"name": "later", "spec": {"process_target": "echo", "args": ["changed"]}}
    pipeline(project, "p", stage("one", "sh", "-c", f"echo '{json.dumps(changed)}' > {later}"), "later")

    assert project.run("exec", "--pipeline", "p").stdout == "as it was\n"
    assert project.run("exec", "--spec", "later").stdout == "changed\n"


def test_f30_a_run_that_is_done_again_is_what_it_was(project):
    spec(project, "job", process_target="sh", args=["-c", "test -e now && echo done"])
    assert project.run("exec", "--spec", "job").exit_code == 1
    spec(project, "job", process_target="echo", args=["another"])
    project.path("now").touch()

    assert project.run("resume", latest(project)["run"]).stdout == "done\n"


@pytest.mark.parametrize("key", ["tid", "io", "state"])
def test_f30_what_belongs_to_a_task_that_runs_is_in_no_spec(project, key):
    project.path("odd.json").write_text(json.dumps({key: "1", "spec": {"process_target": "true"}}))

    assert f'"{key}" belongs to a task that runs' in project.run("exec", "--spec", "odd.json").stderr


def test_a_spec_that_anybody_may_have_written_is_run_only_when_somebody_agrees(project):
    path = project.path("open.json")
    path.write_text(json.dumps({"spec": {"process_target": "echo", "args": ["hi"]}}))
    path.chmod(0o666)
    refused = project.run("exec", "--spec", "./open.json")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "open.json lies outside of this repository and may be written by anybody" in refused.stderr
    assert project.run("exec", "--yes", "--spec", "./open.json").stdout == "hi\n"


def test_a_pipeline_is_as_strange_as_the_strangest_of_its_stages(project):
    spec(project, "second", process_target="touch", args=["made"]).chmod(0o666)
    pipeline(project, "p", stage("first", "true"), "second")

    assert project.run("exec", "--pipeline", "p").exit_code == 2
    assert not project.has("made")


def test_a_command_has_reports_like_any_run(project):
    done = project.run("exec", "--report", "json=out.json", "sh", "-c", "echo hi; exit 7")

    assert (done.exit_code, done.stdout) == (7, "hi\n")
    assert json.loads(project.read("out.json"))["tasks"][0]["outcome"] == "failed"


def test_f31_limits_of_a_spec_end_it(project):
    spec(project, "eater", process_target=sys.executable, args=["-c", EATER], limits={"memory_mb": 100})
    done = project.run("exec", "--spec", "eater")

    assert done.exit_code == 1
    assert "went over a limit" in done.stderr


def test_f32_a_violation_is_told_under_its_name_and_ends_the_whole_tree(project):
    project.path("eater.py").write_text(EATER)
    script = f"sleep 600 & echo $! > pid; {sys.executable} eater.py"
    assert project.run("exec", "--memory", "100", "sh", "-c", script).exit_code == 1
    entries = [json.loads(line) for line in project.run("queue", "peek", "spry.log.tasks", "--all").stdout.splitlines()]

    assert (entries[-1]["event"], entries[-1]["status"]) == ("work_limit_violation", "failed")
    assert not alive(int(project.read("pid")))


# F3: pipelines


def pipeline(book, name, *stages):
    book.path(f".spry/pipelines/{name}.json").write_text(json.dumps({"name": name, "stages": stages}))


def stage(name, *argv):
    return {"name": name, "spec": {"process_target": argv[0], "args": list(argv[1:])}}


def test_f3_each_stage_reads_what_the_one_before_it_wrote(project):
    spec(project, "sorted", process_target="sort")
    pipeline(project, "etl", stage("extract", "printf", "b\na\n"), "sorted", {"name": "load", "task": "sorted"})
    done = project.run("exec", "--pipeline", "etl")

    assert done == (0, "a\nb\n", "")
    assert latest(project)["total"] == 3


def test_f3_the_first_stage_reads_what_is_piped_in(project):
    pipeline(project, "up", stage("up", "tr", "a-z", "A-Z"))

    assert project.run("exec", "--pipeline", "up", stdin=b"low\n").stdout == "LOW\n"


def test_f3_a_stage_that_fails_stops_the_others_and_gives_its_exit_code(project):
    pipeline(project, "bad", stage("one", "sh", "-c", "exit 9"), stage("two", "touch", "made"))
    done = project.run("exec", "--pipeline", "bad")

    assert (done.exit_code, done.stdout) == (9, "")
    assert "one failed with exit code 9" in done.stderr
    assert not project.has("made")


def test_f3_megabytes_go_from_stage_to_stage_whole(project):
    pipeline(project, "big", stage("write", "head", "-c", "5000000", "/dev/zero"), stage("count", "wc", "-c"))

    assert project.run("exec", "--pipeline", "big").stdout.strip() == "5000000"


def test_f3_a_runbook_is_a_pipeline_too(project):
    project("```bash one --capture x\necho 1\n```\n```bash two -I\necho ${captured.x}2\n```\n")

    assert project.run("exec", "--pipeline", "Spryfile.md").stdout == "12\n"


# F8, F9, F10: projects and ids


def test_f8_init_makes_a_private_project_that_git_ignores_and_may_be_run_twice(book):
    first, second = book.run("init"), book.run("init")

    assert (first.stdout, first.exit_code) == ("Initialized spry project in .spry/\n", 0)
    assert second.exit_code == 0
    made = {path.name for path in book.path(".spry").iterdir()}
    assert made == {"tasks", "pipelines", "autostart", "outputs", "logs", ".gitignore", "config.toml"}
    assert book.path(".spry").stat().st_mode & 0o777 == 0o700
    assert book.path(".spry/.gitignore").read_text().splitlines()[-1] == "*"


def test_f8_init_keeps_what_is_there(project):
    project.path(".spry/config.toml").write_text("# mine\n")
    project.run("init")

    assert project.read(".spry/config.toml") == "# mine\n"


def test_f26_init_without_autostart_makes_no_folder_for_it(book):
    book.run("init", "--no-autostart")

    assert not book.has(".spry/autostart")


def test_f9_a_project_is_found_from_any_folder_below(project):
    project.path("a/b").mkdir(parents=True)
    project.run("exec", "true", cwd="a/b")

    assert latest(project)["folder"] == f"{project.folder}/a/b"


def test_f9_not_above_the_root_of_the_repository(project):
    project.path("other/.git").mkdir(parents=True)
    project.run("exec", "true", cwd="other")

    assert project.run("runs").stdout == "no runs are remembered here\n"


def test_f9_a_project_can_be_chosen_and_the_command_stays_where_it_is(project):
    project.path("other/.git").mkdir(parents=True)
    spec(project, "hi", process_target="echo", args=["hi"])

    assert project.run("exec", "--context", "..", "pwd", cwd="other").stdout == f"{project.folder}/other\n"
    assert project.run("exec", "--context", "..", "--spec", "hi", cwd="other").stdout == "hi\n"
    assert len(project.run("runs", "--json", "--context", "..", cwd="other").json) == 2
    for argv in (("exec", "--context", "no", "touch", "ran"), ("exec", "--detach", "--context", "no", "touch", "ran")):
        refused = project.run(*argv)
        assert (refused.exit_code, refused.stdout, project.has("ran")) == (2, "", False)
        assert "--context no: no such folder" in refused.stderr


def test_f10_ids_have_19_digits_and_every_later_one_is_larger(project):
    for _ in range(3):
        project.run("exec", "true")
    runs = [run["run"] for run in project.run("runs", "--json").json]

    assert runs == sorted(set(runs), reverse=True)
    assert {len(run) for run in runs} == {19}


def test_f10_runs_that_begin_together_have_ids_of_their_own(project):
    processes = [project.start("exec", "true") for _ in range(6)]
    for process in processes:
        assert process.communicate()[1] == b""

    assert len({run["run"] for run in project.run("runs", "--json").json}) == 6


# F18, F20


def test_f18_status_tells_how_the_whole_stands(project):
    gate = project.fifo("gate")
    process = project.start("exec", "sh", "-c", "echo up; cat gate")
    process.stdout.readline()

    assert project.run("status").stdout.startswith("System: OK\nTasks: 1 running\n")
    gate.write_text("")
    process.communicate()
    assert "Tasks: 0 running" in project.run("status").stdout


def test_f20_runs_tell_the_whole_command_where_nobody_looks_and_the_function_that_is_called(project):
    project.run("exec", "echo", *["word"] * 20)
    project.run("exec", "--function", "json:dumps", "--arg", "x")
    call, command = project.run("runs").stdout.splitlines()[1:]

    assert call.endswith("  json:dumps")
    assert command.endswith("echo" + " word" * 20)


def test_f20_runs_can_be_asked_for_by_status(project):
    project.run("exec", "true")
    project.run("exec", "false")

    assert [run["exit_code"] for run in project.run("runs", "--status", "failed", "--json").json] == [1]


# Wrong requests


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((), "nothing to run"),
        (("--spec", "a", "--pipeline", "b"), "go each alone"),
        (("--function", "a:b", "word"), "takes no words behind it"),
        (("--arg", "1", "true"), "--arg and --kw are for --function"),
        (("--stream", "--no-stream", "true"), "exclude each other"),
        (("--name", "no name", "true"), "cannot name a task"),
        (("",), "the command is empty"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(project, argv, words):
    done = project.run("exec", *argv)

    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr
