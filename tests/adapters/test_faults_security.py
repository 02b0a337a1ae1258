"""Faults and attacks: what a runbook, its values and its output could do to whoever runs it, case by case."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from urllib.parse import quote, quote_plus

import pytest
from book import ROOT, Book, cell
from test_terminal import Terminal, plain

SECRET = 'correct "horse"/battery+staple'
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBAQEFAASCBKcwggSjAgEAAo\n-----END KEY-----"
HOSTILE = [
    "$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "'; touch pwned; '", "; touch pwned", "& touch pwned &",
    "| touch pwned", "\ntouch pwned\n", "\nEOF\ntouch pwned\n", "${x:-$(touch pwned)}", "$((a[$(touch pwned)]))",
    ")); touch pwned; ((", "]]; touch pwned; [[", "<(touch pwned)", "() { :; }; touch pwned", "-e\\ntouch pwned",
]  # fmt: skip
PRIVATE = ("cache", "home", "tmp", "book")


@pytest.fixture
def book(tmp_path, forks):
    opened = Book(tmp_path, forks)
    yield opened
    opened.close()


def given(book, **secrets):
    """Options that give a run these secrets, by way of files outside of all that is searched afterwards."""
    folder = book.place / "given"
    folder.mkdir(exist_ok=True)
    for name, value in secrets.items():
        (folder / name).write_text(value)
    return [word for name in secrets for word in ("--param", f"{name}=@{folder / name}")]


def left(book) -> str:
    """Everything that is in a file of the folder, of cache, home or scratch; the compiled runbook aside."""
    files = [path for top in PRIVATE for path in (book.place / top).rglob("*") if path.is_file()]
    kept = [path for path in files if "plans" not in path.parts and path.suffix != ".md"]
    return "\n".join(path.read_bytes().decode("latin-1") for path in kept)


@pytest.mark.parametrize(
    "body", ['printf %s "$value" > told', 'printf %s "${param.value}" > told', "printf %s ${param.value} > told"]
)
def test_case_88_a_parameter_is_never_executed(book, body):
    book(cell("bash t --arg value -I", body))
    exits = [book.run("run", "--param", f"value={value}").exit_code for value in HOSTILE]

    assert exits == [0] * len(HOSTILE)
    assert not book.has("pwned")


def test_case_88_a_parameter_arrives_as_it_was_given(book):
    book(cell("bash t --arg value -I", 'printf %s "$value" > plain; printf %s "${param.value}" > inserted'))
    arrived = []
    for value in HOSTILE:
        book.run("run", "--param", f"value={value}")
        arrived.append((book.read("plain"), book.read("inserted")))

    assert arrived == [(value, value) for value in HOSTILE]


def test_case_88_braces_that_name_no_partial_are_no_way_in(book):
    done = book(cell("bash t --arg value -I", "echo '{{value}}'")).run("run", "--param", "value=$(touch pwned)")

    assert done.exit_code == 2
    assert "{{value}}" in done.stderr
    assert not book.has("pwned")


def test_case_89_a_runbook_from_stdin_needs_somebody_who_says_yes(book):
    text = cell("bash t", "touch ran").encode()
    refused = book.run("run", "-f", "-", stdin=text)
    ran_without = book.has("ran")
    agreed = book.run("run", "-f", "-", "-y", stdin=text)

    assert (refused.exit_code, ran_without) == (2, False)
    assert (agreed.exit_code, book.has("ran")) == (0, True)


STRANGE = {
    "of another user": (True, 0o644, False, 2),
    "of another user, by a link of ours": (True, 0o644, True, 2),
    "of ours, open to all": (False, 0o666, False, 2),
    "of ours, open to all, by a link": (False, 0o666, True, 2),
    "of ours": (False, 0o644, False, 0),
    "of ours, by a link": (False, 0o644, True, 0),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("command", ["run", "task", "runbook"])
def test_case_89_whose_runbook_is_run_without_a_question(book, kind, command):
    is_strange, mode, is_linked, code = STRANGE[kind]
    path = book.place / "other.md"
    path.write_text(cell("bash t", "touch ran"))
    path.chmod(mode)
    os.chown(path, 54321 if is_strange else os.geteuid(), -1)
    (book.folder / ".git").mkdir()
    if is_linked:
        book.path("link.md").symlink_to(path)
    words = ("t",) if command == "task" else ()
    done = book.run(command, *words, "-f", "link.md" if is_linked else str(path))

    assert done.exit_code == code, done.stderr
    assert ((book.place / "ran").exists() or book.has("ran")) is (code == 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_case_89_a_file_that_became_a_strangers_is_not_resumed(book):
    path = book.place / "other.md"
    path.write_text(cell("bash t", "echo x >> ran; exit 1"))
    (book.folder / ".git").mkdir()
    book.run("run", "-f", str(path))
    os.chown(path, 54321, -1)
    done = book.run("resume", "-f", str(path))

    assert done.exit_code == 2
    assert (book.place / "ran").read_text() == "x\n"


WATCHED = """\
import os, sys
os.write(2, b"")
def refuse(event, args):
    if event in ("os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.system", "subprocess.Popen", "pty.spawn"):
        os.write(2, b"EXECUTED " + event.encode() + b" " + ascii(args).encode() + b"\\n")
        os._exit(99)
sys.addaudithook(refuse)
from spry.cli.main import main
main(sys.argv[1:])
"""
LOOKS = [
    ("ls",), ("ls", "--json"), ("show", "t"), ("check",), ("check", "--format", "json"), ("dag",),
    ("dag", "--format", "svg"), ("run", "-n"), ("run", "-n", "--json"), ("run", "--show-dag"), ("runs",), ("--help",),
]  # fmt: skip


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_case_90_looking_executes_nothing(book, look):
    traps = book.place / "traps"
    traps.mkdir()
    for name in ("bash", "sh", "env", "git", "python3", "touch", "make", "less", "cat"):
        (traps / name).write_text(f"#!/bin/sh\n: > {book.place}/pwned\n")
        (traps / name).chmod(0o755)
    book(
        "---\ntitle: $(touch pwned)\nspry:\n  env: {A: $(touch pwned), B: '`touch pwned`'}\n---\n",
        cell(
            "bash t --env 'C=$(touch pwned)' --descr '$(touch pwned)' --arg 'p=$(touch pwned)' -I", 'echo "${param.p}"'
        ),
        cell("env lent", "D=plain"),
        cell("python u --dep t --dep lent", "open('pwned', 'w')"),
    )
    env = {**book.env, "PATH": f"{traps}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "PAGER": "less"}
    argv = [sys.executable, "-c", WATCHED, *look]
    done = subprocess.run(argv, cwd=book.folder, env=env, capture_output=True, text=True, check=False)

    assert "EXECUTED" not in done.stderr
    assert done.returncode in {0, 2}
    assert not (book.place / "pwned").exists()
    assert not book.has("pwned")


def test_case_90_the_trap_would_tell_of_a_run(book):
    book(cell("bash t", "true"))
    env = {**book.env, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", WATCHED, "run"]
    done = subprocess.run(argv, cwd=book.folder, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 99
    assert "EXECUTED" in done.stderr


def test_case_91_what_is_asked_about_is_what_would_run_now(book):
    for line in ("echo harmless", "echo edited since; touch ran"):
        source, into = os.pipe()
        os.write(into, cell("bash t", line).encode())
        os.close(into)
        terminal = Terminal(book, "run", "-f", "-", stdin=source)
        os.close(source)
        terminal.until("Run it? [y/N] ")
        terminal.type("n\n")
        seen = plain(terminal.end())

        assert line in seen
        assert terminal.process.returncode == 2
        assert not book.has("ran")


def spelled(secret: str) -> list[str]:
    """How a secret could be read back from what is left."""
    data = secret.encode()
    alignments = [base64.b64encode(b"x" * before + data + b"y")[4:-4].decode() for before in range(3)]
    lines = [line for line in secret.split("\n") if len(line) >= 8]
    encoded = [data.hex(), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], shlex.quote(secret)[1:-1]]
    return [*alignments, *lines, *encoded]


PYTHON = (
    'import json, os, shlex, urllib.parse as url; pw = os.environ["pw"]; '
    "print(json.dumps(pw), shlex.quote(pw), url.quote(pw), url.quote_plus(pw), repr(pw))"
)
NOISY = cell(
    "bash noisy --arg pw:secret --arg key:secret -C kept --retry 2 -I",
    'echo "$pw"; printf "%s\\n" "$key"; env; export -p',
    'for before in "" x xy; do printf %s "$before$pw" | base64; done',
    'printf %s "$pw" | od -An -tx1 | tr -d " \\n"',
    f"python3 -c '{PYTHON}'",
    'for ((at = 0; at < ${#pw}; at++)); do printf %s "${pw:at:1}"; done; echo',
    'set -x; : "$pw" "$key" "${param.pw}"; set +x',
    'echo "$pw" >> "$SPRY_OUTPUT"',
)


def test_case_92_no_spelling_of_a_secret_is_told_or_kept(book):
    told = []
    for options in ((), ("--json",), ("--output", "raw", "-v")):
        done = book(NOISY).run("run", *options, *given(book, pw=SECRET, key=KEY))
        told += [done.stdout, done.stderr]
    everything = "\n".join(told) + left(book)

    assert "***" in everything
    assert [one for secret in (SECRET, KEY) for one in spelled(secret) if one in everything] == []


def test_case_92_a_secret_that_comes_in_pieces_is_masked(book):
    random = Random(92)
    cuts = [random.randint(1, len(SECRET) - 1) for _ in range(20)]
    lines = "; ".join(f'printf %s "${{pw:0:{cut}}}"; sleep 0.01; printf "%s\\n" "${{pw:{cut}}}"' for cut in cuts)
    done = book(cell("bash t --arg pw:secret", lines)).run("run", "--output", "raw", *given(book, pw=SECRET))

    assert done.stdout == "***\n" * 20


def test_case_92_a_short_secret_is_named(book):
    done = book(cell("bash t --arg pw:secret", "true")).run("run", *given(book, pw="abc"))

    assert "the value of pw has less than 6 characters: it is not masked" in done.stderr


def test_case_93_no_trace_of_a_secret_in_database_logs_reports_and_listings(book):
    (book.folder / ".spry").mkdir()
    book(NOISY).run("run", "-v", *given(book, pw=SECRET, key=KEY))
    run = book.run("runs", "--json").json[0]["run"]
    shown = [
        book.run(*argv)
        for argv in (("runs",), ("logs", run), ("result", run), ("result", run, "--json"), ("status", run, "--json"))
    ]
    (database,) = book.path(".spry").glob("*.db")
    with closing(sqlite3.connect(database)) as connection:
        dump = "\n".join(connection.iterdump())
    everything = "\n".join([dump, left(book), *(done.stdout + done.stderr for done in shown)])

    assert "noisy" in dump
    assert "***" in shown[1].stdout
    assert [one for secret in (SECRET, KEY) for one in spelled(secret) if one in everything] == []


def test_case_93_an_error_tells_no_secret(book):
    faults = [
        cell("bash t --arg pw:secret", 'echo "$pw" >> "$SPRY_OUTPUT"'),
        cell("bash t --arg pw:secret --confirm really -I", "echo ${captured.none}${param.pw}"),
        cell("bash t --arg pw:secret", 'cat "/none/$pw"; "$pw"; kill -TERM $$'),
        cell("bash t --arg pw:secret --interpreter no-such-program", "true"),
    ]
    for text in faults:
        done = book(text).run("run", "-y", *given(book, pw=SECRET))

        assert done.exit_code != 0
        assert [one for one in spelled(SECRET) if one in done.stdout + done.stderr + left(book)] == []


def test_case_94_secrets_are_in_no_argument_and_files_are_for_nobody_else(book):
    os.umask(0o022)
    (book.folder / ".spry").mkdir(0o700)
    ready, gate = book.fifo("ready"), book.fifo("gate")
    book(
        cell("bash a --arg pw:secret -I", 'f() { echo "${param.pw}"; }; f; echo x > ready; read < gate'),
        cell(
            "python b --dep a --arg pw:secret -I",
            'text = """${param.pw}"""; open("ready", "w").write("x"); open("gate").read()',
        ),
    )
    process = book.start("run", "--param", f"pw={SECRET}")
    arguments, modes = [], {}
    for _ in range(2):
        ready.read_bytes()
        arguments += [(path, _bytes(path)) for path in Path("/proc").glob("[0-9]*/cmdline")]
        for top in ("tmp", "cache", "home", "book/.spry"):
            modes |= {path: stat.S_IMODE(path.lstat().st_mode) for path in (book.place / top).rglob("*")}
        gate.write_text("\n")
    process.communicate()
    passed = {"home": {".local", "state", "spry"}, "cache": {"spry"}}
    own = {
        path: mode
        for path, mode in modes.items()
        if path.name not in passed.get(path.relative_to(book.place).parts[0], ())
    }

    assert process.returncode == 0
    assert [path for path, line in arguments if SECRET.encode() in line and path.parent.name != str(os.getpid())] == []
    assert any(SECRET in path.read_text("latin-1") for path in own if path.is_file()) is False  # scripts are gone
    assert [str(path) for path, mode in own.items() if mode & 0o077] == []
    assert len(own) > 5


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_every_case_of_the_page_has_its_test():
    page = (ROOT / "docs" / "reference" / "faults.md").read_text("utf-8")
    section = page.partition("## Security\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \|.*\| (`test_.*`) \|$", section, re.MULTILINE)
    named = {name for _, cell in rows for name in re.findall(r"`(test_\w+)`", cell)}
    defined = {name for name in globals() if name.startswith("test_case_")}

    assert {number for number, _ in rows} == {str(number) for number in range(88, 95)}
    assert named <= defined
