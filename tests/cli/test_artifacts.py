"""Files that tasks hand over: `--isolated`, `--save`, `--restore`, and the commands that look at them."""

from __future__ import annotations

import json
import os
import signal

import pytest
from book import cell
from schemas import conform
from shapes import until

BUILD = ("mkdir -p out", "echo x86 > out/binary", "chmod 755 out/binary")


def stored(book):
    """The files in the store beside the runbook."""
    return [path for path in (book.folder / ".spry" / "artifacts" / "blobs").rglob("*") if path.is_file()]


@pytest.fixture
def own(book):
    """A book with a history beside it."""
    (book.folder / ".spry").mkdir()
    return book


def work(book):
    return [*(book.folder / ".spry" / "artifacts" / "work").rglob("*")]


def test_a1_every_run_has_artifacts_of_its_own(own):
    own(
        cell("bash make --isolated --save f --arg word", "echo $word > f"),
        cell("bash use --dep make --restore", "cat f"),
    )
    first = own.run("task", "use", "--param", "word=one")
    second = own.run("task", "use", "--param", "word=two")

    assert (first.stdout, second.stdout) == ("one\n", "two\n")
    assert [(one["task"], one["files"]) for one in own.run("artifacts", "ls", "--json").json] == [("make", 1)] * 2


def test_a2_a_resumed_run_reuses_what_was_saved(own):
    own(
        cell("bash make --isolated --save f", "echo ran >> $SPRY_DIR/count", "echo kept > f"),
        cell("bash use --dep make --restore", "cat f; test -e $SPRY_DIR/mended"),
    )
    assert own.run("runbook").exit_code == 1
    own.path("mended").touch()
    done = own.run("resume")

    assert (done.exit_code, done.stdout) == (0, "kept\n")
    assert own.read("count") == "ran\n"
    assert len(own.run("artifacts", "ls", "--json").json) == 2


def test_a3_each_attempt_has_a_fresh_folder_and_dirt_of_a_failed_one_is_not_seen(own):
    script = ("ls -A; touch dirt result; echo $PWD >> $SPRY_DIR/folders", "[ $SPRY_ATTEMPT = 2 ]")
    done = own(cell("bash task --isolated --retry 2 --save '*' ", *script)).run("runbook")
    folders = own.read("folders").split()

    assert (done.exit_code, done.stdout) == (0, "")
    assert len({*folders, str(own.folder)}) == 3
    assert not any(os.path.exists(folder) for folder in folders)
    assert work(own) == []


def test_a3_only_what_an_attempt_that_succeeded_saved_is_kept(own):
    own(
        cell("bash make --isolated --save f", "echo bad > f; false"),
        cell("bash look --finally --restore --dep make", "ls -A"),
    )
    done = own.run("runbook")

    assert (done.exit_code, done.stdout) == (1, "")
    assert own.run("artifacts", "ls").stdout == "nothing is saved here\n"


@pytest.mark.parametrize("how", ["--isolated", ""])
def test_a4_a_task_saves_what_it_says_and_nothing_else(own, how):
    done = own(
        cell(f"bash make {how} --save 'out/*.txt' --save tool:/bin/tool", "mkdir out; touch out/a.txt out/b.o tool c"),
        cell("bash use --dep make --restore", "find . -type f | sort"),
    ).run("runbook")

    assert done.stdout.split() == ["./bin/tool", "./out/a.txt"]
    assert own.has("c") == (not how)


def test_a5_files_are_restored_into_the_folder_that_is_named(own):
    done = own(
        cell("bash make --isolated --save f", "echo 1 > f"),
        cell("bash use --dep make --restore in/here --interpolate", "pwd; find . -type f; echo $SPRY_DIR"),
    ).run("task", "use")
    folder, *rest = done.stdout.split()

    assert rest == ["./in/here/f", str(own.folder)]
    assert folder.startswith(str(own.folder / ".spry" / "artifacts" / "work"))


def test_a6_files_of_every_ancestor_are_restored_from_the_root_on(own):
    done = own(
        cell("bash root --isolated --save r", "touch r"),
        cell("bash middle --dep root --restore --save m", "touch m"),
        cell("bash empty --dep middle"),
        cell("bash parent --dep empty --isolated --save p", "touch p"),
        cell("bash leaf --dep parent --restore", "ls"),
    ).run("runbook")

    assert done.stdout.split() == ["m", "p", "r"]


def test_a7_files_of_nobody_else_are_restored(own):
    done = own(
        cell("bash mine --isolated --save m", "touch m"),
        cell("bash other --isolated --save o", "touch o"),
        cell("bash leaf --dep mine --restore", "ls"),
        cell("bash after --dep leaf,other --isolated", "ls"),
    ).run("runbook", "-j", "1")

    assert done.stdout.split() == ["m"]


def test_a8_the_order_of_the_parents_makes_no_difference(own):
    trees = []
    for deps in ("a,b", "b,a"):
        own(
            cell("bash a --isolated --save 'out/**'", "mkdir -m 750 out; touch -d @1 out/a out"),
            cell("bash b --isolated --save 'out/**'", "mkdir -m 705 out; touch -d @2 out/b out"),
            cell(f"bash leaf --dep {deps} --restore", "stat -c '%n %a %Y' out out/*"),
        )
        trees.append(own.run("runbook").stdout)

    assert trees[0] == trees[1]
    assert trees[0].splitlines()[0] == "out 755 2"


def conflict(own, *, first="--save bin/x", second="--save bin/x"):
    script = "mkdir -p bin o p; echo same | tee bin/x o/x p/x > x"
    return own(
        cell(f"bash a --isolated {first}", script),
        cell(f"bash b --isolated {second}", script),
        cell("bash test --dep a,b --restore", f"touch {own.folder}/ran"),
    )


@pytest.mark.parametrize("argv", [["check"], ["runbook"], ["runbook", "--dry-run"], ["task", "a"]])
def test_a9_a_conflict_between_literal_names_makes_the_runbook_invalid(own, argv):
    done = conflict(own).run(*argv)
    told = done.stdout if argv == ["check"] else done.stderr

    assert done.exit_code == 2
    assert "Spryfile.md:5:29: Error: artifact conflict: 'bin/x' saved by 'a' and 'b'" in told
    assert '"test" restores both' in told
    assert not own.has("ran")
    assert stored(own) == []


def test_a9_a_conflict_that_is_found_after_the_builds_fails_the_task_that_restores(own):
    done = conflict(own, first="--save 'bin/*'", second="--save 'bin/*'").run("runbook", "--json")
    (failed,) = (event for event in done.events if event["event"] == "task_finished" and event["task"] == "test")

    assert done.exit_code == 1
    assert (failed["outcome"], failed["reason"]) == ("failed", "artifacts")
    assert failed["message"].startswith("artifact conflict: 'bin/x' saved by 'a' and 'b'")
    assert not own.has("ran")
    assert work(own) == []


def test_a9_two_tasks_that_nobody_restores_together_may_save_the_same_path(own):
    own(
        cell("bash a --isolated --save x", "touch x"),
        cell("bash b --isolated --save x", "touch x"),
        cell("bash use --dep a --restore", "ls"),
    )

    assert own.run("runbook").exit_code == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [("--save x:bin", "--save bin/x"), ("--save bin/x", "--save x:bin"), ("--save x:bin", "--save 'bin/*'")],
)
def test_a10_a_file_against_a_folder_is_a_conflict_known_to_the_check(own, first, second):
    done = conflict(own, first=first, second=second).run("check")

    assert done.exit_code == 2
    assert "artifact conflict: 'bin' saved as a file by" in done.stdout


@pytest.mark.parametrize("reverse", [False, True])
def test_a10_a_file_against_a_folder_found_later_fails_the_task_that_restores(own, reverse):
    saves = ["--save 'o/*:all'", "--save 'p/*:all/x'"]
    first, second = reversed(saves) if reverse else saves
    done = conflict(own, first=first, second=second).run("runbook")

    assert done.exit_code == 1
    assert "artifact conflict: 'all/x' saved as a file by" in done.stderr


def test_a14_a_run_and_its_copy_elsewhere_save_one_tree(own, tmp_path):
    own(cell("bash make --isolated --save '**'", "mkdir d; echo 1 > d/f; ln -s f d/l"))
    trees = set()
    for number in range(2):
        assert own.run("runbook", "--env", f"N={number}").exit_code == 0
    trees = {one["tree"] for one in own.run("artifacts", "ls", "--json").json}

    assert len(trees) == 1


# Faults


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("gone", "--save 'gone' matches nothing"),
        ("'*.txt'", "--save '*.txt' matches nothing"),
        ("d", "'d' is a folder"),
        ("'**'", "the link 'out' leads out of the tree: /etc/passwd"),
    ],
)
def test_a_save_that_cannot_be_made_fails_the_task_and_says_why(own, pattern, message):
    done = own(
        cell(f"bash make --isolated --save {pattern}", "mkdir d; touch d/f; ln -s /etc/passwd out"),
        cell("bash use --dep make --restore", "touch $SPRY_DIR/ran"),
    ).run("runbook")

    assert done.exit_code == 1
    assert message in done.stderr
    assert not own.has("ran")


def test_a_save_that_fails_is_tried_again_where_the_task_may_be(own):
    done = own(
        cell("bash make --isolated --retry 2 --save f", "[ $SPRY_ATTEMPT = 1 ] || touch f"),
    ).run("runbook")

    assert done.exit_code == 0
    assert "retrying" in done.stderr


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ("--save /etc/passwd", "does not lie in the working folder"),
        ("--save ../x", 'leads out of the folder with ".."'),
        ("--save 'a:../b'", 'leads out of the folder with ".."'),
        ("--save '!a'", "--save takes files out and names none"),
        ("--restore ../x", "does not lie in the task's own folder"),
        ("--restore /tmp", "does not lie in the task's own folder"),
        ("--isolated --cwd sub", "--cwd with --isolated"),
    ],
)
def test_flags_that_cannot_work_are_problems_of_the_runbook(own, info, message):
    done = own(cell(f"bash make {info}", "true")).run("check")

    assert done.exit_code == 2
    assert message in done.stdout


def test_a_task_that_restores_from_nobody_is_noted(own):
    done = own(cell("bash a", "true"), cell("bash b --dep a --restore", "true")).run("check")

    assert done.exit_code == 0
    assert "none of them saves anything" in done.stdout


def test_a_skipped_task_cannot_be_restored_from(own):
    done = conflict(own, second="--save y").run("runbook", "--skip", "a")

    assert done.exit_code == 2
    assert '"test" restores what "a" saves, which this selection leaves out' in done.stderr


# Where things are


def test_captures_of_an_isolated_task_go_to_the_runbooks_folder(own):
    done = own(cell("bash make --isolated --capture ./out/list.txt", "echo text")).run("runbook")

    assert done.exit_code == 0
    assert own.read("out/list.txt") == "text\n"


def test_artifacts_work_without_history_and_leave_nothing(book):
    done = book(
        cell("bash make --isolated --save f", "echo 1 > f"), cell("bash use --dep make --restore", "cat f")
    ).run("runbook", "--no-history")

    assert (done.exit_code, done.stdout) == (0, "1\n")
    assert [*(book.place / "tmp").iterdir()] == []


def test_the_store_is_not_saved_into_itself(own):
    own(cell("bash make --save '**' ", "echo 1 > f"), cell("bash use --dep make --restore", "find . -name .spry"))
    first, second = own.run("runbook"), own.run("runbook")

    assert (first.exit_code, second.exit_code, second.stdout) == (0, 0, "")


def test_a_group_without_a_script_can_save_files_that_are_there(own):
    own.path("src").mkdir()
    own.path("src/a").write_text("1")
    own(cell("bash sources --save 'src/**'"), cell("bash use --dep sources --restore", "cat src/a"))
    done = own.run("runbook")

    assert (done.exit_code, done.stdout) == (0, "1")


def test_a_task_cannot_change_the_store_through_what_it_restored(own):
    own(
        cell("bash make --isolated --save f", "echo good > f"),
        cell("bash bad --dep make --restore", "echo evil > f; chmod 777 f"),
        cell("bash good --dep make,bad --restore", "cat f; stat -c %a f"),
    )

    assert own.run("runbook").stdout == "good\n644\n"


# A dry run, and show


def test_a_dry_run_says_what_would_be_saved_and_restored(own):
    own(
        cell("bash a --isolated --save x", "touch x"),
        cell("bash b --isolated --save 'y:z'", "touch y"),
        cell("bash test --dep a,b --restore in", "true"),
    )
    before = own.everything()
    done = own.run("task", "test", "--dry-run")
    plan = own.run("task", "test", "--dry-run", "--json").json

    assert "saves           x" in done.stdout
    assert "saves           y:z" in done.stdout
    assert "restores to     in" in done.stdout
    assert "restores what a and b saved" in done.stdout
    assert plan["tasks"][2]["notes"][-1] == "restores what a and b saved"
    assert own.everything() == before


# Resume


def damage(book, text):
    for path in stored(book):
        if path.read_bytes() == text:
            path.chmod(0o600)
            path.write_bytes(text.upper())
            return
    raise AssertionError(text)


def half_done(own):
    own(
        cell("bash other --isolated --save o", "echo other >> $SPRY_DIR/count; echo o > o"),
        cell("bash make --isolated --save f", "echo make >> $SPRY_DIR/count; echo kept > f"),
        cell("bash use --dep make,other --restore", "cat f; test -e $SPRY_DIR/mended"),
    )
    assert own.run("runbook", "-j", "1").exit_code == 1
    own.path("mended").touch()


def test_a_damaged_blob_is_found_and_named_and_its_task_alone_runs_again(own):
    half_done(own)
    damage(own, b"kept\n")
    done = own.run("resume")

    assert (done.exit_code, done.stdout) == (0, "kept\n")
    assert "make runs again with what depends on it: 'f', which it saved, is damaged" in done.stderr
    assert own.read("count").split() == ["other", "make", "make"]


def test_a_blob_that_is_damaged_in_mid_run_fails_what_restores_it_and_names_it(own):
    own(
        cell("bash make --isolated --save f", "echo kept > f"),
        cell("bash harm --dep make", "cd .spry/artifacts/blobs; for f in */*; do chmod 600 $f; echo x >> $f; done"),
        cell("bash use --dep harm --restore", "touch $SPRY_DIR/ran"),
    )
    done = own.run("runbook")

    assert done.exit_code == 1
    assert "damaged" in done.stderr
    assert not own.has("ran")


def test_saved_files_that_are_gone_are_saved_again(own):
    half_done(own)
    for path in stored(own):
        path.unlink()
    done = own.run("resume")

    assert (done.exit_code, done.stdout) == (0, "kept\n")
    assert sorted(own.read("count").split()) == ["make", "make", "other", "other"]


# Commands


@pytest.fixture
def saved(own):
    own(
        cell("bash make --isolated --save '**'", "mkdir d; echo text > d/f; ln -s f d/l; chmod 755 d/f"),
        cell("bash more --isolated --save m", "touch m"),
        cell("bash none", "true"),
    )
    assert own.run("runbook").exit_code == 0
    return own


def run_of(book):
    return book.run("runs", "--json").json[0]["run"]


def test_artifacts_are_listed_by_task(saved):
    listed = saved.run("artifacts", "ls")

    rows = [line.split()[1:3] for line in listed.stdout.splitlines()]
    assert rows == [["TASK", "FILES"], ["make", "2"], ["more", "1"]]


def test_what_one_task_of_a_run_saved_is_listed_alone(saved):
    listed = saved.run("artifacts", "ls", f"{run_of(saved)[-5:]}/more", "--json")

    assert [(one["task"], one["files"]) for one in listed.json] == [("more", 1)]


def test_the_files_of_a_run_and_of_a_task_are_shown(saved):
    run = run_of(saved)
    everything = saved.run("artifacts", "show").stdout
    one = saved.run("artifacts", "show", f"{run[-5:]}/make", "--json").json

    assert "d/l → f" in everything
    conform("artifacts", one)
    assert [(path["path"], path["kind"], path["mode"]) for path in one[0]["paths"]] == [
        ("d", "folder", "0755"),
        ("d/f", "file", "0755"),
        ("d/l", "link", "0777"),
    ]
    assert one[0]["paths"][1]["sha256"] == "b9e68e1bea3e5b19ca6b2f98b73a54b73daafaa250484902e09982e07a12e733"


def test_artifacts_are_exported_into_a_new_folder_and_never_into_one_that_is_there(saved):
    run = run_of(saved)
    done = saved.run("artifacts", "export", run, "out")
    again = saved.run("artifacts", "export", run, "out")

    assert (done.exit_code, done.stderr) == (0, "3 files in out\n")
    assert saved.read("out/d/f") == "text\n"
    assert os.readlink(saved.path("out/d/l")) == "f"
    assert again.exit_code != 0
    assert "out is there already" in again.stderr


def test_without_a_destination_an_export_has_the_name_of_its_run(saved):
    run = run_of(saved)
    done = saved.run("artifacts", "export", f"{run}/more", "--json").json

    conform("artifacts", done)
    conform("artifacts", saved.run("artifacts", "ls", "--json").json)
    assert (done["destination"], [one["task"] for one in done["saves"]]) == (f"artifacts-{run}", ["more"])
    assert os.listdir(saved.path(f"artifacts-{run}")) == ["m"]


def test_a_run_whose_tasks_are_in_each_others_way_is_exported_task_by_task(own):
    own(cell("bash a --isolated --save x", "echo a > x"), cell("bash b --isolated --save x", "echo b > x"))
    own.run("runbook")
    run = run_of(own)

    whole = own.run("artifacts", "export", run, "out")
    assert (whole.exit_code, own.has("out")) == (2, False)
    assert "artifact conflict: 'x' saved by 'a' and 'b'" in whole.stderr
    assert own.run("artifacts", "export", f"{run}/b", "out").exit_code == 0
    assert own.read("out/x") == "b\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["lst"], 'did you mean "ls"?'),
        (["show", "99999999999999999999999"], "no run has an id"),
        (["show", "RUN/mkae"], 'did you mean "make"?'),
        (["show", "RUN/none"], 'task "none" of run'),
        (["export", "RUN", "out", "more"], 'unexpected word "more"'),
    ],
)
def test_what_cannot_be_found_is_an_error_of_the_request(saved, argv, message):
    done = saved.run("artifacts", *(word.replace("RUN", run_of(saved)) for word in argv))

    assert done.exit_code == 2
    assert message in done.stderr


# Retention


def test_tidy_drops_what_only_forgotten_runs_refer_to(saved):
    saved.run("task", "more")
    done = saved.run("system", "tidy", "--keep", "0")

    assert "of artifacts dropped" in done.stderr
    assert stored(saved) == []


def test_tidy_never_drops_what_a_run_can_be_resumed_from(own):
    half_done(own)
    own.run("system", "tidy", "--keep", "0")

    assert own.run("resume").stdout == "kept\n"
    assert sorted(own.read("count").split()) == ["make", "other"]


def test_artifacts_are_kept_for_as_long_as_the_front_matter_says(own):
    own(
        "---\nspry:\n  artifacts:\n    keep: 1ms\n---\n\n",
        cell("bash make --isolated --save f", "echo 1 > f"),
    )
    own.run("runbook")
    own.run("runbook")
    own.run("system", "tidy")

    assert own.run("artifacts", "ls").stdout == "nothing is saved here\n"
    assert len(own.run("runs", "--json").json) == 2
    assert stored(own) == []


def test_a_missing_library_is_told_before_anything_runs(own):
    shadow = own.place / "shadow"
    shadow.mkdir()
    (shadow / "wcmatch.py").write_text("raise ImportError('none here')")
    own(cell("bash good", "touch ran"), cell("bash make --save 'a/*'", "true"))
    process = own.start("runbook", env={"PYTHONPATH": f"{shadow}:{os.getcwd()}"})
    _, told = process.communicate()

    assert process.returncode == 3
    assert b"pip install 'spry[artifacts]'" in told
    assert not own.has("ran")


def test_literal_names_need_no_library(own):
    own(cell("bash make --isolated --save f", "touch f"), cell("bash use --dep make --restore", "ls"))
    done = own.run("runbook", "--json")

    assert json.loads(done.stdout.splitlines()[-1])["ok"]


# Up to date


def started(done):
    assert done.exit_code == 0, done.stderr
    return [event["task"] for event in done.events if event["event"] == "task_started"]


def test_what_a_task_saved_comes_back_with_it_while_it_is_up_to_date(own):
    own.path("src").write_text("1")
    own(
        cell("bash make --isolated --inputs src --save f", "cp $SPRY_DIR/src f"),
        cell("bash use --dep make --restore", "cat f"),
    )
    own.run("runbook")
    own.run("runbook")
    done = own.run("runbook", "--json")
    assert started(done) == ["use"]
    assert own.run("runbook").stdout == "1"
    for path in stored(own):
        path.unlink()

    assert started(own.run("runbook", "--json")) == ["make", "use"]
    assert own.run("runbook").stdout == "1"


def test_a_task_is_not_up_to_date_when_a_distant_ancestor_saved_something_else(own):
    own.path("src").write_text("1")
    own(
        cell("bash far --isolated --save f", "cp $SPRY_DIR/src f"),
        cell("bash near --dep far", "true"),
        cell("bash use --dep near --restore --outputs out --capture ./out", "cat f"),
    )
    assert started(own.run("runbook", "--json")) == ["far", "near", "use"]
    assert started(own.run("runbook", "--json")) == ["far", "near"]
    own.path("src").write_text("2")

    assert started(own.run("runbook", "--json")) == ["far", "near", "use"]
    assert own.read("out") == "2"


def test_a_save_is_broken_off_when_the_run_is_stopped(own):
    own(cell("bash make --isolated --save f", "truncate -s 900G f; echo ready > $SPRY_DIR/ready"))
    process = own.start("runbook")
    parts = own.folder / ".spry" / "artifacts" / "parts"
    until(lambda: parts.is_dir() and any(parts.iterdir()))
    process.send_signal(signal.SIGINT)
    process.communicate()

    assert process.returncode == 130
    assert [*parts.iterdir()] == []
    assert work(own) == []
