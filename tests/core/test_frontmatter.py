import pathlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import spry
from examples import examples
from spry.core.frontmatter import Defaults, parse
from spry.core.model import Parameter, Settings
from spry.core.source import source


def read(text):
    return parse(source(text))


def ours(text):
    """The front matter with this text, indented, under `spry:` (so that its first line is line 3, column 3)."""
    lines = "".join(f"  {line}\n" for line in text.split("\n"))
    return read(f"---\nspry:\n{lines}---\n")


def only_problem(found):
    assert len(found.problems) == 1, [problem.message for problem in found.problems]
    return found.problems[0]


def places(found):
    return [(problem.line, problem.column) for problem in found.problems]


# Where it stands


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# Title\n",
        "text\n---\nspry:\n---\n",
        "----\nspry: 1\n---\n",
        " ---\nspry: 1\n---\n",
        "--- a\nspry: 1\n---\n",
    ],
)
def test_a_document_that_does_not_start_with_a_line_of_three_dashes_has_none(text):
    found = read(text)

    assert found == (Settings(), Defaults(), (), 0, [])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("---\n---\n", 2),
        ("---\n---", 2),
        ("--- \t\ntitle: x\n---  \ntext", 3),
        ("---\n# a comment\n---\n", 3),
        ("---\ntitle: x\n\n\n---\n\n\n# Title", 5),
        ("---\r\ntitle: x\r\n---\r\n", 3),
        ("\ufeff---\ntitle: x\n---\n", 3),
        ("---\n\n\ntitle: x\n---\n", 5),
        ("---\ntitle: x\n---\n---\n", 3),
    ],
)
def test_it_ends_with_the_second_boundary(text, lines):
    found = read(text)

    assert (found.end_line, found.problems) == (lines, [])


@pytest.mark.parametrize("text", ["---", "---\n", "---\n\n# Title\n", "---\n\nspry: is a tool\n", "---\ntitle: x\n"])
def test_three_dashes_without_an_end_are_a_thematic_break(text):
    found = read(text)

    assert (found.end_line, found.problems) == (0, [])


def test_dashes_around_prose_are_thematic_breaks():
    found = read("---\n\nNote: this: is prose\n\n---\n\n```bash build\n")

    assert (found.end_line, found.problems) == (0, [])


def test_settings_that_are_never_closed_are_a_problem():
    problem = only_problem(read("---\nspry:\n  jobs: 2\n\n# Title\n"))

    assert (problem.place, problem.message) == ("runbook.md:1:1", "front matter is never closed")
    assert problem.hint == "end it with a line that is only ---"


def test_a_yaml_example_in_a_fence_is_no_unclosed_front_matter():
    assert read("---\n\n# Title\n\n```yaml\nspry:\n```\n").problems == []


@pytest.mark.parametrize(
    ("text", "kind"), [("- a", "a list"), ("words", "text"), ("42", "a whole number"), ("!!map {}", "a tagged value")]
)
def test_front_matter_that_is_no_mapping_is_a_problem(text, kind):
    found = read(f"---\n{text}\n---\n")

    assert only_problem(found).message == f"front matter is {kind}, not a mapping"
    assert (places(found), found.end_line) == ([(2, 1)], 3)


def test_more_than_one_document_is_a_problem():
    assert only_problem(read("---\na: 1\n--- b\n---\n")).message == "more than one YAML document"


def test_no_yaml_is_imported_for_a_document_without_front_matter():
    root = pathlib.Path(spry.__file__).parents[1]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r}); from spry.core import frontmatter, source;"
        "frontmatter.parse(source.source('# Title')); print({'yaml', 'frontmatter'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout == "set()\n"


# What belongs to others


def test_everything_outside_spry_is_left_alone():
    found = read(
        "---\ntitle: Release 1\nmenu: {docs: [1, {a: b}]}\njobs: none\ntag: !mine 1\n"
        "twice: 1\ntwice: 2\n? [a, b]\n: c\nanchor: &x 1\n---\n"
    )

    assert found.problems == []
    assert found.settings == Settings(title="Release 1")


@pytest.mark.parametrize(
    ("written", "title"), [("2024-01-01", "2024-01-01"), ("[a]", ""), ("", ""), ('"x: y"', "x: y")]
)
def test_the_plain_title_is_kept_as_it_is_written(written, title):
    found = read(f"---\ntitle: {written}\n---\n")

    assert (found.settings.title, found.problems) == (title, [])


def test_spry_with_nothing_below_it_says_nothing():
    found = read("---\nspry:\n---\n")

    assert (found.settings, found.problems) == (Settings(), [])


@pytest.mark.parametrize("value", ["true", "4", "[jobs]", "text", "!!map {jobs: 2}"])
def test_spry_must_be_a_mapping(value):
    found = read(f"---\nspry: {value}\n---\n")

    assert only_problem(found).message.startswith("spry: expected a mapping, not ")
    assert places(found) == [(2, 7)]


# What each key gives


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("jobs: 4", "jobs", 4),
        ("shell: bash -u", "shell", "bash -u"),
        ('interpreters: {SQL: sqlite3 "my app.db"}', "interpreters", {"sql": 'sqlite3 "my app.db"'}),
        ("cwd: sub/folder", "cwd", "sub/folder"),
        ("grace: 0", "grace", 0.0),
        ("grace: 1m30s", "grace", 90.0),
        ("grace: 0.5", "grace", 0.5),
        ("env: {A: 01, B: yes, C: 1.50, D: 'x y', E: '', F: 2024-01-01}", "env",
         {"A": "01", "B": "yes", "C": "1.50", "D": "x y", "E": "", "F": "2024-01-01"}),
        ("env:", "env", {}),
        ("env_file: .env", "env_files", (".env",)),
        ("env_file: [.env, more.env]", "env_files", (".env", "more.env")),
        ("env_mode: venv", "env_mode", "venv"),
        ("defaults: {env_mode: uv}", "env_mode", "uv"),
        ("defaults: {stream: no}", "stream", False),
        ("defaults: {stream: true}", "stream", True),
        ("graphs: {A: the first, B: }", "graphs", {"A": "the first", "B": ""}),
        ("graphs: [A, B]", "graphs", {"A": "", "B": ""}),
        ("handlers: {prompt: llm, agent: 'claude -p'}", "handlers", {"prompt": "llm", "agent": "claude -p"}),
        ("artifacts: {keep: 7d}", "keep_artifacts", 604800.0),
        ("secrets: [TOKEN, my-key]", "secrets", ("TOKEN", "my-key")),
        ("description: Makes a release.", "description", "Makes a release."),
        ("description: |\n  two\n  lines", "description", "two\nlines\n"),
    ],
)  # fmt: skip
def test_each_key_fills_its_setting(text, field, value):
    found = ours(text)

    assert found.problems == []
    assert found.settings == Settings()._replace(**{field: value})


@pytest.mark.parametrize(
    ("text", "defaults"),
    [
        ("timeout: 30", Defaults(timeout=30.0)),
        ("timeout: 1h30m", Defaults(timeout=5400.0)),
        ("retry: 3", Defaults(retry=(3, 0.0, 1.0))),
        ("retry: 3@1s*2", Defaults(retry=(3, 1.0, 2.0))),
        ('limit: "memory=512M,cpu=75"', Defaults(limits=(("memory", 512.0), ("cpu", 75.0)))),
        ("env: {A: b}", Defaults(env={"A": "b"})),
    ],
)
def test_defaults_are_for_tasks(text, defaults):
    found = ours(f"defaults: {{{text}}}")

    assert (found.problems, found.defaults) == ([], defaults)


def test_the_environment_of_the_defaults_joins_that_of_the_runbook_and_wins():
    found = ours("env: {A: a, B: b}\ndefaults: {env: {B: c}}")

    assert found.settings.env == {"A": "a", "B": "c"}
    assert found.defaults.env == {"B": "c"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("region: eu", Parameter("region", default="eu")),
        ("port: 010", Parameter("port", default="010")),
        ("token:", Parameter("token")),
        ("token: ''", Parameter("token", default="")),
        ("port: {type: int, default: 8080}", Parameter("port", "int", "8080")),
        ("size: {type: choice(s|m), default: s}", Parameter("size", "choice", "s", ("s", "m"))),
        ("size: {type: choice, choices: [s, m]}", Parameter("size", "choice", None, ("s", "m"))),
        ("size: {choices: [yes, 1]}", Parameter("size", "choice", None, ("yes", "1"))),
        ("key: {type: secret}", Parameter("key", "secret")),
        ("any: {}", Parameter("any")),
    ],
)
def test_a_parameter_is_text_unless_it_has_a_type(text, expected):
    found = ours(f"params:\n  {text}")

    assert (found.problems, found.params) == ([], (expected._replace(line=4, column=5),))


# What is wrong, and where


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("jobs: 0", (3, 9), 'spry.jobs: expected a whole number of at least 1, not "0"'),
        ("jobs: '4'", (3, 9), "spry.jobs: expected a whole number of at least 1"),
        ("jobs: 010", (3, 9), "spry.jobs: expected a whole number of at least 1"),
        ("jobs:", (3, 8), "spry.jobs: expected a whole number of at least 1, not nothing"),
        ("shell: 5", (3, 10), "spry.shell: expected text, not a whole number"),
        ("shell: [bash]", (3, 10), "spry.shell: expected text, not a list"),
        ("shell: ' '", (3, 10), "spry.shell: expected text, not a blank"),
        ("shell: 'bash \"'", (3, 10), "spry.shell: unterminated quote in the command"),
        ("interpreters: [sql]", (3, 17), "spry.interpreters: expected a mapping, not a list"),
        ("interpreters: {sql: ''}", (3, 23), "spry.interpreters.sql: expected text"),
        ("interpreters: {a b: c}", (3, 18), 'expected one word as the language, not "a b"'),
        ("interpreters: {Sql: a, sql: b}", (3, 26), 'language "sql" is given twice'),
        ("cwd: {}", (3, 8), "spry.cwd: expected text, not a mapping"),
        ("grace: -1", (3, 10), "spry.grace: expected a duration"),
        ("env: text", (3, 8), "spry.env: expected a mapping, not text"),
        ("env: {A-B: 1}", (3, 9), 'spry.env: "A-B" cannot name a variable'),
        ("env: {'A=B': 1}", (3, 9), 'spry.env: "A=B" cannot name a variable'),
        ("env: {A: [1]}", (3, 12), "spry.env.A: expected one value, not a list"),
        ("env: {A: null}", (3, 12), "spry.env.A: expected one value, not nothing"),
        ('env: {A: "x\\0"}', (3, 12), "spry.env.A: a NUL byte"),
        ("env: {[a]: 1}", (3, 9), "spry.env: expected a name as key, not a list"),
        ("env: {A: 1, A: 2}", (3, 15), 'spry.env: key "A" is given twice'),
        ("env_file: [.env, 5]", (3, 20), "spry.env_file: expected text, not a whole number"),
        ("env_mode: conda", (3, 13), "spry.env_mode: expected auto, uv, venv or system"),
        ("defaults: 5", (3, 13), "spry.defaults: expected a mapping, not a whole number"),
        ("defaults: {timeout: soon}", (3, 23), "spry.defaults.timeout: expected a duration"),
        ("defaults: {timeout: [5]}", (3, 23), "spry.defaults.timeout: expected one value, not a list"),
        ("defaults: {retry: 0}", (3, 21), "spry.defaults.retry: expected at least 1 attempt"),
        ("defaults: {limit: memory=x}", (3, 21), "spry.defaults.limit: memory: expected a size"),
        ("defaults: {stream: maybe}", (3, 22), "spry.defaults.stream: expected true or false"),
        ("graphs: {'a,b': x}", (3, 12), 'spry.graphs: "a,b" cannot name a graph'),
        ("graphs: [[a]]", (3, 12), "spry.graphs: expected one value, not a list"),
        ("handlers: {prompt: 7}", (3, 22), "spry.handlers.prompt: expected text"),
        ("artifacts: {keep: forever}", (3, 21), "spry.artifacts.keep: expected a duration"),
        ("params: [a]", (3, 11), "spry.params: expected a mapping, not a list"),
        ("params: {1st: x}", (3, 12), '"1st" cannot name a parameter'),
        ("params: {a: [x]}", (3, 15), "spry.params.a: expected one value, not a list"),
        ("params: {a: {type: in}}", (3, 12), 'spry.params.a: unknown type "in" (did you mean "int"?)'),
        ("params: {a: {type: int, default: x}}", (3, 36), 'expected a whole number, not "x"'),
        ("params: {a: {choices: [x, y], default: z}}", (3, 42), 'expected x or y, not "z"'),
        ("params: {a: {choices: []}}", (3, 12), "with different members"),
        ("params: {a: {choices: [x|y]}}", (3, 26), "a choice cannot contain |"),
        ("params: {a: {type: int, choices: [1]}}", (3, 12), 'choices belong to the type choice, not to "int"'),
        ("secrets: TOKEN", (3, 12), "spry.secrets: expected a list, not text"),
        ("secrets: [a b]", (3, 13), 'spry.secrets: "a b" cannot name a variable'),
        ("description: true", (3, 16), "spry.description: expected text, not true or false"),
        ("description: !!str x", (3, 16), "spry.description: expected text, not a tagged value"),
    ],
)
def test_a_wrong_value_is_shown_where_it_stands(text, place, message):
    found = ours(text)

    assert message in only_problem(found).message
    assert places(found) == [place]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("jbos: 2", 'unknown key "jbos" under spry', 'did you mean "jobs"?'),
        ("env-file: x", 'unknown key "env-file" under spry', 'did you mean "env_file"?'),
        ("timeout: 5", 'unknown key "timeout" under spry', "it belongs under spry.defaults"),
        ("<<: {jobs: 2}", 'unknown key "<<" under spry', "known keys: description, jobs"),
        ("defaults: {tiemout: 5}", 'unknown key "tiemout" under spry.defaults', 'did you mean "timeout"?'),
        ("handlers: {agnet: x}", 'unknown key "agnet" under spry.handlers', 'did you mean "agent"?'),
        ("artifacts: {jobs: 3}", 'unknown key "jobs" under spry.artifacts', "it belongs under spry"),
        ("params: {a: {defualt: x}}", 'unknown key "defualt" under spry.params.a', 'did you mean "default"?'),
    ],
)
def test_an_unknown_key_is_a_problem_with_a_hint(text, message, hint):
    problem = only_problem(ours(text))

    assert problem.message == message
    assert problem.hint.startswith(hint)


def test_every_problem_is_told_at_once_and_the_good_values_are_kept():
    found = ours("jobs: 0\ncwd: sub\nnope: 1\ndefaults:\n  timeout: soon\n  retry: 2")

    assert places(found) == [(3, 9), (5, 3), (7, 14)]
    assert (found.settings.cwd, found.defaults.retry) == ("sub", (2, 0.0, 1.0))


def test_a_key_given_twice_is_a_problem():
    assert only_problem(ours("jobs: 1\njobs: 2")).message == 'spry: key "jobs" is given twice'
    assert only_problem(read("---\nspry: {}\nspry: {}\n---\n")).message == 'key "spry" is given twice'


def test_one_setting_under_two_keys_is_a_problem():
    found = ours("env_mode: uv\ndefaults: {env_mode: venv}")

    assert only_problem(found).message == "env_mode is given twice, under spry and under spry.defaults"


def test_a_problem_underlines_the_value_in_its_line():
    problem = only_problem(ours("description: [a,\n  b]"))

    assert (problem.excerpt, problem.column, problem.length) == ("  description: [a,", 16, 3)


@pytest.mark.parametrize(
    "text",
    [
        "---\r\ntitle: x\r\nspry:\r\n  jbos: 2\r\n---\r\n",
        "---\n\n\nspry: \n  jbos: 2\n---\n",
        "\ufeff---\ntitle: x\nspry:\n  jbos: 2\n---\n",
        "---\ntitle: 'a\u2028b\u0085c'\nspry:\n  jbos: 2\n---\n",
    ],
)
def test_places_are_those_of_the_file_whatever_its_line_ends(text):
    found = read(text)
    problem = only_problem(found)
    assert (problem.column, problem.length, problem.excerpt.strip()) == (3, 4, "jbos: 2")

    lines = source(text).lines
    assert lines[problem.line - 1] == problem.excerpt


# Broken YAML and bombs


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("title: a: b", (2, 9), "mapping values are not allowed here"),
        ('a: 1\nb: "x', (3, 4), "found unexpected end of stream"),
        ("a: 1\nspry: {jobs: 3", (3, 7), "expected ',' or '}'"),
        ("spry:\n\tjobs: 3", (3, 1), "found character '\\t'"),
        ("a: 1\nb: \x07", (3, 4), "character U+0007 is not allowed"),
        ('a: "\\UFFFFFFFF"', (2, 7), "a number out of range"),
        ('a: "\\U00110000"', (2, 7), "a number out of range"),
        ("a: *nowhere", (2, 4), 'alias "*nowhere"'),
        ("a: b\n```", (3, 1), "found character '`'"),
    ],
)
def test_broken_yaml_is_a_problem_with_its_line_and_column(text, place, message):
    found = read(f"---\n{text}\n---\n```bash build\n```\n")

    assert message in only_problem(found).message
    assert (places(found), found.end_line) == ([place], text.count("\n") + 3)


def test_tabs_are_told_with_what_to_do():
    assert only_problem(read("---\nspry:\n\tjobs: 3\n---\n")).hint == "indent with spaces, not tabs"


@pytest.mark.parametrize("unit", ["key: value\n", "x" * 11, "é" * 6])
def test_more_than_64_kib_is_not_parsed(unit):
    found = read(f"---\nspry: # {unit * (10_000_000 // len(unit))}\n---\n")

    assert only_problem(found).message == "front matter larger than 64 KiB"
    assert places(found) == [(2, 1)]


def test_64_kib_are_counted_in_bytes():
    small = read(f"---\na: {'é' * 32_760}\n---\n")
    large = read(f"---\na: {'é' * 32_770}\n---\n")

    assert small.problems == []
    assert only_problem(large).message == "front matter larger than 64 KiB"


def test_aliases_that_multiply_are_refused_at_the_first():
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
    found = read(f"---\na0: &a0 [lol]\n{laughs}---\n")

    assert only_problem(found).message == 'alias "*a0" in the front matter'
    assert (places(found), found.problems[0].hint) == ([(3, 10)], "write the value out")


def test_a_merge_key_cannot_bring_an_alias_in():
    found = ours("env: &e {A: 1}\ndefaults:\n  env:\n    <<: *e")

    assert only_problem(found).message == 'alias "*e" in the front matter'


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? ", "[\n ", "[{a: "])
@pytest.mark.parametrize("count", [40, 1_000, 100_000])
def test_deep_nesting_is_a_problem_and_never_a_crash(unit, count):
    found = read(f"---\na:\n  {unit * count}\n---\n")

    is_large = count * len(unit) > 64 * 1024
    expected = "front matter larger than 64 KiB" if is_large else "front matter nested more than 32 levels deep"
    assert only_problem(found).message == expected


def test_deep_block_mappings_are_a_problem_at_the_level_that_is_too_much():
    deep = "".join(f"{' ' * level}a:\n" for level in range(300))
    found = read(f"---\n{deep}---\n")

    assert only_problem(found).message == "front matter nested more than 32 levels deep"
    assert places(found) == [(34, 33)]


def test_32_levels_are_fine():
    assert read(f"---\na: {'[' * 31}{']' * 31}\n---\n").problems == []
    assert len(read(f"---\na: {'[' * 32}{']' * 32}\n---\n").problems) == 1


def test_a_tag_never_makes_an_object(tmp_path):
    victim = tmp_path / "victim"
    call = f'!!python/object/apply:os.mkdir ["{victim}"]'
    found = read(f"---\nother: {call}\nspry:\n  cwd: {call}\n---\n")

    assert only_problem(found).message == "spry.cwd: expected text, not a tagged value"
    assert not victim.exists()


def test_letters_of_any_script_are_fine():
    found = read('---\ntitle: Größe 🙂\nspry: {env: {A: "日本 🙂"}, jöbs: 1}\n---\n')

    assert found.settings.env == {"A": "日本 🙂"}
    assert places(found) == [(3, 26)]


YAML = st.lists(
    st.sampled_from(
        [
            "spry:", "env", "jobs", "params", "defaults", "title:", " ", "  ", "\n", "\n  ", "\n- ", ": ", "- ", "[",
            "]", "{", "}", ",", '"', "'", "&a ", "*a", "!!str ", "!x ", "|", ">", "#", "?", "%", "@", "`", "\t", "\\",
            "\\U", "---", "...", "1", "yes", "null", "~", "<<", "\u2028", "\u0085", "\ufeff", "\0", "é", "🙂",
            "FFFFFFFF", "%YAML 1.1\n", "%TAG ! x\n", "\n---\n",
        ]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@pytest.mark.slow
@given(text=st.one_of(st.text(max_size=60), YAML), closing=st.sampled_from(["\n---\n", "\n---", ""]))
@examples(800)
def test_any_text_is_read_or_refused_at_a_place_of_the_file(text, closing):
    document = source(f"---\n{text}{closing}")
    found = parse(document)

    assert 0 <= found.end_line <= len(document.lines)
    for problem in found.problems:
        assert 1 <= problem.line <= len(document.lines)
        assert 1 <= problem.column <= len(document.lines[problem.line - 1]) + 1
