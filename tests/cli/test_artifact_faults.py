"""Files that tasks hand over where much happens at once, where they mean harm, and where they are interrupted."""

from __future__ import annotations

import json
import os
import signal

import pytest
from book import cell
from trees import described, make
from waiting import until

from spry.artifacts import holds
from spry.artifacts.blobs import Blobs
from spry.artifacts.snapshots import load, recorded, snapshot


@pytest.fixture
def own(book):
    """A book with a history beside it."""
    (book.folder / ".spry").mkdir()
    return book


def store(book):
    return book.folder / ".spry" / "artifacts"


def leftovers(book):
    """What an attempt must not leave, however it ended."""
    return [*(store(book) / "parts").glob("*"), *(store(book) / "work").rglob("*")]


def finished(book, *argv):
    """The exit code of a run, and how its tasks ended, by name."""
    done = book.run(*argv, "--json")
    return done.exit_code, {event["task"]: event for event in done.events if event["event"] == "task_finished"}


# Eight at once

TOGETHER = 'cp -a "$SPRY_DIR/src/%s/." .; touch "$SPRY_DIR/at/$SPRY_TASK"; %s'
ALL_ARE_THERE = 'until [ "$(ls "$SPRY_DIR/at" | wc -l)" = 8 ]; do sleep 0.01; done'


def test_eight_tasks_that_save_at_once_lose_nothing_of_the_same_or_of_other_trees(own):
    (own.folder / "at").mkdir()
    shared = {f"d{number % 5}__f{number}": f"{number % 7}" * (number * 40) for number in range(60)}
    for name, files in {"same": {}, "2": {"own": "2"}, "3": {"own": "3", "large": "3" * 3_000_000}}.items():
        make(own.folder / "src" / name, **shared, **files)
    sources = ["same", "same", "same", "2", "3", "same", "2", "3"]
    builds = [
        cell(f"bash b{number} --isolated --timeout 60 --save '**:t{number}'", TOGETHER % (source, ALL_ARE_THERE))
        for number, source in enumerate(sources)
    ]
    every = ",".join(f"b{number}" for number in range(8))
    own(*builds, cell(f"bash all --dep {every} --restore", 'cp -a . "$SPRY_DIR/out"'))
    done = own.run("runbook", "-j", "8")
    assert done.exit_code == 0, done.stderr

    (run,) = {one["run"] for one in own.run("artifacts", "ls", "--json").json}
    assert own.run("artifacts", "export", run, "exported").exit_code == 0
    for folder in ("out", "exported"):
        assert sorted(os.listdir(own.path(folder))) == [f"t{number}" for number in range(8)]
        for number, source in enumerate(sources):
            assert described(own.path(f"{folder}/t{number}")) == described(own.path(f"src/{source}"))
    assert leftovers(own) == []


# Killed, and alive

STAYS = 'touch here; echo > "$SPRY_DIR/begun"; read -r x < "$SPRY_DIR/go"; test -e here'


def test_the_folders_of_a_run_that_was_killed_go_with_the_next_and_those_of_one_that_is_alive_stay(own):
    dead = make(store(own) / "work" / "123", **{"0-1__dirt": "x"})
    begun, go = own.fifo("begun"), own.fifo("go")
    own(cell("bash stays --isolated --timeout 60", STAYS), cell("bash other --isolated --save f", "echo 1 > f"))
    process = own.start("task", "stays")
    begun.read_bytes()
    other = own.run("task", "other")
    go.write_text("x\n")
    process.communicate(timeout=60)

    assert (other.exit_code, process.returncode) == (0, 0)
    assert not dead.exists()
    assert leftovers(own) == []


# Trees that mean harm

PLUG = "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('plug')\""
ODD = r"$'new\nline' $'bad\xff' '-n' ' ' '*' '!x' 'a:b' '\'"
HARM = {
    "pipe": ("**", "mkfifo pipe", "'pipe' is a named pipe"),
    "named-pipe": ("pipe", "mkfifo pipe", "'pipe' is a named pipe"),
    "pipe-within": ("d/", "mkdir -p d/e; mkfifo d/e/pipe", "'d/e/pipe' is a named pipe"),
    "socket": ("**", PLUG, "'plug' is a socket"),
    "device": ("**", "ln -s /dev/zero zero", "the link 'zero' leads out of the tree: /dev/zero"),
    "device-over-links": ("**", "ln -s two one; ln -s /dev/zero two", "leads out of the tree"),
    "folder-over-a-link": ("l/**", "ln -s / l", "'l'"),
    "line": ("**", r"mkfifo $'new\nline'", r"'new\nline' is a named pipe"),
    "bytes": ("**", r"mkfifo $'bad\xff'", r"'bad\xff' is a named pipe"),
    "link-with-a-line": ("**", r"ln -s $'/tmp/new\nline' $'a\nb'", r"'a\nb' leads out of the tree: /tmp/new\nline"),
    "forged-words": ("**", r"mkfifo $'\e[2K\rok'", r"'\x1b[2K\rok' is a named pipe"),
}  # fmt: skip


def test_what_is_no_file_fails_its_task_at_once_and_is_named(own):
    own(
        *(cell(f"bash {name} --isolated --save '{glob}'", script) for name, (glob, script, _) in HARM.items()),
        cell("bash odd --isolated --save '**'", f'for f in {ODD}; do printf %s "$f" > "./$f"; done'),
        cell("bash use --dep odd --restore", f'for f in {ODD}; do [ "$(cat "./$f"; echo .)" = "$f." ]; done'),
    )
    code, ended = finished(own, "runbook", "-j", "4")

    assert code == 1
    for name, (_, _, words) in HARM.items():
        assert (ended[name]["outcome"], ended[name]["reason"], ended[name]["exit_code"]) == ("failed", "artifacts", 0)
        assert words in ended[name]["message"]
        assert ended[name]["message"].isprintable()
    assert (ended["odd"]["outcome"], ended["use"]["outcome"]) == ("succeeded", "succeeded")
    assert leftovers(own) == []


def test_nothing_is_saved_of_an_attempt_that_failed_and_its_own_failure_is_told(own):
    code, ended = finished(own(cell("bash make --isolated --save gone", "exit 3")), "runbook")

    assert code == 1
    assert (ended["make"]["reason"], ended["make"]["exit_code"]) == ("exit_code", 3)


# Interrupted

ENDLESS = 900 << 30  # bytes, all of them holes: nobody reads as much in a day


def fails(own, how, is_there):
    """Let a run end before its time, by what its task allows or by a signal once it is there: code and outcomes."""
    process = own.start("runbook", "--json")
    if how != "timeout":
        until(is_there)
        process.send_signal(how)
    events = map(json.loads, process.communicate(timeout=60)[0].splitlines())
    ended = [event for event in events if event["event"] == "task_finished"]
    return process.returncode, {event["task"]: (event["outcome"], event["reason"]) for event in ended}


def progress(process):
    """What a run says of a task that has said nothing itself."""
    events = map(json.loads, iter(process.stdout.readline, b""))
    return next(event for event in events if event["event"] == "task_progress")


def kept(own):
    """What is held, by task."""
    return {name for owner in holds.owners(str(store(own))) for name in holds.held(str(store(own)), owner)}


@pytest.mark.parametrize("how", ["timeout", signal.SIGINT, signal.SIGTERM])
def test_a_save_that_is_interrupted_keeps_nothing(own, how):
    own(
        cell("bash make --isolated --timeout 500ms --save f --save small", f"truncate -s {ENDLESS} f; echo 1 > small"),
        cell("bash use --dep make --restore", "touch $SPRY_DIR/ran"),
    )
    if how != "timeout":
        own.path("Spryfile.md").write_text(own.read("Spryfile.md").replace("--timeout 500ms ", ""))
    parts = store(own) / "parts"
    code, ended = fails(own, how, lambda: parts.is_dir() and any(parts.iterdir()))

    assert code == (124 if how == "timeout" else 128 + how)
    assert ended["make"] == (("failed", "timeout") if how == "timeout" else ("cancelled", "interrupted"))
    assert ended["use"][0] in ("skipped", "cancelled")
    assert (leftovers(own), kept(own), own.has("ran")) == ([], set(), False)


def test_a_save_that_waits_for_a_sweep_ends_when_it_is_told_to(own):
    own(cell("bash make --isolated --save f", "echo 1 > f"))
    alone = Blobs(str(store(own))).lock(alone=True)
    try:
        process = own.start("runbook", "--json")
        assert progress(process)["text"] == "saving files"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        os.close(alone)

    assert (process.returncode, kept(own), leftovers(own)) == (130, set(), [])


def endless(own):
    """A task that is up to date, with files in the store that nobody could read in a day."""
    own.path("in").write_text("1")
    own(cell("bash make --isolated --inputs in --save f", "head -c 2000000 /dev/zero > f; echo 1 > $SPRY_DIR/made"))
    assert own.run("runbook").exit_code == 0
    folder = str(store(own))
    blobs = Blobs(folder)
    (owner,) = [owner for owner in holds.owners(folder) if owner.isdigit()]
    one = holds.held(folder, owner)["make"]
    (entry,) = load(one.record, blobs).entries
    path = blobs.path(entry.blob)
    os.chmod(path, 0o600)
    os.truncate(path, ENDLESS)
    forged = recorded(snapshot([entry._replace(size=ENDLESS)]), blobs)
    holds.hold(folder, owner, one._replace(record=forged))
    own.path("made").unlink()


@pytest.mark.parametrize("words", ["saving files", "restoring files"])
def test_people_are_told_of_files_that_take_long(own, words):
    if words == "saving files":
        own(cell("bash use --isolated --save f", f"truncate -s {ENDLESS} f"))
    else:
        endless(own)
        own.path("Spryfile.md").write_text(own.read("Spryfile.md") + cell("bash use --dep make --restore", "true"))
    process = own.start("runbook", "--json")
    told = progress(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert (told["task"], told["percent"], told["text"]) == ("use", None, words)
    assert process.returncode == 130


@pytest.mark.parametrize("how", ["timeout", signal.SIGINT, signal.SIGTERM])
def test_a_restore_that_is_interrupted_leaves_nothing_and_starts_nothing(own, how):
    endless(own)
    limit = "--timeout 500ms " if how == "timeout" else ""
    own.path("Spryfile.md").write_text(
        own.read("Spryfile.md")
        + cell(f"bash use --dep make --restore {limit}--save copy", "touch $SPRY_DIR/ran; cp f copy")
        + cell("bash last --dep use --restore", "touch $SPRY_DIR/ran")
    )
    code, ended = fails(own, how, lambda: [*(store(own) / "work").glob("*/.*.part/f")])

    assert code == (124 if how == "timeout" else 128 + how)
    assert ended["make"] == ("succeeded", "up_to_date")
    assert ended["use"] == (("failed", "timeout") if how == "timeout" else ("cancelled", "interrupted"))
    assert ended["last"][0] in ("skipped", "cancelled")
    assert (leftovers(own), kept(own), own.has("ran"), own.has("made")) == ([], {"make"}, False, False)
