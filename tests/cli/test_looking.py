"""The commands that look and never run: ls, show, check, dag, completion, dry runs; and finding the runbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import jsonschema
import pytest
from book import ROOT, cell

PAIR = (
    cell('bash build --descr "Build it" --tag quick', "touch ran"),
    cell("bash deploy --dep build -G prod --timeout 5m --env MODE=fast", "touch ran"),
)


def schema(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((ROOT / f"docs/schemas/{name}.json").read_text()))


@pytest.mark.parametrize("argv", [[], ["ls"], ["tasks"], ["Spryfile.md"], ["-f", "Spryfile.md"], ["ls", "-f", "."]])
def test_the_list_names_tasks_descriptions_dependencies_graphs_and_places(book, argv):
    done = book(*PAIR).run(*argv)

    assert done.exit_code == 0
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [
        ["build", "Build", "it", "Spryfile.md:1"],
        ["deploy", "build", "prod", "Spryfile.md:5"],
    ]


def test_the_list_for_programs_has_its_documented_shape(book):
    done = book(*PAIR).run("ls", "--json")

    schema("ls").validate(done.json)
    assert done.json[1] == {
        "name": "deploy", "descr": "", "language": "bash", "deps": ["build"], "graphs": ["prod"], "tags": [],
        "finally": False, "optional": False, "file": "Spryfile.md", "line": 5,
    }  # fmt: skip


def test_the_title_of_a_runbook_is_shown(book):
    assert "Release of the shop" in book("---\ntitle: Release of the shop\n---\n", *PAIR).run("ls").stdout


def test_a_runbook_whose_scripts_cannot_be_expanded_is_listed_with_what_is_wrong(book):
    done = book(cell("bash bad -I", "echo $!{x}"), *PAIR).run("ls")

    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["bad", "build", "deploy"]
    assert "Spryfile.md:2:6: Error:" in done.stderr


def test_everything_that_is_known_of_a_task_is_shown_with_its_source(book):
    book("---\nspry:\n  defaults: {retry: 2}\n---\n", cell("code DEFAULTS", "bash * --cwd sub"), *PAIR)
    done = book.run("show", "deploy")

    assert done.exit_code == 0
    for words in (
        "Spryfile.md:13:9",
        "needs",
        "build",
        "5m  (line 13)",
        "sub  (DEFAULTS, line 6)",
        "(front matter)",
        "MODE=fast",
    ):
        assert words in done.stdout
    assert done.stdout.endswith("\ntouch ran\n")


def test_a_task_that_is_not_there_is_not_shown(book):
    done = book(*PAIR).run("show", "biuld")

    assert done.exit_code == 2
    assert 'did you mean "build"?' in done.stderr


def test_a_valid_runbook_passes_the_check(book):
    done = book(*PAIR).run("check")

    assert (done.exit_code, done.stdout, done.stderr) == (0, "1 runbook with 2 tasks checked: valid\n", "")


def test_the_check_searches_folders_for_files_that_mean_to_be_runbooks(book):
    book(*PAIR, name="docs/deep/ops.md")("Text.\n\n", cell("bash", "ls"), name="docs/readme.md")
    book(cell("bash x --frobnicate"), name="docs/bad.md")(
        cell("bash x --frobnicate"), name="docs/node_modules/p/bad.md"
    )
    done = book.run("check", "docs")

    assert done.exit_code == 2
    assert done.stdout.count("Error:") == 1
    assert "docs/bad.md:1:11" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(
        "2 runbooks with 2 tasks checked: not valid; 1 other Markdown file left alone"
    )


def test_the_check_takes_globs_and_files_and_reads_each_by_itself_and_once(book):
    book(cell("bash a --silent"), name="one.md")(cell("bash a --silent"), name="two.md")

    assert book.run("check", "*.md", "one.md").stdout == "2 runbooks with 2 tasks checked: valid\n"


def test_the_check_takes_a_file_that_is_named_for_a_runbook(book):
    book(cell("bash a"), name="one.md")(cell("bash a"), name="two.md")
    done = book.run("check", "*.md", "one.md")

    assert done.stdout == "1 runbook with 1 task checked: valid; 1 other Markdown file left alone\n"


def test_the_check_notes_clean_up_that_would_not_run(book):
    done = book(cell("bash test"), cell("bash cleanup --dep test")).run("check")

    assert done.exit_code == 0
    assert "Note:" in done.stdout
    assert "--finally" in done.stdout


BAD = (cell("bash a --decr x"), cell("bash b --dep gone"))


def test_the_check_for_programs_has_its_documented_shape(book):
    done = book(*BAD).run("check", "--format", "json")

    schema("check").validate(done.json)
    assert done.exit_code == 2
    assert [(found["file"], found["line"], found["column"]) for found in done.json] == [
        ("Spryfile.md", 1, 11),
        ("Spryfile.md", 4, 17),
    ]


def test_the_check_annotates_on_github(book):
    done = book(*BAD).run("check", "--format", "github")
    lines = done.stdout.splitlines()

    assert done.exit_code == 2
    assert len(lines) == 2
    assert lines[0].startswith("::error file=Spryfile.md,line=1,col=11,")


def test_the_check_writes_sarif(book):
    done = book(*BAD).run("check", "--format", "sarif")
    (run,) = done.json["runs"]

    assert (done.exit_code, done.json["version"]) == (2, "2.1.0")
    assert [result["locations"][0]["physicalLocation"]["region"]["startLine"] for result in run["results"]] == [1, 4]


@pytest.mark.parametrize("form", ["json", "github", "sarif"])
def test_a_valid_runbook_is_valid_in_every_format(book, form):
    assert book(*PAIR).run("check", "--format", form).exit_code == 0


def test_the_graph_for_programs_has_its_documented_shape(book):
    graph = (
        book(*PAIR, cell("bash after -I", "echo ${captured.word}"), cell("bash word -C"))
        .run("dag", "--format", "json")
        .json
    )

    assert list(graph) == ["nodes", "edges", "layers", "critical_path"]
    assert graph["nodes"][0] == {"name": "build", "descr": "Build it", "layer": 0}
    assert sorted((edge["from"], edge["to"], bool(edge["implied"])) for edge in graph["edges"]) == [
        ("build", "deploy", False),
        ("word", "after", True),
    ]


def test_the_graph_is_drawn_in_every_format(book):
    book(*PAIR)

    assert "build ──→ deploy" in book.run("dag").stdout
    assert '"build" -> "deploy"' in book.run("dag", "--format", "dot").stdout
    assert "-->" in book.run("dag", "--format", "mermaid").stdout
    assert ET.fromstring(book.run("dag", "--format", "svg").stdout).tag.endswith("svg")


def test_the_graph_of_a_task_is_the_task_with_what_it_needs(book):
    nodes = book(*PAIR, cell("bash other")).run("dag", "deploy", "--format", "json").json["nodes"]

    assert [node["name"] for node in nodes] == ["build", "deploy"]


def test_the_plan_for_programs_has_its_documented_shape(book):
    done = book(*PAIR).run("task", "deploy", "--dry-run", "--json", "--env", "REGION=eu")

    schema("plan").validate(done.json)
    deploy = done.json["tasks"][1]
    assert done.exit_code == 0
    assert (deploy["deps"], deploy["timeout"], deploy["script"]) == (["build"], 300, "touch ran\n")
    assert {"MODE": "fast", "REGION": "eu"}.items() <= deploy["env"].items()


@pytest.mark.parametrize(
    "argv",
    [["ls"], ["show", "deploy"], ["check"], ["dag"], ["task", "deploy", "-n"], ["runbook", "--show-dag"], ["--help"]],
)
def test_looking_runs_nothing(book, argv):
    done = book(*PAIR).run(*argv)

    assert done.exit_code == 0
    assert not book.has("ran")


@pytest.mark.parametrize("options", [["-n"], ["-n", "--json"], ["--show-dag"], ["-n", "--env", "A=1"]])
def test_a_dry_run_makes_and_changes_no_file_anywhere(book, options):
    book(
        *PAIR,
        cell("bash c --dep deploy -C ./deep/file --gitignore --env-file own.env"),
        cell("bash d -I", "#!/bin/cat", "x"),
    )
    book.path("own.env").write_text("A=1\n")
    before = book.everything()
    done = book.run("runbook", "--graph", "prod", *options)
    every = book.run("task", "c", "d", *options)

    assert (done.exit_code, every.exit_code) == (0, 0)
    assert book.everything() == before


SHELLS = {
    "bash": 'eval "$(spry completion bash)"; COMP_WORDS=(spry task de); COMP_CWORD=2; '
    'COMP_LINE="spry task de"; COMP_POINT=12; $(complete -p spry | sed "s/.*-F \\([^ ]*\\) .*/\\1/") spry de task; '
    'printf "%s\\n" "${COMPREPLY[@]}"',
    "fish": 'spry completion fish | source; complete -C "spry task de"',
}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_one_of_its_shell(book, shell):
    script = book.run("completion", shell)
    _need(shell)
    done = subprocess.run([shell, "-n"], input=script.stdout.encode(), capture_output=True, check=False)

    assert script.exit_code == 0
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_task_names_are_completed(book, shell):
    _need(shell)
    book(*PAIR, cell("bash destroy"), name="Spryfile.md")
    folder = book.place / "bin"
    folder.mkdir()
    (folder / "spry").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m spry "$@"\n')
    (folder / "spry").chmod(0o755)
    env = {**book.env, "PATH": f"{folder}:{book.env['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [shell, "-c", SHELLS[shell]], cwd=book.folder, env=env, capture_output=True, text=True, check=False
    )
    found = [line.replace("plain,", "").split("\t")[0].strip() for line in done.stdout.splitlines()]

    assert found == ["deploy", "destroy"], done


def test_descriptions_are_offered_with_the_names(book):
    env = {"_SPRY_COMPLETE": "zsh_complete", "COMP_WORDS": "spry task b", "COMP_CWORD": "2"}
    done = book(*PAIR).run(env=env)

    assert "Build it" in done.stdout


def _need(program: str) -> None:
    if not any(os.access(os.path.join(folder, program), os.X_OK) for folder in os.environ["PATH"].split(":")):
        pytest.skip(f"{program} is not installed")
