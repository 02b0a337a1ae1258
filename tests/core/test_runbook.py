"""What cells mean: which are tasks, which are documentation, and where their values come from."""

from __future__ import annotations

import pytest

from spry.core.runbook import assemble
from spry.core.source import source


def assembled(*texts: str):
    return assemble([source(text, f"{number}.md") for number, text in enumerate(texts, 1)])


def names(text: str) -> list[str]:
    found = assembled(text)
    assert not found.problems, found.problems
    return list(found.drafts)


def task(text: str, name: str = "t"):
    found = assembled(text)
    assert not found.problems, found.problems
    return found.drafts[name].task


def problems(*texts: str) -> list[str]:
    return [f"{problem.place} {problem.message}" for problem in assembled(*texts).problems]


def cell(info: str, body: str = "echo hi") -> str:
    return f"```{info}\n{body}\n```\n"


TASKS = """
bash t|sh t|zsh t|shell t|fish t|env t|envrc t|Bash t|BASH t|bash -I t|bash\tt|  bash   t|bash{name=t}
python t --descr x|py t --dep a|python name=t|python {name=t}|js {"name": "t"}|node t -C=x --tag y
ruby t --tag x|perl t --tag x|pwsh t --tag x
"""
DOCUMENTATION = """
bash|bash title="x"|bash {linenos=true}|bash {.line-numbers}|python t|python t x|js example|text t|console t|bash#test t
sql x.sql { route: { caption: 'a' } }|sql x.sql{ route: 1 }|json t --dep a|bash HEAD|bash TAIL --nonsense|yaml META
bash HFM|yaml CONNECTIONS|bash SPAWNABLES { a: [ }|bash "a b"|bash title="it's|bash "unclosed|python t 'unclosed|bash -x
"""


def infos(text: str) -> list[str]:
    return [info for line in text.strip("\n").split("\n") for info in line.split("|")]


@pytest.mark.parametrize("info", infos(TASKS))
def test_these_cells_are_tasks(info):
    assert names(cell(info)) == ["t"]


@pytest.mark.parametrize("info", ["", *infos(DOCUMENTATION)])
def test_these_cells_are_documentation_and_never_an_error(info):
    assert names(cell(info)) == []


@pytest.mark.parametrize("name", ["CI", "BUILD", "TEST", "A", "DEFAULTS"])
def test_other_words_in_capitals_are_names(name):
    assert names(cell(f"bash {name}")) == [name]


def test_not_directive_makes_a_directive_word_a_name():
    assert names(cell("bash PARTIAL --not-directive --descr x")) == ["PARTIAL"]


def test_a_language_of_the_front_matter_runs_with_a_name_and_a_flag():
    front = "---\nspry:\n  interpreters:\n    sql: sqlite3 app.db\n---\n"

    assert names(front + cell("sql query --descr x") + cell("sql other.sql")) == ["query"]


@pytest.mark.parametrize("info", ["bash --descr x", "sh --dep a", "bash -D a", "python --tag x", "bash --silent {a=b}"])
def test_flags_without_a_name_are_a_problem(info):
    assert problems(cell(info)) == [f"1.md:1:{info.index('-') + 4} the cell has flags but no NAME"]


def test_a_name_that_is_none_is_reported_with_the_flags_it_has():
    assert problems(cell("bash deploy.md --dep a")) == ['1.md:1:9 "deploy.md" cannot name a task']


def test_the_body_is_untouched():
    body = "  indented\n\n\ttab\n# comment \\\ntrailing  "

    assert task(cell("bash t", body)).body == body + "\n"


def test_positions_are_those_of_the_file():
    found = task("text\n\n- item\n\n  ```bash t --dep a,b\n  x\n  ```\n")

    assert (found.line, found.column, found.body_line) == (5, 11, 6)
    assert found.dep_marks == ((5, 19), (5, 21))


def test_a_name_may_be_used_once_in_all_files():
    found = problems(cell("bash t"), cell("sh t"))

    assert found == ['2.md:1:7 Task "t" is already defined at 1.md:1']


def test_a_broken_cell_owns_its_name():
    found = assembled(cell("bash t --dpe x"))

    assert found.owned == {"t"}


def test_a_broken_cell_is_read_as_far_as_it_can_be():
    found = assembled(cell("bash t --dep a,,b --timeout never --silent"))

    assert (found.drafts["t"].task.deps, found.drafts["t"].task.silent) == (("a", "b"), True)


def test_defaults_supply_flags_and_a_later_line_wins():
    defaults = cell(
        "code DEFAULTS", "# all of them\nbash * --timeout 5m --tag all\nbash t* --timeout 1m\nsql * --silent\n"
    )
    found = task(defaults + cell("bash t"))

    assert (found.timeout, found.tags, found.silent) == (60, ("all",), False)


def test_the_cell_wins_over_defaults_and_defaults_over_front_matter():
    front = "---\nspry:\n  defaults: {timeout: 3, retry: 2}\n---\n"
    text = front + cell("code DEFAULTS", "bash t --timeout 2 --retry 4") + cell("bash t --timeout 1") + cell("bash u")
    found = assembled(text).drafts

    assert (found["t"].task.timeout, found["t"].task.attempts) == (1, 4)
    assert (found["u"].task.timeout, found["u"].task.attempts) == (3, 2)


def test_every_value_knows_where_it_comes_from():
    front = "---\nspry:\n  defaults: {retry: 2}\n---\n"
    found = task(front + cell("code DEFAULTS", "bash t --tag x") + cell("bash t --timeout 1"))

    assert dict(found.origins) == {
        "attempts": "front matter", "backoff": "front matter", "backoff_factor": "front matter",
        "tags": "DEFAULTS, line 6", "timeout": "line 8",
    }  # fmt: skip


def test_environments_of_defaults_and_cell_are_merged_by_name():
    text = cell("code DEFAULTS", "* * --env A=1 --env B=1") + cell("bash t --env B=2")

    assert dict(task(text).env) == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bash", "1.md:2:1 a DEFAULTS line needs two globs"),
        ("bash *", "1.md:2:1 a DEFAULTS line without flags"),
        ("bash * --timeot 5", "1.md:2:8 unknown flag --timeot"),
        ("bash * word", '1.md:2:8 unexpected word "word"'),
        ("bash 'a", "1.md:2:1 a DEFAULTS line needs two globs"),
    ],
)
def test_a_wrong_line_of_defaults_is_a_problem_at_its_place(line, message):
    assert problems(cell("code DEFAULTS", line))[0] == message


def test_a_comment_above_a_fence_says_the_same_as_its_info_string():
    found = task("<!-- spry: t --dep a --descr 'x y' -->\n```bash\nx\n```\n")

    assert (found.name, found.deps, found.descr) == ("t", ("a",), "x y")
    assert (found.line, found.column, found.dep_marks) == (1, 12, ((1, 20),))


def test_comment_and_fence_may_share_the_work():
    found = task("<!-- spry: --dep a -->\n```bash t\nx\n```\n")

    assert (found.name, found.deps) == ("t", ("a",))


@pytest.mark.parametrize(
    ("comment", "info", "message"),
    [
        ("u", "bash t", "1.md:1:12 the cell is named here and in its fence"),
        ("--dep a", "bash t --dep b", "1.md:1:12 --dep is given here and in the fence"),
        ("t", "text", '1.md:2:4 spry cannot run language "text"'),
        ("t", "", "1.md:2:4 spry cannot run a fence without a language"),
        ("t --dpe a", "bash", "1.md:1:14 unknown flag --dpe"),
        ("", "bash", "1.md:2:8 the cell has flags but no NAME"),
    ],
)
def test_a_comment_is_held_to_the_same_rules(comment, info, message):
    assert problems(f"<!-- spry: {comment} -->\n```{info}\nx\n```\n")[0] == message


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--optional", "--optional without --finally"),
        ("-C x --gitignore", "--gitignore without a captured file"),
        ("--reserved keep", "--reserved without --inbox"),
    ],
)
def test_flags_that_need_another_one_say_so(flags, message):
    assert problems(cell(f"bash t {flags}"))[0].endswith(message)


def test_a_bare_capture_is_kept_under_the_name_of_the_task():
    assert task(cell("bash t -C -C ./x -C y")).captures == ("t", "./x", "y")


def test_restore_implies_isolated():
    assert task(cell("bash t --restore")).isolated


def test_a_partial_has_a_name_of_its_own_and_is_no_task():
    found = assembled(
        cell('bash PARTIAL head { x: { type: "string" } }')
        + cell("bash PARTIAL foot --inject 'a*' --append --weight 3")
    )

    assert not found.drafts
    assert not found.problems
    assert (found.partials["foot"].inject, found.partials["foot"].append, found.partials["foot"].weight) == (
        ("a*",),
        True,
        3,
    )


@pytest.mark.parametrize(
    ("infos", "message"),
    [
        (("bash PARTIAL",), "1.md:1:9 PARTIAL needs a name"),
        (("bash PARTIAL a", "bash PARTIAL a"), '1.md:4:17 Partial "a" is already defined at 1.md:1'),
        (("bash PARTIAL a --injekt x",), "1.md:1:19 unknown flag --injekt"),
        (("bash PARTIAL a --weight heavy",), '1.md:1:28 --weight: "heavy" is no number'),
    ],
)
def test_a_wrong_partial_is_a_problem(infos, message):
    assert problems("".join(cell(info) for info in infos)) == [message]


@pytest.mark.parametrize("text", ["```bash t\nx\n", "```bash\nx\n", "```\nx\n", "text\n\n- ```sh t\n  x\n\nend\n"])
def test_an_unterminated_fence_that_could_be_a_task_is_a_problem(text):
    assert any("unterminated fence" in problem for problem in problems(text))


def test_an_unterminated_fence_of_another_language_is_text_to_the_end():
    assert problems("```text\nx\n") == []


@pytest.mark.parametrize("outer", ["````md", "~~~text", "```text", "```"])
def test_an_unclosed_fence_that_hides_a_task_is_a_problem(outer):
    assert problems(f"{outer}\nx\n\n```bash t\nx\n```\n")


def test_all_problems_come_at_once_in_document_order():
    text = cell("bash a --dpe x") + cell("bash b --timeout never") + cell("bash b") + cell("bash c d")

    assert [problem.split(" ", 1)[0] for problem in problems(text)] == [
        "1.md:1:11",
        "1.md:4:21",
        "1.md:7:9",
        "1.md:10:11",
    ]


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_line_ends_do_not_matter(ending):
    text = cell("code DEFAULTS", "bash * --timeout 1") + cell("bash t --dep a", "one\ntwo")

    assert task(text.replace("\n", ending)) == task(text)
