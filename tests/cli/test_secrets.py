"""Secrets: known to the tasks, and to nobody else, whatever a task does with them and wherever one looks."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from book import PRIVATE, cell
from test_terminal import Terminal

SECRET = "hunter2 horse"
TOKEN = "tok-1234/abc"
FRONT = "---\nspry:\n  secrets: [TOKEN]\n---\n"
LEAKY = cell(
    "bash leak --arg pw:secret -C kept --retry 2",
    'echo "$pw and $TOKEN"',
    'printf %s "$pw" | base64 >&2',
    'printf %s "${pw:0:7}"; printf \'%s\\n\' "${pw:7}"',
    "set -x",
    ': "$pw"',
    "exit 3",
)
GIVEN = ("--param", f"pw={SECRET}")


@pytest.fixture
def leaky(book):
    book.env["TOKEN"] = TOKEN
    return book(FRONT, LEAKY)


def leaks(text: str) -> list[str]:
    """The secrets that a text holds, as they are, quoted or encoded."""
    spelled = [SECRET, TOKEN, base64.b64encode(SECRET.encode()).decode(), json.dumps(TOKEN)[1:-1], "hunter2"]
    return [one for one in spelled if one in text]


def left(book) -> dict[str, bytes]:
    """Every file that a run has left in cache, home, scratch and the runbook's folder, the runbook itself aside."""
    tops = [*(book.place / name for name in PRIVATE), book.folder]
    files = [path for top in tops for path in top.rglob("*") if path.is_file() and path.suffix != ".md"]
    return {str(path): path.read_bytes() for path in files}


def everything_left(book) -> str:
    return "".join(data.decode("latin-1") for data in left(book).values())


@pytest.mark.parametrize(
    "options", [(), ("--json",), ("--output", "raw"), ("--output", "prefix"), ("-q",), ("-v",), ("--no-history",)]
)
def test_no_output_has_a_secret(leaky, options):
    done = leaky.run("run", *GIVEN, *options)

    assert done.exit_code == 1
    assert "***" in done.stdout + done.stderr
    assert not leaks(done.stdout + done.stderr)


def test_no_dry_run_has_a_secret(leaky):
    text, data = leaky.run("run", "-n", *GIVEN), leaky.run("run", "-n", "--json", *GIVEN)

    assert not leaks(text.stdout + text.stderr + data.stdout + data.stderr)
    assert data.json["tasks"][0]["params"] == {"pw": "***"}
    assert "pw=***" in text.stdout


def test_no_file_that_is_left_has_a_secret(leaky):
    (leaky.folder / ".spry").mkdir()
    leaky.run("run", *GIVEN)

    assert any(path.endswith(".db") or "history" in path for path in left(leaky))
    assert not leaks(everything_left(leaky))


def test_the_history_shows_no_secret(leaky):
    leaky.run("run", *GIVEN)
    run = json.loads(leaky.run("runs", "--json").stdout)[0]["run"]
    shown = [leaky.run(*argv).stdout for argv in (("logs", run), ("result", run), ("status", run, "--json"))]

    assert "***" in shown[0]
    assert not leaks("".join(shown))


def test_show_hides_secrets_written_in_the_runbook(book):
    book(
        "---\nspry:\n  secrets: [TOKEN]\n  env: {TOKEN: tok-1234/abc}\n---\n",
        cell('bash t --arg "pw:secret=hunter2 horse"', "curl -u hunter2\\ horse tok-1234/abc"),
    )
    done = book.run("show", "t")

    assert "curl -u *** ***" in done.stdout
    assert not leaks(done.stdout)


def test_a_dependent_gets_the_real_value_of_a_capture(book):
    book(
        cell("bash ask --arg pw:secret -C key", 'echo "key $pw"'),
        cell(
            "bash use --dep ask --arg pw:secret -I",
            '[ "${captured.key}" = "key $pw" ] && grep -q "key $pw" "$SPRY_UPSTREAM" && echo same',
        ),
    )
    done = book.run("run", *GIVEN)

    assert "same\n" in done.stdout
    assert not leaks(done.stdout + done.stderr + everything_left(book))


def test_what_left_a_secret_runs_again_when_resumed(book):
    book(
        cell("bash ask --arg pw:secret -C key", 'echo "$pw"; echo x >> asked'),
        cell("bash plain -C other", "echo fine; echo x >> plained"),
        cell("bash use --dep ask --dep plain -I", '[ -e go ] && [ "${captured.key}" = "hunter2 horse" ]'),
    )
    book.run("run", *GIVEN)
    book.path("go").touch()
    done = book.run("resume", *GIVEN)

    assert done.exit_code == 0
    assert (book.read("asked"), book.read("plained")) == ("x\nx\n", "x\n")


def test_a_run_that_was_given_a_secret_in_an_argument_is_not_resumed_without_it(leaky):
    leaky.run("task", "leak", *GIVEN, "--", f"--key={SECRET}")
    done = leaky.run("resume", *GIVEN)

    assert not leaks(everything_left(leaky))
    assert done.exit_code == 2
    assert "holds a secret" in done.stderr


@pytest.mark.parametrize(
    ("written", "value"),
    [("two words\n", "two words"), ("a b c d\r\n\n", "a b c d"), (" blanks around ", " blanks around ")],
)
def test_a_secret_is_read_from_a_file(book, written, value):
    book(cell("bash t --arg pw:secret", 'printf %s "$pw" > told')).path("key").write_bytes(written.encode())
    done = book.run("run", "--param", "pw=@key")

    assert done.exit_code == 0
    assert book.read("told") == value


def test_two_at_signs_are_one(book):
    book(cell("bash t --arg pw:secret", 'printf %s "$pw" > told')).run("run", "--param", "pw=@@handle")

    assert book.read("told") == "@handle"


def test_other_parameters_keep_their_at_sign(book):
    done = book(cell("bash t --arg who", 'echo "$who"')).run("run", "--param", "who=@ada")

    assert done.stdout.startswith("@ada\n")


def test_a_secret_file_that_is_not_there_runs_nothing(book):
    done = book(cell("bash t --arg pw:secret", "touch ran")).run("run", "--param", "pw=@none")

    assert done.exit_code == 2
    assert 'parameter "pw": none: no such file or directory' in done.stderr
    assert not book.has("ran")


def test_a_missing_secret_without_a_terminal_runs_nothing(book):
    done = book(cell("bash t --arg pw:secret", "touch ran")).run("run")

    assert done.exit_code == 2
    assert "--param pw=@FILE" in done.stderr
    assert not book.has("ran")


def test_a_missing_secret_is_asked_for_and_not_shown(book):
    terminal = Terminal(book(cell("bash t --arg pw:secret", 'printf %s "$pw" > told')), "run")
    terminal.until("pw (not shown): ")
    terminal.type(f"{SECRET}\n")
    seen = terminal.end()

    assert book.read("told") == SECRET
    assert not leaks(seen)


def test_a_task_with_the_terminal_shows_no_secret(book):
    book.env["TOKEN"] = TOKEN
    book(FRONT, cell("bash t --interactive", 'read -rp "sure? $TOKEN " word', 'echo "$word: ${TOKEN:0:3}${TOKEN:3}"'))
    terminal = Terminal(book, "run")
    terminal.until("sure? ")
    terminal.type("yes\n")
    seen = terminal.end()

    assert "yes: ***" in seen
    assert not leaks(seen)


def test_no_process_has_a_secret_in_its_arguments(book):
    book(
        cell("bash wait --arg pw:secret -I", 'echo "${param.pw}" > /dev/null; echo go > ready; read < hold'),
        cell(
            "python text --arg pw:secret -I", 'held = "${param.pw}"; open("begun", "w").write("x"); open("held").read()'
        ),
    )
    ready, hold, begun, held = (book.fifo(name) for name in ("ready", "hold", "begun", "held"))
    process = book.start("run", "-j", "2", "--env", "A=1", *GIVEN)
    ready.read_bytes()
    begun.read_bytes()
    own = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    lines = [own]
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (
                b"SPRY_TASK=" in (entry / "environ").read_bytes()
                and SECRET.encode() in (entry / "environ").read_bytes()
            ):
                lines.append((entry / "cmdline").read_bytes())
        except OSError:
            continue
    hold.write_bytes(b"\n")
    held.write_bytes(b"\n")
    process.communicate()

    assert process.returncode == 0
    assert len(lines) >= 3
    assert b"pw=*************\0" in own
    assert not [line for line in lines if b"hunter2" in line]


def test_what_was_held_back_comes_at_the_end_of_each_attempt(book):
    book(cell("bash t --arg pw:secret --retry 2", 'printf "the hunt"; printf "a hunter" >&2; exit 1'))
    done = book.run("run", "--json", *GIVEN)
    told = ["".join(e["text"] for e in done.events if e.get("stream") == name) for name in ("stdout", "stderr")]
    kinds = [event["event"] for event in done.events]

    assert told == ["the hunt" * 2, "a hunter" * 2]
    assert kinds.index("task_retrying") > kinds.index("task_output")
    assert kinds[-2:] == ["task_finished", "run_finished"]


def test_a_short_secret_is_named_and_not_masked(book):
    done = book(cell("bash t --arg pin:secret", 'echo "room 1234"')).run("run", "--param", "pin=1234")

    assert "the value of pin has less than 6 characters: it is not masked" in done.stderr
    assert "1234" not in done.stderr
    assert done.stdout.startswith("room 1234\n")


def test_a_short_secret_is_hidden_in_a_dry_run(book):
    done = book(FRONT, cell("bash t --arg pin:secret", ":")).run(
        "run", "-n", "--param", "pin=1234", "--env", "TOKEN=abcde"
    )

    assert "1234" not in done.stdout
    assert "abcde" not in done.stdout


@pytest.mark.parametrize(
    ("front", "fence"),
    [
        ("  env: {TOKEN: tok-1234/abc}\n", ""),
        ("  env_file: tokens\n", ""),
        ("", "--env-file tokens"),
        ("", "--env TOKEN=tok-1234/abc"),
        ("", "--dep cell"),
    ],
)
def test_a_secret_is_one_wherever_its_value_comes_from(book, front, fence):
    book.path("tokens").write_text(f"TOKEN={TOKEN}\n")
    book(
        f"---\nspry:\n  secrets: [TOKEN]\n{front}---\n",
        cell("env cell -C text", f"TOKEN={TOKEN}"),
        cell(f"bash t {fence}", 'echo "got $TOKEN"'),
    )
    done = book.run("task", "t")

    assert done.stdout.startswith("got ***\n")
    book.path("tokens").unlink()
    history = [data for path, data in left(book).items() if "plans" not in path]
    assert not leaks(b"".join(history).decode("latin-1"))


def test_a_parameter_that_the_front_matter_calls_secret_is_one(book):
    book("---\nspry:\n  secrets: [api-key]\n---\n", cell("bash t --arg api-key", 'echo "$api_key"'))
    done = book.run("run", "--param", f"api-key={SECRET}")

    assert done.stdout.startswith("***\n")
    assert not leaks(everything_left(book))


@pytest.mark.parametrize("line", ["pw", "no equals sign, $pw", "a key with $pw=1", "x<<END\n$pw"])
def test_an_error_has_no_part_of_a_secret(book, line):
    long = "s3cret-" * 20
    book(cell("bash t --arg pw:secret", f'printf "%s\\n" "{line}" >> "$SPRY_OUTPUT"'))
    done = book.run("run", "--param", f"pw={long}")

    assert done.exit_code == 1
    assert "SPRY_OUTPUT" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_a_wrong_variable_is_named_without_its_value(book):
    done = book(cell("bash t", ":")).run("run", "--env", f"MY-TOKEN={TOKEN}")

    assert done.exit_code == 2
    assert not leaks(done.stderr)


def test_files_of_a_run_are_for_nobody_else(book):
    os.umask(0o022)
    book.path(".spry").mkdir(0o700)
    listing = 'find "$(dirname "$SPRY_OUTPUT")" "$TMPDIR" -printf "%m %y %p\\n"'
    book(cell("bash f -C ./kept.txt", f"f() {{ {listing}; }}; f"))
    done = book.run("run")
    modes = [line.split(" ", 2) for line in book.read("kept.txt").splitlines() if "/spry-" in line]
    own = [path for top in ("cache", "home", "book/.spry") for path in (book.place / top).rglob("*")]

    assert done.exit_code == 0
    assert {(mode, kind) for mode, kind, _ in modes} <= {("700", "d"), ("600", "f"), ("600", "p")}
    assert len(modes) >= 3
    assert not [str(path) for path in own if stat.S_IMODE(path.lstat().st_mode) & 0o077 and path.name not in TREES]
    assert stat.S_IMODE(book.path("kept.txt").stat().st_mode) == 0o644


TREES = {"spry", ".local", "state"}  # folders of the user's that we only pass through


def test_a_database_can_be_read_without_a_secret_in_it(leaky):
    (leaky.folder / ".spry").mkdir()
    leaky.run("run", *GIVEN)
    (path,) = leaky.path(".spry").glob("*.db")
    with closing(sqlite3.connect(path)) as connection:
        dump = "\n".join(connection.iterdump())

    assert "leak" in dump
    assert not leaks(dump)


def test_what_is_captured_under_the_name_of_a_secret_is_one(book):
    book(
        FRONT,
        cell("bash fetch -C TOKEN", f"echo {TOKEN}", "echo fetching >&2"),
        cell("bash use --dep fetch -I", 'echo "with ${captured.TOKEN}"'),
        cell("bash other --dep use", 'cat "$SPRY_UPSTREAM" > /dev/null', f"echo {TOKEN}; exit 1"),
    )
    done = book.run("task", "other", "--output", "raw")

    assert done.stdout == "***\nwith ***\n***\n"
    assert "fetching" in done.stderr
    book.path("Spryfile.md").unlink()
    assert not leaks(
        done.stderr + "".join(data.decode("latin-1") for path, data in left(book).items() if "plans" not in path)
    )


def test_what_is_handed_over_under_the_name_of_a_secret_is_one(book):
    book(
        FRONT,
        cell("bash fetch", 'echo "TOKEN=tok-$((1000 + 234))/abc" >> "$SPRY_OUTPUT"'),
        cell("bash use --dep fetch -I", 'echo "with ${captured.TOKEN}"; exit 1'),
    )
    done = book.run("task", "use")

    assert done.stdout.startswith("with ***\n")
    assert not leaks(done.stdout + done.stderr + everything_left(book))


def test_a_short_secret_that_was_captured_is_not_written_down(book):
    book(
        "---\nspry:\n  secrets: [PIN]\n---\n", cell("bash ask -C PIN", "echo $((1230 + 4))"), cell("bash no", "exit 1")
    )
    done = book.run("run")

    assert "the value of PIN has less than 6 characters" in done.stderr
    assert "1234" not in done.stdout + everything_left(book)


def test_no_script_with_a_short_secret_is_an_argument(book):
    book(
        cell(
            "python t --arg pin:secret -I",
            'import sys; open("line", "wb").write(open("/proc/self/cmdline", "rb").read())',
            'x = "${param.pin}"',
        )
    )
    done = book.run("run", "--param", "pin=q7z")

    assert done.exit_code == 0
    assert "q7z" not in book.read("line")


def test_a_value_of_the_wrong_type_is_not_quoted_if_it_is_secret(book):
    book("---\nspry:\n  secrets: [pin]\n---\n", cell("bash t --arg pin:int", ":"))
    done, dry = book.run("run", "--param", f"pin={SECRET}"), book.run("run", "-n", "--param", f"pin={SECRET}")

    assert done.exit_code == dry.exit_code == 2
    assert 'parameter "pin": expected' in done.stderr
    assert not leaks(done.stderr + dry.stdout + dry.stderr)


def test_a_value_without_a_name_is_not_quoted(book):
    done = book(cell("bash t --arg pw:secret", ":")).run("run", "--param", f"={SECRET}")

    assert done.exit_code == 2
    assert not leaks(done.stderr)


def test_a_secret_with_a_nul_byte_runs_nothing(book):
    book(cell("bash t --arg pw:secret", "touch ran")).path("key").write_bytes(b"hunter2\0horse")
    done = book.run("run", "--param", "pw=@key")

    assert done.exit_code == 2
    assert "NUL" in done.stderr
    assert not leaks(done.stderr)
    assert not book.has("ran")


def test_a_secret_of_any_bytes_is_masked(book):
    book(cell("bash t --arg pw:secret", 'printf %s "$pw"; printf %s "$pw" | base64; printf %s "$pw" > told'))
    book.path("key").write_bytes(b"\xff\xfe\x01binary\x80")
    done = book.run("run", "--param", "pw=@key", "--output", "raw")

    assert book.path("told").read_bytes() == b"\xff\xfe\x01binary\x80"
    assert done.stdout == "******\n"


def test_an_empty_secret_masks_nothing(book):
    done = book(cell("bash t --arg pw:secret", 'echo "none: <$pw>"')).run("run", "--param", "pw=")

    assert done.exit_code == 0
    assert done.stdout.startswith("none: <>\n")
    assert "masked" not in done.stderr


def test_colours_in_the_midst_of_a_secret_do_not_show_it(book):
    book(
        cell(
            "bash t --arg pw:secret",
            'echo "$pw" | grep --color=always hunter; printf "\\033[1mhun\\033[0mter2 horse\\n"',
        )
    )
    for options in ((), ("--output", "raw"), ("--json",)):
        done = book.run("run", *GIVEN, *options)

        assert done.stdout.count("***") == 2
        assert "ter2" not in done.stdout


def test_a_dry_run_hides_a_secret_that_its_lines_would_break(book):
    book("---\nspry:\n  secrets: [TOKEN]\n---\n", cell("bash t", "curl --oauth tok-1234/abc"))
    terminal = Terminal(book, "run", "-n", columns=24, env={"TOKEN": TOKEN})
    seen = terminal.end()

    assert "--oauth ***" in seen
    assert not leaks(seen)


def test_a_pause_in_a_prompt_shows_all_that_gives_nothing_away(book):
    book(cell("bash t --arg pw:secret --interactive", 'printf "Enter hu"; read -r word; echo "$word!"'))
    terminal = Terminal(book, "run", *GIVEN)
    terminal.until("Enter hu")
    terminal.type("y\n")
    seen = terminal.end()

    assert "y!" in seen


def test_what_is_held_back_comes_after_a_while_though_its_task_runs_on(book):
    gate = book.fifo("gate")
    book(cell("bash t --arg pw:secret", 'printf "so far: hu"; read < gate; printf "nter2 horse"'))
    process = book.start("run", "--output", "raw", *GIVEN)
    seen = b""
    while not seen.endswith(b"hu"):
        seen += os.read(process.stdout.fileno(), 100)
    gate.write_bytes(b"\n")
    rest, _ = process.communicate()

    assert seen == b"so far: hu"
    assert rest.startswith(b"***")


def test_a_run_is_resumed_with_its_secrets_given_again_or_not_at_all(book):
    book(cell("bash t --arg pw:secret", '[ -e go ] && [ "$pw" = "hunter2 horse" ]'))
    book.run("run", *GIVEN)
    book.path("go").touch()
    without, with_it = book.run("resume"), book.run("resume", *GIVEN)

    assert without.exit_code == 2
    assert "--param pw=@FILE" in without.stderr
    assert with_it.exit_code == 0


def test_a_secret_is_asked_for_again_when_a_run_is_resumed(book):
    book(cell("bash t --arg pw:secret", '[ -e go ] && [ "$pw" = "hunter2 horse" ]'))
    book.run("run", *GIVEN)
    book.path("go").touch()
    terminal = Terminal(book, "resume")
    terminal.until("pw (not shown): ")
    terminal.type(f"{SECRET}\n")
    seen = terminal.end()

    assert terminal.process.returncode == 0
    assert not leaks(seen)


def test_a_question_shows_no_secret(book):
    book(FRONT, cell('bash t --confirm "send tok-1234/abc away?"', "echo sent"))
    terminal = Terminal(book, "run", env={"TOKEN": TOKEN})
    terminal.until("send *** away?")
    terminal.type("y\n")

    assert not leaks(terminal.end())
