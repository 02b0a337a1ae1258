"""What real programs say about a script: the Markdown file and its line, its words, its folder."""

import os
import shutil

import pytest
from driver import ENV, Driver

from spry.core.model import Settings, Task
from spry.execute.command import ScriptFolder, command, resolve
from spry.execute.local import LocalExecutor

NONE = Settings()
PATH = os.environ["PATH"]
LANGUAGES = ("bash", "sh", "dash", "zsh", "fish", "python", "node", "ruby", "perl", "pwsh")
PROGRAMS = {"python": "python3"}


def needs(language: str, *rest):
    """Parameters for a language, skipped where its program is not installed."""
    program = PROGRAMS.get(language, language)
    missing = shutil.which(program) is None
    return pytest.param(language, *rest, marks=pytest.mark.skipif(missing, reason=f"{program} is not installed"))


@pytest.fixture
def run(tmp_path):
    """Runs a script as the cell of a runbook, docs/deploy.md, whose body begins at line 47."""
    scripts = ScriptFolder(str(tmp_path))
    driver = Driver(LocalExecutor(1))
    folder = tmp_path / "docs"
    folder.mkdir()

    def run_(language, body, *args, line=47, path="docs/deploy.md", settings=NONE, **fields):
        fields = {"interpreter": "dash"} | fields if language == "dash" else fields
        task = Task("build", language, body, path, str(folder), line=line - 1, body_line=line, **fields)
        interpreter = resolve(task, settings, path=PATH, cwd=str(folder))
        argv, cwd = command(interpreter, task, body, args, cwd=str(folder), scripts=scripts)
        result = driver.run("", argv=argv, cwd=cwd, env={**ENV, b"LC_ALL": b"C.UTF-8"})
        driver.notices.clear()
        return result

    yield run_
    driver.executor.close()
    scripts.close()


FAULTS = [
    needs("bash", ":\nno_such\n", "docs/deploy.md: line 48: no_such: command not found"),
    needs("bash", ":\nif then\n", "docs/deploy.md: -c: line 48: syntax error"),
    needs("bash", "f() {\n  no_such\n}\nf\n", "docs/deploy.md: line 48: no_such: command not found"),
    needs("bash", "f() {\n  :\n}\nif then\n", "docs/deploy.md: line 50: syntax error"),
    needs("bash", "cat <<X\na\nb\nX\nno_such\n", "docs/deploy.md: line 51: no_such: command not found"),
    needs("sh", ":\nno_such\n", "docs/deploy.md: "),
    needs("dash", ":\nno_such\n", "docs/deploy.md: 48: no_such: not found"),
    needs("dash", ":\nif then\n", 'docs/deploy.md: 48: Syntax error: "then" unexpected'),
    needs("zsh", ":\nno_such\n", "docs/deploy.md:48: command not found: no_such"),
    needs("zsh", ":\nif then\n", "docs/deploy.md:49: parse error"),
    needs("fish", "true\nno_such\n", "docs/deploy.md (line 48):"),
    needs("python", "\ndef f():\n    1 / 0\nf()\n", 'File "docs/deploy.md", line 49, in f\n'),
    needs("python", "\nx = (\n", 'File "docs/deploy.md", line 48\n'),
    needs("node", "\nfunction f() {\n  throw Error('no') }\nf()\n", "docs/deploy.md:49"),
    needs("node", "\nlet x = ;\n", "docs/deploy.md:48"),
    needs("node", "import fs from 'fs'\nthrow Error('no')\n", "docs/deploy.md:48"),
    needs("node", "import fs from 'fs'\nlet x = ;\n", "docs/deploy.md:48"),
    needs("ruby", "\nraise 'no'\n", "docs/deploy.md:48:"),
    needs("perl", "\ndie 'no';\n", "no at docs/deploy.md line 48."),
    needs("perl", "\nmy $x = ;\n", "at docs/deploy.md line 48,"),
    needs("pwsh", "\nthrow 'no'\n", "deploy.md.ps1:48"),
]
LINES = {
    "bash": ":\n",
    "sh": ":\n",
    "dash": ":\n",
    "zsh": ":\n",
    "fish": "true\n",
    "python": "x = 1\n",
    "node": "0;\n",
    "ruby": "x = 1\n",
    "perl": "1;\n",
    "pwsh": "$x = 1\n",
}
ARGS = {
    "bash": 'printf "%s|" "$0" "$@"\n',
    "sh": 'printf "%s|" "$0" "$@"\n',
    "dash": 'printf "%s|" "$0" "$@"\n',
    "zsh": 'printf "%s|" "$0" "$@"\n',
    "fish": 'printf "%s|" (status filename) $argv\n',
    "python": "import sys\nprint(*sys.argv, sep='|', end='|')\n",
    "node": "process.stdout.write(process.argv.slice(1).join('|') + '|')\n",
    "ruby": "print [$0, *ARGV].join('|'), '|'\n",
    "perl": "print join('|', $0, @ARGV), '|';\n",
}


def filler(language: str, lines: int) -> str:
    """Lines of 16 bytes that do nothing: 20,000 of them are more than any argument can hold."""
    return f"{LINES[language].rstrip():15}\n" * lines


WORDS = ("a b", "-n", "--", "", "*", "$HOME", "ü")


@pytest.mark.parametrize(("language", "body", "message"), FAULTS)
def test_an_error_names_the_markdown_file_and_its_line(run, language, body, message):
    result = run(language, body)

    assert message in result.stderr.decode() + result.stdout.decode()
    assert result.code != 0


@pytest.mark.parametrize(("language", "body", "message"), FAULTS)
def test_it_does_so_in_a_script_too_large_for_an_argument(run, language, body, message):
    many = 20_001
    large = filler(language, many - 1) + body
    lines = {number: str(int(number) + many - 1) for number in ("48", "49", "50", "51")}
    for number, moved in lines.items():
        message = message.replace(f" {number}", f" {moved}").replace(f":{number}", f":{moved}")
    if "import" in body:
        message = message.replace("docs/deploy.md", "build.mjs").replace("20048", "20002")
    if language == "bash":
        message = message.replace("-c: ", "")
    result = run(language, large)

    assert message in result.stderr.decode() + result.stdout.decode()


@pytest.mark.parametrize("body", ["no_such\n", "\nno_such\n", "x=1 # it's\nno_such\n"])
@pytest.mark.parametrize("line", [2, 47, 1999, 2000, 60_000, 140_000])
def test_bash_names_the_line_wherever_it_is(run, body, line):
    said = run("bash", body, line=line).stderr.decode()

    assert said == f"docs/deploy.md: line {line + body.count(chr(10)) - 1}: no_such: command not found\n"


@pytest.mark.parametrize("line", [2, 47, 60_000, 140_000])
@pytest.mark.parametrize("body", ["", "f() { :; }\n"])
def test_bash_is_the_same_wherever_it_is(run, body, line, tmp_path):
    script = (
        f'{body}set -- "$@" new; echo "$# $1 $0 $LINENO $- $(shopt -o pipefail) $(pwd) ${{OLDPWD-}}"; false; echo no\n'
    )
    result = run("bash", script, "a b", line=line)
    shown = result.stdout.decode().split()

    assert shown[:5] == ["2", "a", "b", "docs/deploy.md", str(line + bool(body))]
    assert "e" in shown[5]
    assert shown[6:] == ["pipefail", "on", str(tmp_path / "docs")]
    assert result.code == 1


@pytest.mark.parametrize(("language", "body"), [needs(language, body) for language, body in ARGS.items()])
@pytest.mark.parametrize("lines", [0, 20_000])
def test_the_words_after_the_dashes_arrive_as_they_are(run, language, body, lines):
    result = run(language, filler(language, lines) + body, *WORDS)

    assert result.stdout.decode() == "|".join(("docs/deploy.md", *WORDS, "")), result.stderr[-500:]


@pytest.mark.parametrize(("language", "body"), [needs(language, body) for language, body in ARGS.items()])
def test_it_runs_in_the_working_folder(run, language, body, tmp_path):
    commands = {
        "python": "import os; print(os.getcwd(), end='')",
        "node": "process.stdout.write(process.cwd())",
        "ruby": "print Dir.pwd",
        "perl": "use Cwd; print getcwd",
    }
    result = run(language, commands.get(language, 'printf %s "$PWD"\n'))

    assert result.stdout.decode() == str(tmp_path / "docs"), result.stderr


@pytest.mark.parametrize(
    ("language", "body", "code"),
    [
        needs("bash", "false; exit 0", 1),
        needs("bash", "false | true; exit 0", 1),
        needs("zsh", "false | true; exit 0", 1),
        needs("sh", "false; exit 0", 1),
        needs("fish", "false; exit 0", 0),
        needs("python", "import sys; sys.exit(7)", 7),
        needs("node", "process.exit(7)", 7),
        needs("ruby", "exit 7", 7),
        needs("perl", "exit 7;", 7),
        needs("pwsh", "exit 7", 7),
    ],
)
def test_exit_codes_and_strictness(run, language, body, code):
    assert run(language, body).code == code


def test_no_strict_goes_on_after_an_error(run):
    assert run("bash", "false | true; false; exit 4", strict=False).code == 4


def test_a_shebangs_own_options_are_kept(run):
    result = run("bash", "#!/usr/bin/env -S bash -x\necho hi\nfalse\necho no\n")

    assert (result.stdout, result.stderr) == (b"hi\n", b"+ echo hi\n+ false\n")


def test_a_shebang_for_cat_prints_the_text(run):
    body = "#!/usr/bin/env -S cat\n$HOME `no` 'text'\n\ttab"

    assert run("bash", body).stdout == body.encode()


def test_the_body_reaches_the_shell_byte_for_byte(run):
    assert run("bash", "printf '%s' 'a\tb\\\n  ü \x01'\n").stdout == "a\tb\\\n  ü \x01".encode()


def test_a_script_that_looks_for_itself_finds_the_working_folder(run, tmp_path):
    result = run("bash", 'cd / && cd - >/dev/null; cd "$(dirname "${BASH_SOURCE[0]}")" && pwd\n')

    assert result.stdout.decode() == f"{tmp_path}/docs\n", result.stderr


def test_a_main_guard_lets_main_run(run):
    body = 'main() { echo "main $1"; }\nif [[ "${BASH_SOURCE[0]}" == "$0" ]]; then main "$@"; fi\n'

    assert run("bash", body, "x").stdout == b"main x\n"


def test_a_python_traceback_shows_the_script_alone(run):
    said = run("python", "def f():\n    raise KeyError('x')\nf()\n").stderr.decode()

    assert [line.strip() for line in said.splitlines() if "File" in line] == [
        'File "docs/deploy.md", line 49, in <module>',
        'File "docs/deploy.md", line 48, in f',
    ]
    assert said.endswith("KeyError: 'x'\n")


def test_a_python_script_is_main_and_finds_nothing_of_ours(run):
    body = "import sys\nprint(__name__, sorted(name for name in globals() if name[:2] != '__'))\n"

    assert run("python", body).stdout == b"__main__ ['sys']\n"


def test_python_keeps_every_letter(run):
    body = "print('''\u00fc \U0001f600 \\\\ ' \" \t''')\n"

    assert run("python", body).stdout.decode() == "\u00fc \U0001f600 \\ ' \" \t\n"


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@needs_node
def test_node_requires_and_knows_that_it_is_main(run):
    assert run("node", "console.log(require('path').sep, require.main === module)\n").stdout == b"/ true\n"


@needs_node
def test_a_node_module_imports_and_awaits(run, tmp_path):
    (tmp_path / "docs" / "five.mjs").write_text("export default 5\n")
    body = "import five from './five.mjs'\nconsole.log(await five, process.argv.slice(1).join())\n"

    assert run("node", body, "a", "-b").stdout == b"5 docs/deploy.md,a,-b\n"


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is not installed")
def test_sql_cells_run_in_the_database_that_the_front_matter_names(run, tmp_path):
    settings = Settings(interpreters={"sql": "sqlite3 app.db"})
    run("sql", "create table t(x);\ninsert into t values (41), (1);\n", settings=settings)

    assert run("sql", "select sum(x) from t;\n", settings=settings).stdout == b"42\n"
    assert run("sql", "nonsense;\n", settings=settings).code != 0
    assert (tmp_path / "docs" / "app.db").exists()


def test_a_program_of_ones_own_gets_the_file_and_the_words(run):
    assert run("awk", "BEGIN { print ARGV[1] }\n", "word", interpreter="awk -f").stdout == b"word\n"
