"""`spry queue`: rows F23 and F24, by the real command line and the real broker."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from book import cell
from jsonschema import validate

ROOT = Path(__file__).resolve().parents[2]
TASK_LOG = json.loads((ROOT / "docs" / "schemas" / "tasklog.json").read_text())
MESSAGE = json.loads((ROOT / "docs" / "schemas" / "message.json").read_text())


@pytest.fixture
def queue(book):
    """A runbook without queues, and `spry queue …` beside it."""
    book(cell("bash nothing", "true"))

    def run(*argv, **how):
        return book.run("queue", *argv, **how)

    return run


def filled(queue, name, *texts):
    for text in texts:
        assert queue("write", name, "--", text).exit_code == 0


def test_f23_what_is_written_is_read_once_in_order(queue):
    filled(queue, "q", "one", "two", "three")

    assert queue("read", "q").stdout == "one\n"
    assert queue("read", "q", "--all").stdout == "two\nthree\n"
    empty = queue("read", "q")
    assert (empty.exit_code, empty.stdout, empty.stderr) == (2, "", "")


def test_f23_peeking_leaves_everything(queue):
    filled(queue, "q", "one", "two")

    assert queue("peek", "q").stdout == "one\n"
    assert queue("peek", "q", "--all").stdout == queue("peek", "q", "--all").stdout == "one\ntwo\n"
    assert queue("peek", "nobody").exit_code == 2


def test_f23_json_has_one_object_a_line_of_the_published_shape(queue):
    filled(queue, "q", "a\nb", 'ünï "🎈"')
    lines = queue("peek", "q", "--all", "--json").stdout.splitlines()
    taken = queue("read", "q", "--all", "--json").stdout.splitlines()

    assert lines == taken
    assert [json.loads(line)["message"] for line in lines] == ["a\nb", 'ünï "🎈"']
    for line in lines:
        validate(json.loads(line), MESSAGE)


def test_f23_since_leaves_out_what_is_older(queue):
    filled(queue, "q", "old", "new")
    old = json.loads(queue("peek", "q", "--json").stdout)["timestamp"]

    assert queue("peek", "q", "--all", "--since", old).stdout == "new\n"
    assert queue("read", "q", "--all", "--since", old).stdout == "new\n"
    assert queue("read", "q", "--all", "--since", "2100-01-01").exit_code == 2
    wrong = queue("read", "q", "--since", "yesterday-ish")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "--since" in wrong.stderr
    assert queue("read", "q").stdout == "old\n"


@pytest.mark.parametrize("text", ["", "-5", "--all", "notes.md", "a\nb", "$HOME `id`", " "])
def test_a_message_is_taken_as_it_is_typed(queue, text):
    filled(queue, "q", text)

    assert json.loads(queue("read", "q", "--json").stdout)["message"] == text


def test_a_message_may_be_called_like_a_runbook(queue):
    assert queue("write", "q", "notes.md").exit_code == 0
    assert queue("read", "q").stdout == "notes.md\n"


@pytest.mark.parametrize(("given", "kept"), [(b"a\nb\n", "a\nb"), (b"a", "a"), (b"", ""), (b"a\n\n", "a\n")])
def test_a_message_from_stdin_loses_its_last_newline_and_nothing_else(queue, given, kept):
    assert queue("write", "q", "-", stdin=given).exit_code == 0

    assert json.loads(queue("read", "q", "--json").stdout)["message"] == kept


@pytest.mark.parametrize("given", [b"\xff\xfe", b"a\0b"])
def test_what_is_no_text_is_refused_and_nothing_is_written(queue, given):
    done = queue("write", "q", "-", stdin=given)

    assert done.exit_code == 2
    assert "Error: stdin " in done.stderr
    assert queue("list").stdout == ""


def test_a_large_message_comes_back_whole(queue):
    text = "0123456789abcdef\n" * 300_000
    queue("write", "q", "-", stdin=text.encode())

    assert queue("read", "q").stdout == text


def test_f23_one_message_is_moved_or_all(queue):
    filled(queue, "a", "1", "2", "3")

    assert queue("move", "a", "b").stderr == "1 message moved to b\n"
    assert queue("move", "a", "b", "--all").exit_code == 0
    assert queue("peek", "b", "--all").stdout == "1\n2\n3\n"
    assert queue("move", "a", "b").exit_code == 2
    assert queue("move", "b", "b").exit_code == 2


def test_f23_queues_are_listed_with_what_waits_in_them(queue):
    assert queue("list").stdout == ""
    assert queue("list", "--json").json == []
    filled(queue, "orders.new", "1", "2")
    filled(queue, "bills", "3")

    assert queue("list").stdout == "bills       1\norders.new  2\n"
    assert queue("list", "--pattern", "order*", "--json").json == [{"queue": "orders.new", "messages": 2}]


def test_f23_a_queue_is_deleted_and_all_of_them(queue):
    filled(queue, "a", "1", "2")
    filled(queue, "b", "3")

    assert queue("delete").exit_code == 2
    assert queue("delete", "a").stderr == "2 messages deleted\n"
    assert queue("delete", "a").exit_code == 2
    assert queue("delete", "--all").exit_code == 0
    assert queue("list").stdout == ""


def test_f24_a_broadcast_reaches_every_queue_but_those_of_spry(queue):
    for name in ("worker.1", "worker.2", "other", "other.reserved", "spry.state.x"):
        filled(queue, name, "1")

    assert queue("broadcast", "stop", "--pattern", "worker.*").stderr == "written to 2 queues\n"
    assert queue("broadcast", "all").stderr == "written to 3 queues\n"
    assert queue("peek", "worker.1", "--all").stdout == "1\nstop\nall\n"
    assert queue("peek", "other.reserved", "--all").stdout == queue("peek", "spry.state.x", "--all").stdout == "1\n"
    assert queue("broadcast", "x", "--pattern", "nobody*").exit_code == 2


def test_f24_an_alias_is_another_name(queue):
    assert queue("alias", "add", "in", "orders").exit_code == 0
    filled(queue, "in", "one")
    filled(queue, "@in", "two")

    assert queue("alias", "list").stdout == "in → orders\n"
    assert queue("alias", "list", "--target", "orders", "--json").json == [{"alias": "in", "target": "orders"}]
    assert queue("alias", "list", "--target", "other").stdout == ""
    assert queue("read", "orders", "--all").stdout == "one\ntwo\n"
    assert queue("alias", "remove", "in").exit_code == 0
    filled(queue, "in", "three")
    assert queue("read", "orders").exit_code == 2
    gone = queue("read", "@in")
    assert gone.exit_code == 2
    assert 'there is no alias "in"' in gone.stderr


def test_an_alias_never_hides_messages(queue):
    filled(queue, "in", "one")
    done = queue("alias", "add", "in", "orders")

    assert done.exit_code == 2
    assert "move them first" in done.stderr


@pytest.mark.parametrize("name", ["a b", "-a", ".a", "a/b", "ü", "", "x" * 201, "a\nb"])
@pytest.mark.parametrize("word", ["read", "write"])
def test_a_name_that_can_be_no_queue_is_refused(queue, word, name):
    done = queue(word, "--", name, *(["text"] if word == "write" else []))

    assert (done.exit_code, done.stdout) == (2, "")
    assert "name of a queue" in done.stderr


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["reed", "q"], "Did you mean 'read'?"),
        (["write", "q"], "Missing argument MESSAGE"),
        (["write", "q", "three", "apples"], 'unexpected argument "apples"'),
        (["work", "nothing"], 'task "nothing" has no --inbox'),
        (["work", "nothin"], 'did you mean "nothing"'),
    ],
)
def test_mistakes_are_explained(queue, argv, words):
    done = queue(*argv)

    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_what_nobody_reads_any_more_stays_in_the_queue(queue, book):
    large = "x" * 100_000
    filled(queue, "q", *[f"{number} {large}" for number in range(30)])
    process = book.start("queue", "read", "q", "--all")
    first = process.stdout.readline()
    process.stdout.close()
    process.stderr.close()
    process.wait()
    left = queue("peek", "q", "--all").stdout.splitlines()

    assert first.startswith(b"0 x")
    assert process.returncode == 0
    assert left[-1].startswith("29 ")
    assert [int(line.split()[0]) for line in left] == list(range(30 - len(left), 30))
    assert len(left) >= 26
    assert queue("peek", "q.reserved").exit_code == 2


def test_a_full_disk_loses_no_message(queue, book):
    filled(queue, "q", "one")
    with open("/dev/full", "wb") as full:
        process = book.start("queue", "read", "q", stdout=full)
        _, err = process.communicate()

    assert process.returncode == 3
    assert b"No space left" in err
    assert queue("peek", "q").stdout == "one\n"


def test_readers_at_the_same_time_never_get_one_message_twice(queue, book):
    texts = [f"m{number}" for number in range(60)]
    for text in texts:
        queue("write", "q", text)
    readers = [book.start("queue", "read", "q", "--all") for _ in range(4)]
    got = [line.decode() for reader in readers for line in reader.communicate()[0].splitlines()]

    assert sorted(got) == sorted(texts)


@pytest.mark.parametrize("peek", [False, True])
def test_f23_watching_shows_messages_as_they_come_until_it_is_stopped(queue, book, peek):
    filled(queue, "q", "one")
    process = book.start("queue", "watch", "q", *["--peek"] * peek)
    assert process.stdout.readline() == b"one\n"
    filled(queue, "q", "two", "three")
    assert process.stdout.readline() == b"two\n"
    assert process.stdout.readline() == b"three\n"
    process.send_signal(signal.SIGINT)

    assert process.communicate() == (b"", b"")
    assert process.returncode == 130
    assert queue("read", "q", "--all").stdout == ("one\ntwo\nthree\n" if peek else "")


def test_a_watch_ends_when_nobody_reads_and_keeps_the_message(queue, book):
    process = book.start("queue", "watch", "q")
    process.stdout.close()
    process.stderr.close()
    filled(queue, "q", "one")

    assert process.wait() == 0
    assert queue("read", "q").stdout == "one\n"


def test_without_the_broker_the_way_to_it_is_told(book, tmp_path):
    (tmp_path / "shadow" / "simplebroker").mkdir(parents=True)
    (tmp_path / "shadow" / "simplebroker" / "__init__.py").write_text("raise ImportError('no simplebroker')")
    book(cell("bash t --inbox q", "touch ran"))
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "shadow"), str(ROOT)])}
    for argv in (["queue", "list"], ["task", "t"], ["queue", "work", "t", "--drain"]):
        _, err = (process := book.start(*argv, env=env)).communicate()

        assert process.returncode == 3, err
        assert b"pip install 'spry[queues]'" in err
    assert not book.has("ran")


def test_the_settings_of_the_broker_in_our_environment_are_not_ours(queue):
    filled(queue, "q", "one")

    assert queue("read", "q", env={"BROKER_BACKEND": "nonsense", "BROKER_MAX_MESSAGE_SIZE": "1"}).stdout == "one\n"


@pytest.mark.parametrize(
    ("config", "env", "words"),
    [
        ('[queues]\nbackend = "mysql"\n', {}, 'unknown backend "mysql"'),
        ('[queues]\nbackends = "x"\n', {}, 'did you mean "backend"'),
        ('[queues]\nbackend = "postgres"\n', {}, "$SPRY_QUEUES_URL is not set"),
        ('[queues]\nbackend = "redis"\nurl_env = "Q"\n', {"Q": "redis://127.0.0.1:1/0"}, "redis"),
        ("queues = 1\n", {}, "must be a table"),
        ("[queues\n", {}, "config.toml"),
    ],
)
def test_a_configuration_that_cannot_be_followed_is_refused(queue, book, config, env, words):
    book.path(".spry").mkdir()
    book.path(".spry/config.toml").write_text(config)
    done = queue("list", env=env)

    assert done.exit_code in (2, 3)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_queues_are_those_of_the_nearest_project_also_from_below(queue, book):
    subprocess.run(["git", "init", "-q", str(book.folder)], check=True)
    book.path(".spry").mkdir()
    book.path("deep/er").mkdir(parents=True)
    filled(queue, "q", "one")

    assert book.has(".spry/queues/broker.db")
    assert queue("read", "q", cwd="deep/er").stdout == "one\n"


# F34, F35: the log of tasks


def test_f34_the_history_of_tasks_is_a_queue_to_look_at(book):
    book(
        cell("bash good", "true"),
        cell("bash bad --dep good --retry 2", "exit 3"),
        cell("bash after --dep bad", "true"),
        cell("bash slow --timeout 0.1s", "sleep 60"),
    )
    assert book.run("queue", "peek", "spry.log.tasks").exit_code == 2
    book.run("runbook", "-j", "1")
    lines = book.run("queue", "peek", "spry.log.tasks", "--all").stdout.splitlines()
    entries = [json.loads(line) for line in lines]
    for entry in entries:
        validate(entry, TASK_LOG)
    run = book.run("runs", "--json").json[0]["run"]
    story = {}
    for entry in entries:
        story.setdefault(entry["taskspec"]["name"], []).append((entry["event"], entry["status"], entry["return_code"]))

    assert {entry["tid"].partition("/")[0] for entry in entries} == {run}
    assert {entry["tid_short"].partition("/")[0] for entry in entries} == {run[-10:]}
    begun = [("task_initialized", "created", None)]
    worked = ("work_started", "running", None)
    assert story == {
        "good": [*begun, worked, ("work_completed", "completed", 0)],
        "bad": [*begun, worked, ("task_retrying", "running", 3), worked, ("work_failed", "failed", 3)],
        "after": [*begun, ("task_skipped", "skipped", None)],
        "slow": [*begun, worked, ("work_timeout", "timeout", None)],
    }


def test_f35_since_leaves_out_older_entries_and_nothing_changes_the_log(book):
    book(cell("bash good", "true"))
    book.run("runbook")
    first = book.run("queue", "peek", "spry.log.tasks", "--all", "--json").stdout.splitlines()
    book.run("runbook")
    last = json.loads(first[-1])["timestamp"]
    later = book.run("queue", "peek", "spry.log.tasks", "--all", "--since", last).stdout.splitlines()

    assert len(first) == len(later) == 3
    assert json.loads(later[0])["event"] == "task_initialized"
    for argv in (["read"], ["watch"], ["delete"], ["write", "x"], ["move", "x"]):
        word, *rest = argv
        refused = book.run(
            "queue", word, *(rest if word == "move" else []), "spry.log.tasks", *(rest if word != "move" else [])
        )
        assert refused.exit_code == 2
        assert "can only be looked at" in refused.stderr
    assert book.run("queue", "write", "x", "spry.log.tasks").exit_code == 0
