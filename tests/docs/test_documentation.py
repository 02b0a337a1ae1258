"""README.md and docs/ say what is there: links lead somewhere, examples are valid, tables are those of the code."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pages
import pytest
from pages import PAGES, ROOT

from spry import errors
from spry.cli import app, options
from spry.core import events
from spry.core.compile import compile_sources
from spry.core.flags import PARTIAL_TABLE, TABLE
from spry.core.source import source

FLAGS = "docs/reference/flags.md"
GRAMMAR = "docs/reference/runbook-grammar.md"
COMMANDS = "docs/reference/command-line.md"
EVENTS = "docs/reference/events.md"
CODES = "docs/reference/exit-codes.md"


def spelled(flag):
    """A flag as its row of the reference writes it."""
    value = {"nothing": "", "value": f" {flag.metavar}", "optional": f" [{flag.metavar}]"}[flag.takes]
    return f"--{flag.name}{value}"


def described(page):
    """What the tables of a page say of each thing, by its first words in backticks."""
    found = {}
    for line in pages.prose(page).split("\n"):
        row = re.match(r"\| `((?:\\\||[^`])+)` \| (.*) \|$", line)
        if row:
            found[row[1].replace("\\|", "|")] = row[2]
    return found


def written(option):
    return f"{option.long} {option.metavar}".rstrip()


# Links


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_to_a_file_and_an_anchor(page):
    folder = (ROOT / page).parent
    broken = []
    for link in pages.links(page):
        path, _, anchor = link.partition("#")
        target = (folder / path).resolve() if path else ROOT / page
        if not target.exists() or (anchor and anchor not in pages.anchors(target)):
            broken.append(link)

    assert broken == []


def test_every_page_can_be_reached_from_the_index():
    linked = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in pages.links("docs/index.md")}

    missing = [page for page in PAGES if page not in {"README.md", "docs/index.md"} and ROOT / page not in linked]
    assert missing == []


def test_every_schema_is_named_by_a_page():
    text = "".join(pages.text(page) for page in PAGES)

    missing = [path.name for path in (ROOT / "docs" / "schemas").glob("*.json") if f"schemas/{path.name}" not in text]
    assert missing == []


# Examples


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_documentation_has_no_tasks_of_its_own(page):
    found = compile_sources([source(pages.text(page), page)])

    assert list(found.problems) == []
    assert found.graph is not None
    assert found.graph.order == ()


@pytest.mark.parametrize("page", PAGES)
def test_every_runbook_that_stands_alone_is_valid(page):
    for fence in pages.fences(page):
        if fence.language == "markdown" and not fence.words & {"add", "change", "wrong"}:
            found = compile_sources([source(fence.body)])

            assert [problem.message for problem in found.problems] == [], f"{page}:{fence.line}"
            assert found.graph is not None
            assert found.graph.order, f"{page}:{fence.line} has no task"


def test_the_picture_in_the_readme_is_what_the_command_draws():
    command = [sys.executable, "-m", "spry", "dag", "--format", "svg", "runbooks/full-stack.md"]
    drawn = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)

    assert drawn.stdout == (ROOT / "docs" / "images" / "full-stack.svg").read_bytes()


def test_the_readmes_test_command_is_the_one_that_ci_extracts():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    sed = next(line for line in script.splitlines() if line.startswith("command=$("))
    taken = subprocess.run(["bash", "-c", f'{sed}\nprintf %s "$command"'], cwd=ROOT, capture_output=True, check=True)
    lines = pages.text("README.md").split("\n")
    at = lines.index("<!-- test command -->")

    assert lines[at + 1] == "```bash"
    assert lines[at + 3] == "```"
    assert taken.stdout.decode() == lines[at + 2]
    assert "-m pytest" in lines[at + 2]


# References


def test_every_flag_is_documented_once_as_it_is_spelled_and_no_other():
    assert sorted(described(FLAGS)) == sorted(spelled(flag) for flag in TABLE)
    assert sorted(row for row in pages.rows(GRAMMAR, "PARTIAL")) == sorted(spelled(flag) for flag in PARTIAL_TABLE)


@pytest.mark.parametrize("flag", TABLE, ids=lambda flag: flag.name)
def test_the_row_of_a_flag_names_its_other_spellings_and_how_often_it_may_be_given(flag):
    row = described(FLAGS)[spelled(flag)]

    others = [f"-{flag.short}"] * bool(flag.short) + [f"--{alias}" for alias in flag.aliases]
    assert [other for other in others if f"`{other}`" not in row] == []
    assert (row.lower().startswith("many") or "; many" in row) == flag.many
    assert ("commas" in row) == flag.commas


def test_every_command_has_its_section():
    sections = re.findall(r"^## spry (\w+)$", pages.prose(COMMANDS), re.MULTILINE)

    assert sorted(sections) == sorted(app.commands.commands)


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("Options of task, runbook and run", options.RUNNING),
        ("spry runbook", options.NARROWING),
        ("spry ls", options.LISTING),
        ("spry show", options.PLACES),
        ("spry workspace run", options.OVER_MANY),
    ],
)
def test_the_options_of_a_section_are_those_of_the_table(heading, table):
    rows = [row for row in pages.rows(COMMANDS, heading) if row.startswith("--")]

    assert sorted(rows) == sorted({written(option) for option in table})


@pytest.mark.parametrize("command", sorted(app.commands.commands))
def test_every_option_of_a_command_is_documented(command):
    known = {word.split()[0] for word in described(COMMANDS)} | {"--help"}

    missing = [
        name
        for parameter in app.commands.commands[command].params
        for name in parameter.opts
        if name.startswith("--") and name not in known
    ]
    assert missing == []


def test_the_short_spellings_and_choices_of_options_are_documented():
    rows = {line for line in pages.text(COMMANDS).split("\n") if line.startswith("| `--")}
    for option in {*options.RUNNING, *options.NARROWING, *options.LISTING}:
        those = [row for row in rows if row.startswith(f"| `{written(option)}`")]

        assert those
        assert not option.short or [row for row in those if f"`{option.short}`" not in row] == []
    modes = [word for word in described(COMMANDS) if word in options.MODES]
    assert sorted(modes) == sorted(options.MODES)


@pytest.mark.parametrize("kind", events.NAMES, ids=lambda kind: events.NAMES[kind])
def test_every_event_is_documented_with_its_fields(kind):
    section = pages.prose(EVENTS).split(f"\n## {events.NAMES[kind]}\n")[1].split("\n## ")[0]
    fields = {"text" if field == "data" else field for field in kind._fields} | {"event"}
    cells = [line.split("|")[1] for line in section.split("\n") if line.startswith("| `")]

    assert sorted(re.findall(r"`(\w+)`", "".join(cells))) == sorted(fields)


def test_no_other_event_and_every_reason_and_outcome_is_documented():
    headings = re.findall(r"^## (\w+_\w+)$", pages.prose(EVENTS), re.MULTILINE)
    reasons = pages.prose(EVENTS).split("\n## Reasons\n")[1]
    cells = [line.split("|")[1] for line in reasons.split("\n") if line.startswith("| `")]

    assert headings == list(events.NAMES.values())
    assert sorted(re.findall(r"`(\w+)`", "".join(cells))) == sorted(events.Reason)
    assert all(f"`{outcome}`" in pages.prose(EVENTS) for outcome in events.Outcome)


def test_every_exit_code_is_documented_and_no_other():
    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    own = (errors.OK, errors.FAILED, errors.INVALID, errors.INTERNAL, errors.TIMED_OUT)

    assert sorted(map(int, pages.rows(CODES, "Exit codes"))) == sorted({*own, *(128 + number for number in heard)})
