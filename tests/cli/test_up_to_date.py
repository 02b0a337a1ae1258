"""A task with `--inputs` or `--outputs` is not run when nothing that decides what it does has changed."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest
from book import cell

BUILD = cell("bash build --inputs 'src/*.c' --outputs out/all", "mkdir -p out; cat src/*.c > out/all")


def source(book, **files):
    """Write files below src/."""
    for name, text in files.items():
        path = book.path(f"src/{name}.c")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.fixture
def built(book):
    """A runbook with one task that has just succeeded."""
    source(book, a="a", b="b")
    assert ran(book(BUILD)) == ["build"]
    return book


def ran(book, *argv, command="runbook"):
    """The tasks that were started by a run that has to succeed, in that order."""
    done = book.run(command, *argv, "--json")
    assert done.exit_code == 0, done.stderr + done.stdout
    assert set(done.outcomes.values()) == {"succeeded"}
    return [event["task"] for event in done.events if event["event"] == "task_started"]


def state(book, name="build"):
    """What `spry show` says of a task."""
    done = book.run("show", name)
    assert done.exit_code == 0, done.stderr
    return next((line.split(None, 1)[1] for line in done.stdout.splitlines() if line.startswith("  state ")), "")


def notes(book, *argv):
    """What the dry run notes of each task."""
    done = book.run("runbook", "--dry-run", "--json", *argv)
    assert done.exit_code == 0, done.stderr
    return {task["name"]: " ".join(task["notes"]) for task in done.json["tasks"]}


# When it runs


def test_a_task_whose_inputs_and_outputs_are_what_they_were_is_not_run(built):
    assert ran(built) == []


def test_its_outcome_is_a_success_with_a_reason_of_its_own(built):
    done = built.run("runbook", "--json")
    (event,) = (event for event in done.events if event["event"] == "task_finished")

    assert (event["outcome"], event["reason"], event["attempt"]) == ("succeeded", "up_to_date", 0)
    assert "✓ build up to date" in built.run("runbook").stderr


def test_touching_a_file_without_changing_it_runs_nothing(built):
    os.utime(built.path("src/a.c"), (1, 1))

    assert ran(built) == []


def test_a_file_that_is_written_anew_with_the_same_content_runs_nothing(built):
    built.path("src/a.c").unlink()
    source(built, a="a")

    assert ran(built) == []


def test_an_edit_of_the_same_size_and_time_is_seen(built):
    stat = os.stat(built.path("src/a.c"))
    source(built, a="A")
    os.utime(built.path("src/a.c"), ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert ran(built) == ["build"]


@pytest.mark.parametrize("round_", range(5))
def test_an_edit_right_after_the_run_is_seen(built, round_):
    source(built, a=str(round_))
    assert ran(built) == ["build"]

    source(built, a=chr(ord("p") + round_))
    assert ran(built) == ["build"]
    assert built.read("out/all") == chr(ord("p") + round_) + "b"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda book: source(book, a="new"), "input src/a.c changed"),
        (lambda book: source(book, c="c"), "input src/c.c is new"),
        (lambda book: book.path("src/b.c").unlink(), "input src/b.c is gone"),
        (lambda book: book.path("src/b.c").chmod(0o755), "input src/b.c changed"),
        (lambda book: book(BUILD.replace("cat", "cat -u")), "script changed"),
        (lambda book: book(BUILD.replace("bash build", "sh build")), "interpreter changed"),
        (lambda book: book(BUILD.replace("build", "build --interpreter 'bash -x'")), "interpreter changed"),
        (lambda book: book(BUILD.replace("build", "build --no-strict")), "interpreter changed"),
        (lambda book: book(BUILD.replace("build", "build --exit-code 0,3")), "flags changed"),
        (lambda book: book(BUILD.replace("build", "build --arg v=1")), "parameter v is new"),
        (lambda book: book(BUILD.replace("build", "build --env V=1")), "variable V is new"),
        (lambda book: book("---\nspry: {env: {V: 1}}\n---\n", BUILD), "variable V is new"),
        (lambda book: book("---\nspry: {shell: sh}\n---\n", BUILD), "interpreter changed"),
        (lambda book: book.path("out/all").write_text("by hand"), "output out/all changed"),
    ],
)
def test_whatever_decides_what_it_does_makes_it_run_and_is_named(built, change, why):
    change(built)

    assert state(built) == f"would run: {why}"
    assert notes(built) == {"build": f"would run: {why}"}
    assert ran(built) == ["build"]
    assert ran(built) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda book: book("# A title\n\nMuch to say.\n\n", BUILD),
        lambda book: book(BUILD.replace("build", "build --descr 'Builds it' --tag x --timeout 5m --retry 3")),
        lambda book: book(BUILD, cell("bash another", ":")),
    ],
)
def test_what_does_not_decide_what_it_does_does_not_make_it_run(built, change):
    change(built)

    assert "build" not in ran(built)


def test_parameters_decide(built):
    built(BUILD.replace("build", "build --arg version=1"))

    assert ran(built, "build", command="task") == ["build"]
    assert ran(built, "build", "--param", "version=1", command="task") == []
    assert ran(built, "build", "--param", "version=2", command="task") == ["build"]
    assert state(built) == "would run: parameter version changed"


def test_words_after_the_dashes_decide(built):
    assert ran(built, "build", command="task") == []
    assert [event["task"] for event in built.run("task", "build", "--json", "--", "-v").events[1:2]] == ["build"]


def test_the_environment_that_the_caller_has_does_not_decide(built):
    done = built.run("runbook", "--json", env={"LC_ALL": "C", "EDITOR": "ed"})

    assert [event["event"] for event in done.events] == ["run_started", "task_finished", "run_finished"]


@pytest.mark.parametrize("flag", ["--env-file", "spry"])
def test_files_of_variables_decide_by_what_they_say(built, flag):
    built.path("vars").write_text("A=1\n")
    front = "---\nspry: {env_file: vars}\n---\n" if flag == "spry" else ""
    built(front, BUILD.replace("build", "build --env-file vars") if not front else BUILD)
    assert ran(built) == ["build"]

    built.path("vars").write_text("# a remark\nA=1\n")
    assert ran(built) == []

    built.path("vars").write_text("A=2\n")
    assert ran(built) == ["build"]


def test_variables_of_the_command_line_decide(built):
    assert ran(built, "--env", "A=1") == ["build"]
    assert ran(built, "--env", "A=1") == []
    assert ran(built, "--env", "A=2") == ["build"]


def test_env_cells_decide_by_what_they_say(built):
    lent = BUILD.replace("build", "build --dep lent")
    built(cell("env lent", "A=1"), lent)
    assert "build" in ran(built)
    assert "build" not in ran(built)

    built(cell("env lent", "A=2"), lent)
    assert "build" in ran(built)


def test_a_variable_that_a_script_takes_by_name_decides(book):
    source(book, a="a")
    book(cell("bash build -I --inputs 'src/*.c'", "echo ${env.WHO}"))
    one, two = {"WHO": "one"}, {"WHO": "two"}

    def begun(env):
        return [event["event"] for event in book.run("runbook", "--json", env=env).events].count("task_started")

    assert [begun(one), begun(one), begun(two), begun(two)] == [1, 0, 1, 0]


def test_force_runs_what_is_up_to_date(built):
    assert ran(built, "--force") == ["build"]
    assert ran(built) == []
    assert notes(built, "--force") == {"build": "would run: --force"}


def test_without_history_everything_runs_and_nothing_is_remembered(built):
    source(built, a="new")

    assert ran(built, "--no-history") == ["build"]
    assert ran(built, "--no-history") == ["build"]
    assert ran(built) == ["build"]


def test_inputs_alone_are_enough(book):
    source(book, a="a")
    book(cell("bash lint --inputs src", "echo fine"))

    assert [ran(book), ran(book)] == [["lint"], []]
    source(book, a="b")
    assert ran(book) == ["lint"]


def test_outputs_alone_are_enough(book):
    book(cell("bash fetch --outputs data", "echo 1 > data"))

    assert [ran(book), ran(book)] == [["fetch"], []]


def test_what_a_task_makes_is_none_of_its_inputs(book):
    book.path("one").write_text("1")
    book(cell("bash copy --inputs . --outputs two", "cp one two"))

    assert ran(book) == ["copy"]
    assert ran(book) == []


def test_a_file_among_the_outputs_that_the_task_did_not_make_makes_it_run(book):
    book(cell("bash make --outputs 'out/*'", "mkdir -p out; echo 1 > out/one"))
    ran(book)
    book.path("out/two").write_text("2")

    assert state(book, "make") == "would run: output out/two is new"
    assert [ran(book), ran(book)] == [["make"], []]


def test_a_failure_is_not_remembered_and_does_away_with_nothing(book):
    source(book, a="good")
    book(cell("bash build --inputs 'src/*.c'", "grep -q good src/a.c"))
    ran(book)
    source(book, a="bad")
    assert book.run("runbook").exit_code == 1
    assert book.run("runbook").exit_code == 1

    source(book, a="good")
    assert ran(book) == []


def test_tasks_without_inputs_and_outputs_always_run(built):
    built(BUILD, cell("bash always --dep build", ":"))

    assert [ran(built), ran(built)] == [["always"], ["always"]]


def test_a_question_is_not_asked_for_a_task_that_is_up_to_date(built):
    built(BUILD)
    assert ran(built) == []
    built(BUILD.replace("build", "build --confirm 'Sure?'"))
    done = built.run("runbook", "--yes", "--json")

    assert [event["event"] for event in done.events] == ["run_started", "task_finished", "run_finished"]


def test_the_folder_of_a_task_is_where_its_patterns_begin(book):
    source(book, a="a")
    book(cell("bash build --cwd src --inputs '*.c' --outputs ../out", "cat *.c > ../out"))

    assert [ran(book), ran(book)] == [["build"], []]


# What comes back


def test_captures_values_and_exit_codes_come_back(book):
    source(book, a="a")
    make = cell(
        "bash make -C text --exit-code 3 --inputs src",
        "echo said; echo key=value >> $SPRY_OUTPUT; exit 3",
    )
    use = cell(
        "bash use --dep make -I", 'echo ${captured.text} ${captured.key} > used; cp "$SPRY_UPSTREAM" upstream.json'
    )
    book(make, use)
    assert ran(book) == ["make", "use"]
    first = book.read("upstream.json")
    book.path("used").unlink()

    assert ran(book) == ["use"]
    assert book.read("used") == "said value\n"
    assert '"exit_code": 3' in first
    assert '"exit_code": 3' in book.read("upstream.json")


def test_captured_files_count_as_outputs(book):
    source(book, a="a")
    book(cell("bash make -C ./said --inputs src", "echo said"))
    assert [ran(book), ran(book)] == [["make"], []]

    book.path("said").write_text("by hand")
    assert state(book, "make") == "would run: output said changed"
    assert ran(book) == ["make"]


# What was made


def store(book):
    """The store of what tasks made."""
    (found,) = (book.place / "home").rglob("artifacts")
    return found


def test_a_missing_output_is_put_back_and_nothing_runs(built):
    before = os.stat(built.path("out/all"))
    built.path("out/all").unlink()
    built.path("out").rmdir()

    assert state(built) == "up to date: out/all would be restored"
    assert not built.has("out")
    done = built.run("runbook")
    assert "✓ build up to date: restored out/all\n" in done.stderr
    assert built.read("out/all") == "ab"
    after = os.stat(built.path("out/all"))
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert ran(built) == []


def test_what_will_be_put_back_counts_as_an_input_of_what_comes_later(book):
    book(
        cell("bash make --inputs src --outputs out.txt", "cat src/* > out.txt")
        + cell("bash use --dep make --inputs '*.txt'", "cat out.txt")
    )
    source(book, a="a")
    assert ran(book) == ["make", "use"]
    book.path("out.txt").unlink()

    told = notes(book)
    assert (told["make"], told["use"]) == ("up to date: out.txt would be restored", "up to date")
    assert state(book, "use") == "up to date"
    assert ran(book) == []


def test_a_folder_that_was_emptied_is_filled_again_and_nothing_runs(book):
    book(
        cell("bash make --outputs out", "mkdir -p out; echo made > out/all")
        + cell("bash use --dep make --inputs out", "cat out/all")
    )
    assert ran(book) == ["make", "use"]
    book.path("out/all").unlink()

    assert notes(book) == {"make": "up to date: out/all would be restored", "use": "up to date"}
    assert ran(book) == []
    assert book.read("out/all") == "made\n"


def test_an_input_that_will_be_made_anew_is_no_reason_to_run(book):
    book(
        cell("bash make --inputs src --outputs out.txt", "cat src/* > out.txt")
        + cell("bash use --dep make --inputs out.txt", "cat out.txt")
    )
    source(book, a="a")
    assert ran(book) == ["make", "use"]
    book.path("out.txt").write_text("by hand")

    told = notes(book)
    assert told["make"] == "would run: output out.txt changed"
    assert told["use"] == "may run: depends on what make leaves"
    assert ran(book) == ["make"]


TREE = cell(
    "bash make --outputs out",
    "mkdir -p out/deep/empty; echo 1 > 'out/[odd]*?'; echo 2 > out/deep/run; chmod 750 out/deep/run",
    "ln -sfn deep out/link; printf x > out/$'new\\nline'",
)


def test_a_tree_is_put_back_as_it_was(book, tmp_path):
    ran(book(TREE))
    book.path("out").rename(tmp_path / "before")
    done = book.run("runbook", "--json")

    assert [event["event"] for event in done.events] == ["run_started", "task_finished", "run_finished"]
    assert described(book.path("out")) == described(tmp_path / "before")
    assert ran(book) == []


def described(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        what = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (oct(stat.st_mode), what)
    return found


def test_what_is_still_there_is_left_alone_when_the_rest_is_put_back(book):
    ran(book(TREE))
    there, gone = book.path("out/[odd]*?"), book.path("out/deep/run")
    inode = there.stat().st_ino
    gone.unlink()

    assert ran(book) == []
    assert there.stat().st_ino == inode
    assert gone.read_text() == "2\n"


def test_nothing_is_put_back_where_something_else_makes_the_task_run(book):
    ran(book(cell("bash make --outputs one --outputs two", "echo 1 > one; echo 2 > two")))
    book.path("one").unlink()
    book.path("two").write_text("by hand")

    assert state(book, "make") == "would run: output two changed"
    assert ran(book) == ["make"]


def test_captured_files_and_files_beside_the_folder_are_put_back(book):
    source(book, a="a")
    book(cell("bash make --cwd src -C ./said --inputs '*.c' --outputs ../end", "cp a.c ../end; echo said"))
    ran(book)
    book.path("src/said").unlink()
    book.path("end").unlink()

    assert ran(book) == []
    assert (book.read("src/said"), book.read("end")) == ("said\n", "a")


def test_what_becomes_of_a_file_that_was_put_back_does_not_reach_the_store(built):
    for _ in range(2):
        built.path("out/all").unlink()
        assert ran(built) == []
        with open(built.path("out/all"), "r+") as stream:
            stream.write("X")
    built.path("out/all").unlink()

    assert ran(built) == []
    assert built.read("out/all") == "ab"


def test_a_damaged_store_is_told_and_the_task_runs(built):
    for path in (store(built) / "blobs").rglob("*"):
        if path.is_file() and path.read_bytes() == b"ab":
            path.chmod(0o600)
            path.write_bytes(b"??")
    built.path("out/all").unlink()
    done = built.run("runbook")

    assert "what build made cannot be put back, so it runs again" in done.stderr
    assert "✓ build completed" in done.stderr
    assert built.read("out/all") == "ab"


def test_without_the_store_a_missing_output_makes_the_task_run(built):
    import shutil

    shutil.rmtree(store(built))
    built.path("out/all").unlink()

    assert state(built) == "would run: output out/all is missing"
    assert ran(built) == ["build"]


def test_what_cannot_be_kept_is_told_and_made_again(book):
    book(cell("bash make --outputs out", "mkdir out; ln -s /etc out/link; touch out/file"))
    done = book.run("runbook")
    assert done.exit_code == 0
    assert "what make made is not kept, and is made again if it goes missing" in done.stderr

    assert ran(book) == []
    book.path("out/file").unlink()
    assert state(book, "make") == "would run: output out/file is missing"


def test_the_files_of_the_last_success_are_kept_and_no_others(built):
    for text in ("one", "two", "three"):
        source(built, a=text)
        ran(built)

    assert len(list((store(built) / "holds").iterdir())) == 1
    built.path("out/all").unlink()
    assert ran(built) == []
    assert built.read("out/all") == "threeb"


# Artifacts

SAVER = cell("bash make --inputs 'src/*.c' --save out", "cat src/*.c > out")
TAKER = cell("bash take --dep make --restore --outputs end", 'cat out > "$SPRY_DIR/end"')


def test_what_a_task_saved_comes_back_with_it(book):
    source(book, a="a")
    always = cell("bash always --dep make --restore", 'cat out > "$SPRY_DIR/got"')
    assert ran(book(SAVER, always)) == ["make", "always"]
    book.path("got").unlink()
    book.path("out").unlink()

    assert ran(book) == ["always"]
    assert book.read("got") == "a"
    assert ran(book) == ["always"]


def test_what_an_ancestor_saved_decides_for_a_task_that_restores_it(book):
    source(book, a="a")
    between = cell("bash between --dep make", ":")
    book(SAVER, between, TAKER.replace("--dep make", "--dep between"))
    assert ran(book) == ["make", "between", "take"]
    assert ran(book) == ["between"]

    source(book, a="b")
    assert notes(book)["take"].endswith("may run: depends on what between leaves; what make leaves")
    assert ran(book) == ["make", "between", "take"]
    assert book.read("end") == "b"


def test_a_save_of_the_same_files_runs_nobody_else(book):
    source(book, a="a")
    ran(book(SAVER, TAKER))
    source(book, a="", b="a")

    assert ran(book) == ["make"]


def test_what_is_saved_decides_also_where_nothing_is_restored(book):
    source(book, a="a")
    book(SAVER, cell("bash use --dep make --inputs src/a.c", ":"))
    assert ran(book) == ["make", "use"]
    source(book, b="b")

    assert ran(book) == ["make", "use"]


def test_the_forecast_knows_what_was_saved(book):
    source(book, a="a")
    ran(book(SAVER, TAKER))

    assert (state(book, "make"), state(book, "take")) == ("up to date", "up to date")
    assert "Up to date: 2 of 2 tasks" in book.run("status").stdout


def test_a_task_whose_saved_files_are_lost_runs(book):
    import shutil

    source(book, a="a")
    ran(book(SAVER))
    shutil.rmtree(store(book))

    assert state(book, "make") == "would run: what it saved is not kept any more"
    assert ran(book) == ["make"]


def test_tidying_keeps_what_tasks_that_are_up_to_date_made_and_saved(book):
    source(book, a="a")
    ran(book(SAVER, TAKER))
    ran(book)
    assert book.run("system", "tidy", "--keep", "0").exit_code == 0
    book.path("end").unlink()

    assert ran(book) == []
    assert book.read("end") == "a"


def test_tidying_forgets_runbooks_and_files_that_are_gone(book):
    source(book, a="a")
    book.path(".spry").mkdir()
    ran(book(BUILD, name="other.md"), "other.md")
    ran(book(BUILD.replace("out/all", "out/more")))
    book.path("other.md").unlink()
    book.path("src/a.c").unlink()
    assert len(list(book.path(".spry/artifacts/holds").iterdir())) == 2
    book.run("system", "tidy", "--keep", "0")

    database = sqlite3.connect(book.path(".spry/spry.db"))
    assert list(database.execute("SELECT book FROM successes")) == [("./Spryfile.md",)]
    assert not [path for (path,) in database.execute("SELECT path FROM files") if path.endswith(b"a.c")]
    database.close()
    assert len(list(book.path(".spry/artifacts/holds").iterdir())) == 1


# Dependencies


def pipeline(book, first="tr a-z A-Z < src/a.c > out", more=""):
    """Two tasks that are looked after, one behind the other."""
    return book(
        cell("bash one --inputs 'src/*.c' --outputs out", first),
        more,
        cell("bash two --dep one --inputs out --outputs end", "cat out > end"),
    )


def test_what_a_dependency_left_decides(book):
    source(book, a="a")
    assert ran(pipeline(book)) == ["one", "two"]
    assert ran(book) == []

    source(book, a="b")
    assert notes(book) == {
        "one": "would run: input src/a.c changed",
        "two": "may run: depends on what one leaves",
    }
    assert ran(book) == ["one", "two"]


def test_a_dependency_that_ran_and_left_the_same_runs_nothing_else(book):
    source(book, a="a")
    ran(pipeline(book))
    source(book, a="A")

    assert ran(book) == ["one"]


def test_the_definition_of_a_dependency_decides_also_where_it_leaves_the_same(book):
    source(book, a="a")
    ran(pipeline(book))
    pipeline(book, "tr '[:lower:]' '[:upper:]' < src/a.c > out")

    assert state(book, "two") == "would run: dependency one changed"
    assert ran(book) == ["one", "two"]


@pytest.mark.parametrize("leaves", ["echo $(cat x)", "echo v=$(cat x) >> $SPRY_OUTPUT"])
def test_a_dependency_that_always_runs_counts_by_what_it_left(book, leaves):
    source(book, a="a")
    book.path("x").write_text("1")
    book(cell("bash ask -C v", leaves), cell("bash use --dep ask --inputs src", ":"))
    assert ran(book) == ["ask", "use"]
    assert ran(book) == ["ask"]
    assert notes(book)["use"] == "may run: depends on what ask leaves"

    book.path("x").write_text("2")
    assert ran(book) == ["ask", "use"]


def test_a_group_stands_for_what_it_groups(book):
    source(book, a="a")
    parts = (
        cell("bash one --inputs src --outputs out", "cat src/* > out"),
        cell("bash all --dep one"),
        cell("bash use --dep all --outputs end", "cat out > end"),
    )
    assert ran(book(*parts)) == ["one", "all", "use"]
    assert ran(book) == ["all"]

    source(book, a="b")
    assert notes(book)["use"] == "may run: depends on what one leaves"
    assert ran(book) == ["one", "all", "use"]


def test_a_new_dependency_makes_a_task_run(book):
    source(book, a="a")
    ran(book(cell("bash other", ":"), cell("bash use --inputs src", ":")))
    book(cell("bash other", ":"), cell("bash use --dep other --inputs src", ":"))

    assert state(book, "use") == "would run: dependency other is new"


def test_what_is_resumed_counts_as_done(book):
    source(book, a="a")
    two = cell("bash two --dep one --inputs out --outputs end", "test -e ok; cat out > end")
    book(cell("bash one --inputs 'src/*.c' --outputs out", "cp src/a.c out"), two)
    assert book.run("runbook").exit_code == 1
    book.path("ok").touch()
    source(book, a="new")

    assert ran(book, command="resume") == ["two"]
    assert book.read("end") == "a"
    assert ran(book) == ["one", "two"]


# What is wrong


def test_inputs_that_match_nothing_keep_the_run_from_starting(book):
    book(cell("bash build --inputs 'src/*.c' --outputs out", ": > out"), cell("bash other", "touch ran"))
    done = book.run("runbook")

    assert done.exit_code == 2
    assert 'task "build" (Spryfile.md:1): --inputs src/*.c matches nothing' in done.stderr
    assert not book.has("ran")
    assert book.run("runbook", "--dry-run").exit_code == 2
    assert state(book) == "would run: it has not succeeded before"


def test_a_check_notes_inputs_that_match_nothing(book):
    book(cell("bash build --inputs 'src/*.c'", ":"), cell("bash two --dep build --inputs made", ":"))
    done = book.run("check")

    assert done.exit_code == 0
    assert "--inputs src/*.c matches nothing: a run with this task would not start" in done.stdout
    assert "--inputs made" not in done.stdout.replace("--dep build --inputs made", "")
    source(book, a="a")
    assert "note" not in book.run("check").stdout


def test_inputs_that_a_dependency_should_have_made_fail_the_task_before_it_starts(book):
    book(cell("bash one", ":"), cell("bash two --dep one --inputs made", "touch ran"))
    done = book.run("runbook", "--json")
    finished = {event["task"]: event for event in done.events if event["event"] == "task_finished"}

    assert done.exit_code == 1
    assert finished["two"]["reason"] == "artifacts"
    assert "--inputs made matches nothing" in finished["two"]["message"]
    assert not book.has("ran")


@pytest.mark.parametrize("option", [(), ("--no-history",)])
def test_outputs_that_a_success_did_not_make_fail_it(book, option):
    book(cell("bash build --outputs 'out/*.o' --outputs log --retry 2", "touch log"))
    done = book.run("runbook", "--json", *option)
    (finished,) = (event for event in done.events if event["event"] == "task_finished")

    assert done.exit_code == 1
    assert (finished["outcome"], finished["reason"]) == ("failed", "artifacts")
    assert finished["message"] == "--outputs out/*.o: the task has not made any such file"


def test_the_library_for_patterns_is_asked_for_before_anything_runs(book, monkeypatch):
    source(book, a="a")
    book(cell("bash build --inputs 'src/*.[ch]'", ":"), cell("bash other", "touch ran"))
    book.path("wcmatch.py").write_text("raise ImportError\n")
    process = book.start("runbook", env={"PYTHONPATH": f"{book.folder}:{os.getcwd()}"})
    _, errors = process.communicate()

    assert process.returncode == 3
    assert "pip install 'spry[artifacts]'" in errors.decode()
    assert not book.has("ran")


# What is told


def test_show_says_of_a_task_that_it_is_up_to_date(built):
    assert state(built) == "up to date"
    assert notes(built) == {"build": "up to date"}


def test_show_says_of_a_task_that_it_never_succeeded(book):
    source(book, a="a")

    assert state(book(BUILD)) == "would run: it has not succeeded before"


def test_show_says_nothing_of_tasks_that_always_run(book):
    assert state(book(cell("bash other", ":")), "other") == ""


def test_what_depends_on_a_value_that_nobody_gave_is_said(built):
    built(BUILD.replace("build", "build --arg version"))
    assert ran(built, "build", "--param", "version=1", command="task") == ["build"]

    assert state(built) == "may run: depends on the value of version"


def test_status_counts(built):
    assert "Up to date: 1 of 1 task\n" in built.run("status").stdout
    assert built.run("status", "--json").json["up_to_date"] == {"fresh": 1, "total": 1}

    source(built, a="new")
    assert "Up to date: 0 of 1 task\n" in built.run("status").stdout


def test_status_of_a_runbook_without_such_tasks_counts_nothing(book):
    assert "date" not in book(cell("bash other", ":")).run("status").stdout


def test_looking_writes_nothing(built):
    os.utime(built.path("src/a.c"), (1, 1))
    before = {name: found for name, found in built.everything().items() if (built.place / name).is_file()}
    built.run("show", "build")
    notes(built)
    built.run("status")

    assert {name: found for name, found in built.everything().items() if name in before} == before


# Where it is remembered


def test_another_checkout_with_the_same_history_folder_is_up_to_date(book, tmp_path):
    source(book, a="a")
    book.path(".spry").mkdir()
    ran(book(BUILD))
    book.folder.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").rename(book.folder.with_name("moved"))
    book.folder = book.folder.with_name("moved")

    assert ran(book) == []


def test_runs_at_the_same_time_disturb_nothing(book):
    source(book, a="a")
    write = "cat src/* > .out{0}.$$; mv .out{0}.$$ out{0}"  # whole at any moment, as others look at it, too
    book(*(cell(f"bash t{n} --inputs src --outputs out{n}", write.format(n)) for n in range(6)))
    processes = [book.start("runbook", "-q") for _ in range(4)]
    outcomes = [(process.communicate()[1], process.returncode) for process in processes]

    assert outcomes == [(b"", 0)] * 4
    assert ran(book) == []


def test_a_success_that_could_not_be_recorded_is_none(book):
    book(cell("bash make --outputs out", "echo 1 > out; kill -9 $PPID; sleep 9"))
    process = book.start("runbook")
    process.communicate()
    assert process.returncode != 0

    book(cell("bash make --outputs out", "echo 1 > out"))
    assert [ran(book), ran(book)] == [["make"], []]


def test_two_machines_have_one_fingerprint_for_one_content(book):
    texts = cell("bash lint --inputs src --arg v=1 --env A=b", ":"), BUILD.replace("build", "build --dep lint")
    found = []
    for number in range(2):
        top = book.place / f"machine{number}" / ("deep/" * number)
        (top / ".spry").mkdir(parents=True)
        book.folder = top
        source(book(*texts), a="a", b="b")
        os.utime(book.path("src/a.c"), (number, number))
        assert sorted(ran(book)) == ["build", "lint"]
        database = sqlite3.connect(top / ".spry/spry.db")
        found.append(list(database.execute("SELECT book, task, fingerprint FROM successes ORDER BY task")))
        database.close()

    assert found[0] == found[1]
    assert [row[:2] for row in found[0]] == [("./Spryfile.md", "build"), ("./Spryfile.md", "lint")]


def test_a_success_of_another_recipe_is_none(book):
    source(book, a="a")
    book.path(".spry").mkdir()
    ran(book(BUILD))
    database = sqlite3.connect(book.path(".spry/spry.db"), isolation_level=None)
    database.execute("UPDATE successes SET fingerprint = 'other', parts = ?, outputs = ?", (b"of another", b"recipe"))
    database.close()

    assert state(book) == "would run: its last success was recorded by another version of spry"
    assert [ran(book), ran(book)] == [["build"], []]


def test_a_damaged_history_makes_everything_run(built):
    for path in (built.place / "home").rglob("spry.db"):
        path.write_bytes(b"no database" * 1000)

    assert ran(built) == ["build"]


# Secrets


SECRET = cell("bash build --inputs 'src/*.c' --arg token:secret", ":")


def secret_run(book, value):
    done = book.run("runbook", "--json", "--param", f"token={value}")
    assert done.exit_code == 0
    return [event["event"] for event in done.events].count("task_started")


def test_secret_parameters_decide(book):
    source(book, a="a")
    book(SECRET)

    assert [secret_run(book, value) for value in ("hunter22", "hunter22", "hunter33", "hunter33")] == [1, 0, 1, 0]
    assert state(book) == "may run: depends on the value of token"
    assert notes(book, "--param", "token=hunter33")["build"] == "up to date"
    assert notes(book, "--param", "token=hunter44")["build"] == "would run: something secret changed"


def test_digests_of_secrets_are_made_with_a_key_that_is_kept_elsewhere(book):
    from spry.core.fingerprint import digest

    source(book, a="a")
    book.path(".spry").mkdir()
    secret_run(book(SECRET), "hunter22")
    data = book.path(".spry/spry.db").read_bytes()
    key = book.place / "home/.local/state/spry/key"

    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    for hidden in (b"hunter22", digest("hunter22").encode(), key.read_bytes()):
        assert hidden not in data


def test_with_another_key_a_task_with_a_secret_runs(book):
    source(book, a="a")
    secret_run(book(SECRET), "hunter22")
    (book.place / "home/.local/state/spry/key").write_bytes(b"k" * 32)

    assert secret_run(book, "hunter22") == 1


def test_a_task_that_left_a_secret_always_runs(book):
    source(book, a="a")
    front = "---\nspry: {secrets: [TOKEN]}\n---\n"
    book(front, cell("bash get -C TOKEN --inputs src", "echo hunter22"))

    assert [ran(book), ran(book)] == [["get"], ["get"]]


HUGE = 1 << 35  # bytes, all of them holes: nobody reads as much in a few seconds


def test_a_task_runs_out_of_time_while_its_inputs_are_read(book):
    huge = book(cell("bash big --inputs in --outputs out --timeout 300ms", "touch out"))
    with book.path("in").open("wb") as stream:
        stream.truncate(HUGE)

    (ended,) = [event for event in huge.run("task", "big", "--json").events if event["event"] == "task_finished"]

    assert (ended["reason"], book.has("out")) == ("timeout", False)


def test_a_task_runs_out_of_time_while_what_it_made_is_read(book):
    huge = book(cell("bash big --outputs out --timeout 1s", f"truncate -s {HUGE} out"))

    (ended,) = [event for event in huge.run("task", "big", "--json").events if event["event"] == "task_finished"]

    assert (ended["reason"], book.has("out")) == ("timeout", True)


def test_what_is_read_beside_the_run_counts_like_any_other_file(book):
    book(cell("bash big --inputs in --outputs out", "cat in in >out"))
    book.path("in").write_bytes(os.urandom(9 << 20))
    assert ran(book, "big", command="task") == ["big"]
    made = book.path("out").read_bytes()

    assert ran(book, "big", command="task") == []
    book.path("out").unlink()
    assert ran(book, "big", command="task") == []
    assert book.path("out").read_bytes() == made
    book.path("in").write_bytes(os.urandom(9 << 20))
    assert ran(book, "big", command="task") == ["big"]
    assert ran(book, "big", command="task") == []


def test_a_task_whose_large_output_is_kept_leaves_its_values_as_well(book):
    text = cell("bash big --outputs out --capture value", "head -c 9000000 /dev/zero >out; echo said")
    book(text + cell("bash after --interpolate --dep big", "echo it ${captured.value}"))

    assert [*map(len, (ran(book, "after", command="task"), ran(book, "after", command="task")))] == [2, 1]


def test_links_among_the_files_of_a_task_are_put_back_with_what_they_lead_to(book):
    book(
        cell(
            "bash lib --outputs 'lib/'",
            "mkdir -p lib/d; echo 1 >lib/so.1; ln -sfn so.1 lib/so; ln -sfn ../so lib/d/up; echo >lib/d/e",
        )
    )
    ran(book, "lib", command="task")
    book.path("lib/so").unlink()
    book.path("lib/d/up").unlink()
    assert ran(book, "lib", command="task") == []
    assert (os.readlink(book.path("lib/so")), os.readlink(book.path("lib/d/up"))) == ("so.1", "../so")
    shutil.rmtree(book.path("lib"))

    assert ran(book, "lib", command="task") == []
    assert book.read("lib/d/up") == "1\n"
    assert ran(book, "lib", command="task") == []


def test_a_link_to_what_is_no_file_of_the_task_is_made_again(book):
    book(cell("bash lib --outputs lib/so", "mkdir -p lib; echo 1 >lib/so.1; ln -sfn so.1 lib/so"))
    ran(book, "lib", command="task")
    shutil.rmtree(book.path("lib"))

    assert ran(book, "lib", command="task") == ["lib"]
