"""What a task leaves to others: values, files, `$SPRY_OUTPUT`, `$SPRY_UPSTREAM`, and the text it interpolates."""

from __future__ import annotations

import json

import pytest
from book import Book, cell


def told(done, task: str) -> str:
    """What one task wrote to stdout, of a run with `--json`."""
    assert done.exit_code == 0, done
    events = [event for event in done.events if event["event"] == "task_output" and event["stream"] == "stdout"]
    return "".join(event["text"] for event in events if event["task"] == task)


def test_a_captured_value_makes_its_task_a_dependency(book):
    done = book(
        cell("bash uses -I", 'echo "got ${captured.word}"'),
        cell("bash makes -C word", "echo hello"),
    ).run("task", "uses", "--json")

    assert told(done, "uses") == "got hello\n"
    assert list(done.outcomes) == ["makes", "uses"]


def test_a_bare_capture_is_kept_under_the_name_of_its_task(book):
    done = book(cell("bash word -C", "echo hello"), cell("bash t -I", "echo ${captured.word}")).run(
        "task", "t", "--json"
    )

    assert told(done, "t") == "hello\n"


@pytest.mark.parametrize("suffix", [".text()", ".trim()", ".text().trim()"])
def test_the_original_spelling_of_a_capture_is_understood(book, suffix):
    done = book(cell("bash a -C word", "echo hello"), cell("bash t -I", f'echo "${{captured.word{suffix}}}"')).run(
        "task", "t", "--json"
    )

    assert told(done, "t") == "hello\n"


def test_a_capture_loses_its_last_newlines_and_nothing_else(book):
    done = book(
        cell("bash a -C k", r"printf '\n a  b\n\n\n'"),
        cell("bash t -I", 'printf "<%s>" "${captured.k}"'),
    ).run("task", "t", "--json")

    assert told(done, "t") == "<\n a  b>"


VALUES = [
    "$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "', "a\nb && touch pwned", "*", "~", "\\",
    "é€",
    "${HOME}", "--flag", " lead",
]  # fmt: skip
PLACES = {
    "quoted": "printf '%s\\n' \"${captured.NAME}\"",
    "assigned": "x=${captured.NAME}\nprintf '%s\\n' \"$x\"",
    "here-document": "cat <<END\n${captured.NAME}\nEND",
}


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory, forks):
    """Every value in every place, in one run; the folder and what the run left."""
    made = Book(tmp_path_factory.mktemp("everywhere"), forks)
    for number, value in enumerate(VALUES):
        made_of = cell(f"bash a{number} -C k{number}", "cat <<'END'", value, "END")
        uses = [
            cell(f"bash {name}{number} -I", script.replace("NAME", f"k{number}")) for name, script in PLACES.items()
        ]
        made(*([made.read("Spryfile.md")] if number else []), made_of, *uses)
    return made, made.run("runbook", "--json")


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("place", PLACES)
def test_a_value_is_data_wherever_it_stands(everywhere, value, place):
    book, done = everywhere

    assert told(done, f"{place}{VALUES.index(value)}") == f"{value}\n"
    assert not book.has("pwned")


def test_a_value_without_quotes_is_split_as_a_variable_is_and_never_executed(book):
    done = book(
        cell("bash a -C k", "echo '$(touch pwned) `touch pwned`; touch pwned'"),
        cell("bash t -I", "printf '<%s>' ${captured.k}"),
    ).run("task", "t", "--json")

    assert told(done, "t") == "<$(touch><pwned)><`touch><pwned`;><touch><pwned>"
    assert not book.has("pwned")


def test_an_interpreter_that_is_no_shell_gets_the_text_itself(book):
    done = book(
        cell("bash a -C k", "echo 40"),
        cell("python t -I --descr x", "print(${captured.k} + 2)"),
        cell("bash page -I", "#!/usr/bin/env -S cat", "# value: ${captured.k}"),
    ).run("runbook", "--json")

    assert told(done, "t") == "42\n"
    assert told(done, "page").endswith("# value: 40\n")


def test_environment_and_parameters_are_interpolated_too(book):
    done = book(cell("bash t -I --env A=1 --arg who", "echo ${env.A} ${env.B} ${param.who}")).run(
        "task", "t", "--env", "B=2", "--param", "who=me you", "--json"
    )

    assert told(done, "t") == "1 2 me you\n"


@pytest.mark.parametrize(
    ("script", "column", "message"),
    [
        ("echo '${captured.k}'", 7, ""),
        ("cat <<'END'\n${captured.k}\nEND", 1, ""),
        ("echo $!{captured.k}", 6, ""),
        ("echo {{nothing}}", 6, "nothing"),
    ],
)
def test_an_expression_that_cannot_be_safe_is_refused_at_its_column(book, script, column, message):
    done = book(cell("bash a -C k", "touch ran"), cell("bash t -I", script)).run("task", "t")
    line = 6 + script.split("{")[0].count("\n")

    assert done.exit_code == 2
    assert f"Spryfile.md:{line}:{column}: Error:" in done.stderr
    assert message in done.stderr
    assert not book.has("ran")


def test_a_partial_is_text_to_include(book):
    done = book(
        cell("bash PARTIAL greeting", 'echo "hello $1"'),
        cell("bash t -I", "{{greeting}}", "echo end"),
    ).run("task", "t", "--", "you")

    assert done.stdout == "hello you\nend\n"


def test_injected_partials_stand_before_or_after_by_weight_and_never_before_a_shebang(book):
    done = book(
        cell("bash PARTIAL second --inject '*' --weight 2", "echo 2"),
        cell("bash PARTIAL first --inject '*' --weight 1", "echo 1"),
        cell("bash PARTIAL last --inject 't' --append", "echo 9"),
        cell("bash PARTIAL never --inject '*' --inject '!t'", "echo never"),
        cell("bash t -J", "#!/usr/bin/env bash", "echo body"),
        cell("bash plain", "echo plain"),
    ).run("runbook", "-j", "1")

    assert done.stdout == "1\n2\nbody\n9\nplain\n"


def test_a_file_is_written_and_ignored_by_git_once(book):
    book(cell("bash t -C ./out/list.txt --gitignore", "echo one"))
    book.run("task", "t")
    done = book.run("task", "t")

    assert done.exit_code == 0
    assert book.read("out/list.txt") == "one\n"
    assert book.read(".gitignore") == "out/list.txt\n"


def test_a_gitignore_without_an_end_of_line_is_not_spoiled(book):
    book(cell("bash t -C ./a.txt --gitignore=other.ignore", "echo one")).path("other.ignore").write_text("x")

    assert book.run("task", "t").exit_code == 0
    assert book.read("other.ignore") == "x\na.txt\n"


def test_a_file_and_a_value_can_both_be_captured(book):
    done = book(cell("bash a -C ./f -C key", "echo v"), cell("bash t -I", "echo ${captured.key}")).run(
        "runbook", "--json"
    )

    assert told(done, "t") == "v\n"
    assert book.read("f") == "v\n"


def test_only_stdout_is_captured_and_it_is_still_shown(book):
    done = book(cell("bash t -C ./f", "echo out", "echo err >&2")).run("task", "t")

    assert (done.stdout, book.read("f")) == ("out\n", "out\n")
    assert "err\n" in done.stderr


def test_large_and_binary_output_is_captured_into_a_file_whole(book):
    done = book(cell("bash t --silent -C ./f", "head -c 3000000 /dev/zero")).run("task", "t")

    assert done.exit_code == 0
    assert book.path("f").read_bytes() == bytes(3_000_000)


@pytest.mark.parametrize("make", ["head -c 200000 /dev/zero | tr '\\0' x", "printf 'a\\0b'"], ids=["large", "NUL"])
def test_a_value_that_no_variable_can_carry_is_an_error_that_says_so(book, make):
    done = book(cell("bash a --silent -C k", make), cell("bash t -I", "touch ran; echo ${captured.k}")).run("task", "t")

    assert done.exit_code == 1
    assert "-C ./FILE" in done.stderr
    assert not book.has("ran")


def test_only_the_attempt_that_succeeds_is_captured(book):
    done = book(
        cell("bash a -C k --retry 2", "echo try >> tries", "wc -l < tries", '[ "$(wc -l < tries)" = 2 ]'),
        cell("bash t -I", "echo ${captured.k}"),
    ).run("task", "t", "--json")

    assert told(done, "t").strip() == "2"


def test_an_env_cell_is_captured_into_a_file_and_never_executed(book):
    text = 'export A="1"\ntouch ran\nB=$A\n'
    done = book(f"```envrc e -C ./.envrc\n{text}```\n").run("task", "e")

    assert done.exit_code == 0, done.stderr
    assert book.read(".envrc") == text
    assert not book.has("ran")


def test_spry_output_hands_values_to_dependents(book):
    done = book(
        cell("bash a", 'echo "one=1" >> "$SPRY_OUTPUT"', 'printf "two<<E\\na\\nb\\nE\\n" >> "$SPRY_OUTPUT"'),
        cell("bash t -I --dep a", 'printf "%s|%s" ${captured.one} "${captured.two}"'),
    ).run("task", "t", "--json")

    assert told(done, "t") == "1|a\nb"


def test_spry_output_that_cannot_be_read_fails_its_task(book):
    done = book(cell("bash a", 'echo "no value" >> "$SPRY_OUTPUT"'), cell("bash b --dep a", "touch ran")).run("runbook")

    assert done.exit_code == 1
    assert "no value" in done.stderr
    assert not book.has("ran")


@pytest.mark.parametrize("make", ["mkfifo", "mkdir"])
def test_spry_output_that_is_no_file_fails_its_task_and_hangs_nothing(book, make):
    done = book(cell("bash a", f'{make} "$SPRY_OUTPUT"'), cell("bash b --dep a", "touch ran")).run("runbook")

    assert done.exit_code == 1
    assert "✗ a failed" in done.stderr
    assert not book.has("ran")


def test_spry_upstream_tells_of_the_direct_dependencies(book):
    done = book(
        cell("bash a -C k", "echo v", 'echo "o=w" >> "$SPRY_OUTPUT"'),
        cell("bash b --dep a --exit-code 0,3", "exit 3"),
        cell(
            "python t --dep a,b", "import json, os", "print(json.dumps(json.load(open(os.environ['SPRY_UPSTREAM']))))"
        ),
    ).run("task", "t", "--json")
    upstream = json.loads(told(done, "t"))

    assert list(upstream) == ["a", "b"]
    assert upstream["a"]["captured"] == {"k": "v"}
    assert upstream["a"]["outputs"] == {"o": "w"}
    assert (upstream["b"]["outcome"], upstream["b"]["exit_code"]) == ("succeeded", 3)


def test_an_unknown_key_stops_the_task_before_it_starts(book):
    done = book(cell("bash a --dep b -I", "touch ran; echo ${captured.nothing}"), cell("bash b", "true")).run(
        "task", "a"
    )

    assert done.exit_code in {1, 2}
    assert "nothing" in done.stderr
    assert not book.has("ran")
