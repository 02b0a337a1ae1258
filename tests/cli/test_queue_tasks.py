"""Tasks with an inbox and an outbox: rows F13 to F15, F38, and F39 with `spry queue work`, with real processes."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from book import cell

from spry.store.queues import Backend, Broker
from spry.store.reservations import Reservations

SHOUT = cell("bash shout --inbox raw --outbox loud", "tr a-z A-Z; echo")


def write(book, queue, *texts):
    for text in texts:
        assert book.run("queue", "write", queue, "--", text).exit_code == 0


def peek(book, queue):
    lines = book.run("queue", "peek", queue, "--all", "--json").stdout.splitlines()
    return [json.loads(line)["message"] for line in lines]


def own(book):
    """Give the book a project folder; the seam to its queues for a moment."""
    book.path(".spry").mkdir(exist_ok=True)
    return Broker(str(book.path(".spry")), Backend())


def processes(mark):
    """The processes that have a word in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


# F13: reserve, process, complete


def test_f13_a_message_becomes_its_result(book):
    book(SHOUT)
    write(book, "raw", "three apples")
    done = book.run("task", "shout", "--json")

    assert done.exit_code == 0
    assert (peek(book, "raw"), peek(book, "raw.reserved"), peek(book, "loud")) == ([], [], ["THREE APPLES"])


def test_f13_each_run_takes_one_message_the_oldest(book):
    book(SHOUT)
    write(book, "raw", "one", "two")
    book.run("task", "shout")

    assert (peek(book, "raw"), peek(book, "loud")) == (["two"], ["ONE"])


def test_f13_while_the_task_runs_its_message_is_reserved_and_a_crash_leaves_it_there(book):
    book(cell("bash t --inbox q --outbox out", "echo $PPID > ready; read < hold"))
    ready, _ = book.fifo("ready"), book.fifo("hold")
    write(book, "q", "one")
    process = book.start("task", "t")
    runner = int(ready.read_text())
    assert (peek(book, "q"), peek(book, "q.reserved")) == ([], ["one"])
    held = book.run("queue", "requeue", "q")
    assert held.exit_code == 2
    assert "1 message in the hands of a task" in held.stderr
    os.kill(runner, signal.SIGKILL)
    process.communicate()

    assert (peek(book, "q"), peek(book, "q.reserved")) == ([], ["one"])
    assert book.run("queue", "requeue", "q").exit_code == 0
    assert (peek(book, "q"), peek(book, "q.reserved"), peek(book, "out")) == (["one"], [], [])


def test_f13_where_half_of_spry_is_killed_the_other_half_gives_the_message_back(book):
    book(cell("bash t --inbox q --outbox out", "echo > ready; read < hold"))
    ready, _ = book.fifo("ready"), book.fifo("hold")
    write(book, "q", "one")
    process = book.start("task", "t")
    ready.read_text()
    process.kill()
    process.communicate()  # until nobody has its pipes any more

    assert (peek(book, "q"), peek(book, "q.reserved"), peek(book, "out")) == (["one"], [], [])


def test_f13_a_crash_between_result_and_reserved_is_finished_by_the_next_run(book):
    book(SHOUT)
    broker = own(book)
    broker.write("raw", "one")
    held = Reservations(broker).take("raw")
    result, note = broker.ids(2)
    broker.put([("loud", held.message._replace(text="ONE", id=result))])
    broker.put([("raw.delivered", held.message._replace(text=str(held.message.id), id=note))])
    os.close(held.lock)
    broker.close()
    done = book.run("task", "shout")

    assert done.exit_code == 0
    assert "nothing to do, raw is empty" in done.stderr
    assert (peek(book, "raw"), peek(book, "raw.reserved"), peek(book, "loud")) == ([], [], ["ONE"])
    assert book.run("queue", "list").stdout == "loud  1\n"


def test_an_empty_inbox_is_nothing_to_do_and_no_message_comes_of_it(book):
    book(SHOUT, cell("bash after --dep shout", "touch after"))
    done = book.run("task", "after", "--json")

    assert done.exit_code == 0
    assert done.outcomes == {"shout": "succeeded", "after": "succeeded"}
    assert "nothing to do, raw is empty" in done.stdout
    assert peek(book, "loud") == []
    assert book.has("after")


def test_a_message_reaches_the_task_whole_whatever_its_size(book):
    book(cell("bash t --inbox q --outbox sum", "sha256sum"))
    text = "line\n" * 400_000 + "\n\n"
    book.run("queue", "write", "q", "-", stdin=text.encode())
    summed = subprocess.run(["sha256sum"], input=text[:-1].encode(), capture_output=True, check=True).stdout.decode()
    book.run("task", "t")

    assert peek(book, "sum") == [summed.removesuffix("\n")]


@pytest.mark.parametrize(("body", "text"), [("printf 'a\\n\\n'", "a\n"), ("true", ""), ("printf a", "a"), ("echo", "")])
def test_the_whole_of_stdout_but_its_last_newline_is_one_message(book, body, text):
    book(cell("bash t --outbox out", body))

    assert book.run("task", "t").exit_code == 0
    assert peek(book, "out") == [text]


@pytest.mark.parametrize("body", ["printf '\\xff'", "printf 'a\\0b'"])
def test_output_that_is_no_text_fails_the_task_and_keeps_its_message(book, body):
    book(cell("bash t --inbox q --outbox out", body))
    write(book, "q", "one")
    done = book.run("task", "t")

    assert done.exit_code == 1
    assert "its output cannot be a message for out" in done.stderr
    assert (peek(book, "q.reserved"), peek(book, "out")) == (["one"], [])


def test_a_secret_is_not_written_into_a_queue(book):
    book(cell("bash t --arg pw:secret --outbox out", 'echo "it is $pw"'))
    done = book.run("task", "t", "--param", "pw=correct-horse-battery")

    assert done.exit_code == 1
    assert "holds a secret" in done.stderr
    assert peek(book, "out") == []


# F14: policies


@pytest.mark.parametrize(
    ("flag", "inbox", "reserved"),
    [
        ("", [], ["one"]),
        ("--reserved keep", [], ["one"]),
        ("--reserved requeue", ["one"], []),
        ("--reserved clear", [], []),
    ],
)
def test_f14_after_a_failure_the_policy_says_what_becomes_of_the_message(book, flag, inbox, reserved):
    book(cell(f"bash t --inbox q --outbox out {flag}", "cat; false"))
    write(book, "q", "one")

    assert book.run("task", "t").exit_code == 1
    assert (peek(book, "q"), peek(book, "q.reserved"), peek(book, "out")) == (inbox, reserved, [])


def test_f14_a_message_that_goes_back_is_again_the_oldest(book):
    book(cell("bash t --inbox q --reserved requeue", "false"))
    write(book, "q", "one", "two")
    book.run("task", "t")

    assert peek(book, "q") == ["one", "two"]


def test_f14_a_retry_has_the_same_message_and_one_result(book):
    book(cell("bash t --inbox q --outbox out --retry 3", 'echo "$SPRY_ATTEMPT $(cat)"; ((SPRY_ATTEMPT == 3))'))
    write(book, "q", "one", "two")

    assert book.run("task", "t").exit_code == 0
    assert (peek(book, "q"), peek(book, "q.reserved"), peek(book, "out")) == (["two"], [], ["3 one"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_task_gives_its_message_back(book, number):
    book(cell("bash t --inbox q --outbox out --reserved clear", "echo > ready; sleep 60"))
    ready = book.fifo("ready")
    write(book, "q", "one")
    process = book.start("task", "t")
    ready.read_text()
    process.send_signal(number)
    process.communicate()

    assert process.returncode == 128 + number
    assert (peek(book, "q"), peek(book, "q.reserved"), peek(book, "out")) == (["one"], [], [])


def test_a_message_that_is_taken_away_meanwhile_has_no_result(book):
    book(cell("bash t --inbox q --outbox out", "echo > ready; read < hold"))
    ready, hold = book.fifo("ready"), book.fifo("hold")
    write(book, "q", "one")
    process = book.start("task", "t")
    ready.read_text()
    taken = book.run("queue", "read", "q.reserved")
    assert (taken.exit_code, taken.stdout) == (2, "")
    assert "in the hands of a task" in taken.stderr
    assert book.run("queue", "delete", "q.reserved").exit_code == 0
    hold.write_text("\n")
    _, err = process.communicate()

    assert process.returncode == 1
    assert b"was taken out of q.reserved meanwhile" in err
    assert peek(book, "out") == []


# F15: keys


def test_f15_a_task_is_told_of_its_message_and_the_key_stays_in_another_run(book):
    book(
        cell(
            "bash t --inbox q --reserved requeue",
            'echo "$SPRY_MESSAGE_ID $SPRY_TASK_ID $SPRY_IDEMPOTENCY_KEY" >> keys; exit 1',
        )
    )
    write(book, "q", "one")
    message = json.loads(book.run("queue", "peek", "q", "--json").stdout)["timestamp"]
    for _ in range(2):
        book.run("task", "t")
    first, second = (line.split() for line in book.read("keys").splitlines())

    assert first[0] == second[0] == message
    assert first[2] == second[2] == f"t:{message}"
    assert first[1].endswith("/t")
    assert first[1] != second[1]


# F38: pipelines by queues


def test_f38_a_chain_of_tasks_hands_messages_on(book):
    book(
        cell("bash clean --inbox raw --outbox neat", "tr -s ' '"),
        cell("bash count --inbox neat --outbox counts --dep clean", "wc -w | tr -d ' '"),
    )
    write(book, "raw", "a   b", "c  d  e")
    for _ in range(2):
        assert book.run("runbook").exit_code == 0

    assert peek(book, "counts") == ["2", "3"]
    assert book.run("queue", "list").stdout == "counts  2\n"


def test_queues_have_their_aliases_in_tasks_too(book):
    book(cell("bash t --inbox in --outbox @out", "cat"))
    book.run("queue", "alias", "add", "in", "orders")
    book.run("queue", "alias", "add", "out", "results")
    write(book, "orders", "one")

    assert book.run("task", "t").exit_code == 0
    assert peek(book, "results") == ["one"]


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ("bash t --inbox a/b", "is no name of a queue"),
        ("bash t --inbox q.reserved", "is kept by spry itself"),
        ("bash t --outbox spry.log.tasks", "is kept by spry itself"),
        ("bash t --inbox q --interactive", "has the terminal instead"),
        ("bash t --inbox q --inputs '*.c'", "no message is up to date"),
        ("env t --inbox q", "which nothing reads or writes"),
        ("prompt t --outbox q", "which nothing reads or writes"),
    ],
)
def test_flags_that_make_no_sense_are_errors_of_the_runbook(book, info, words):
    done = book(cell(info, "X=1")).run("check")

    assert done.exit_code == 2
    assert words in done.stdout + done.stderr


def test_a_task_without_a_script_has_no_queues(book):
    done = book(cell("bash t --inbox q")).run("check")

    assert done.exit_code == 2
    assert "a cell without a script" in done.stdout + done.stderr


def test_looking_takes_no_message(book):
    book(SHOUT)
    write(book, "raw", "one")
    for argv in (["task", "shout", "--dry-run"], ["show", "shout"], ["task", "shout", "--show-dag"], ["check"]):
        assert book.run(*argv).exit_code == 0

    assert peek(book, "raw") == ["one"]


# F39: workers


def test_f39_workers_go_through_a_queue_until_it_is_empty(book):
    book(SHOUT)
    texts = [f"m{number}" for number in range(12)]
    write(book, "raw", *texts)
    done = book.run("queue", "work", "shout", "-j", "3", "--drain", "--no-history")

    assert done.exit_code == 0
    assert sorted(peek(book, "loud")) == sorted(text.upper() for text in texts)
    assert book.run("queue", "list").stdout == "loud  12\n"


def test_f39_a_worker_waits_for_messages_until_it_is_stopped(book):
    book(SHOUT)
    process = book.start("queue", "work", "shout", "-j", "1", "--no-history")
    for text in ("one", "two"):
        write(book, "raw", text)
        assert process.stdout.readline().decode() == f"{text.upper()}\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()

    assert process.returncode == 130
    assert b"no more messages are taken" in err
    assert peek(book, "loud") == ["ONE", "TWO"]


def test_the_first_interrupt_lets_workers_finish_and_the_second_gives_messages_back(book):
    book(cell("bash t --inbox q --outbox out", "echo > ready; read < hold; cat"))
    ready, hold = book.fifo("ready"), book.fifo("hold")
    write(book, "q", "one", "two")
    process = book.start("queue", "work", "t", "-j", "1")
    ready.read_text()
    process.send_signal(signal.SIGINT)
    assert b"no more messages" in process.stderr.readline()
    hold.write_text("\n")
    process.communicate()
    assert (process.returncode, peek(book, "q"), peek(book, "out")) == (130, ["two"], ["one"])

    process = book.start("queue", "work", "t", "-j", "1")
    ready.read_text()
    process.send_signal(signal.SIGINT)
    assert b"no more messages" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert (process.returncode, peek(book, "q"), peek(book, "q.reserved")) == (130, ["two"], [])


def test_a_failed_message_stays_in_reserved_and_the_others_go_on(book):
    book(cell("bash t --inbox q --outbox out", 'text=$(cat); echo "$text"; [[ $text != bad ]]'))
    write(book, "q", "good", "bad", "fine")
    done = book.run("queue", "work", "t", "-j", "1", "--drain")

    assert done.exit_code == 1
    assert (peek(book, "out"), peek(book, "q.reserved")) == (["good", "fine"], ["bad"])


def test_draining_ends_at_a_message_that_fails_again_and_again(book):
    book(cell("bash t --inbox q --reserved requeue", "echo tried; false"))
    write(book, "q", "bad")
    done = book.run("queue", "work", "t", "-j", "1", "--drain")

    assert done.exit_code == 1
    assert done.stdout == "tried\n"
    assert peek(book, "q") == ["bad"]


def test_a_worker_that_is_killed_is_replaced_and_its_message_stays_reserved(book):
    book(
        cell(
            "bash t --inbox q --outbox out",
            'text=$(cat); echo "$PPID" > pid; [[ $text != one ]] || read < hold; echo $text',
        )
    )
    pid = book.fifo("pid")
    book.fifo("hold")
    write(book, "q", "one", "two")
    process = book.start("queue", "work", "t", "-j", "1", "--drain")
    os.kill(int(pid.read_text()), signal.SIGKILL)
    pid.read_text()
    _, err = process.communicate()

    assert b"a run was killed by signal 9; its message stays in q.reserved" in err
    assert (peek(book, "q.reserved"), peek(book, "out")) == (["one"], ["two"])


def test_nothing_goes_on_when_the_crew_is_killed(book):
    mark = f"MARK_{random.randrange(10**12)}"
    book(cell("bash t --inbox q --outbox out", "echo > ready; sleep 600"))
    ready = book.fifo("ready")
    write(book, "q", "one", "two")
    process = book.start("queue", "work", "t", "-j", "2", env={"MARK": mark})
    begun = 0
    while begun < 2:  # one look may hear of both
        begun += ready.read_text().count("\n")
    process.kill()
    process.communicate()
    end = time.monotonic() + 20
    while processes(mark) and time.monotonic() < end:
        os.sched_yield()

    assert processes(mark) == []
    assert sorted(peek(book, "q")) == ["one", "two"]


def storm(book, count, workers, kills):
    """Work through messages while workers, and now and then the crew, are killed; what is left of it."""
    book(cell("bash t --inbox q --outbox out", "cat"))
    texts = {f"m{number}" for number in range(count)}
    broker = own(book)
    for text in texts:
        broker.write("q", text)
    dice = random.Random(1)
    mark = f"MARK_{dice.randrange(10**12)}_{os.getpid()}"
    command = ("queue", "work", "t", "-j", str(workers), "--drain", "--no-history")
    options = {"env": {"MARK": mark}, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = book.start(*command, **options)
    for number in range(kills):
        goal = broker_size(broker) - dice.randrange(1, 2 + count // kills)
        while broker_size(broker) > max(goal, 0) and process.poll() is None:
            os.sched_yield()
        victims = [process.pid] if number % 7 == 6 else processes(mark)
        for victim in dice.sample(victims, min(1, len(victims))):
            kill(victim)
        if process.poll() is not None:
            process = book.start(*command, **options)
    process.wait()
    assert book.run("queue", "work", "t", "-j", str(workers), "--drain", "--no-history").exit_code == 0
    found = {name: [message.text for message in broker.peek(name)] for name in ("q", "q.reserved", "out")}
    rest = [count.queue for count in broker.queues() if count.queue not in found]
    broker.close()
    return texts, found["q"], found["q.reserved"], found["out"], rest


def broker_size(broker):
    return next((count.messages for count in broker.queues() if count.queue == "q"), 0)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def check(texts, inbox, reserved, out, rest):
    assert inbox == rest == []
    assert len(out) == len(set(out))
    assert set(out) | set(reserved) == texts
    assert len(out) + len(reserved) == len(texts)


def test_f13_kills_lose_and_double_nothing(book):
    check(*storm(book, 40, 3, 4))


@pytest.mark.stress
def test_f13_a_thousand_messages_survive_workers_killed_at_random(book):
    check(*storm(book, 1000, 8, 100))
