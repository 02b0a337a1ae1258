"""Laws of the parser: what is written is read back, wherever it stands and however it is quoted; nothing upsets it."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.core.compile import compile_sources
from spry.core.fence import read
from spry.core.flags import TASK_FLAGS
from spry.core.runbook import DIRECTIVES
from spry.core.source import decode, source

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SAFE = frozenset(LETTERS + "_.:/+,=@%^é-")
TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="`"), min_size=1, max_size=20
)
NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:/+-]{0,8}", fullmatch=True).filter(
    lambda name: not name.lower().endswith((".md", ".markdown")) and name not in DIRECTIVES
)
DURATIONS = st.sampled_from([("30", 30.0), ("250ms", 0.25), ("5m", 300.0), ("1h30m", 5400.0)])


class Written(NamedTuple):
    """A task as a test means it."""

    name: str
    deps: tuple[str, ...]
    descr: str
    timeout: tuple[str, float] | None
    tags: tuple[str, ...]
    silent: bool
    body: str


@st.composite
def runbooks(draw) -> list[Written]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    lines = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="`~"), max_size=12)
    return [
        Written(
            name,
            tuple(draw(st.lists(st.sampled_from(names[:number]), unique=True, max_size=3))) if number else (),
            draw(TEXT).strip(),
            draw(st.none() | DURATIONS),
            tuple(draw(st.lists(st.sampled_from(["x", "y1"]), unique=True, max_size=2))),
            draw(st.booleans()),
            "".join(f"{line}\n" for line in draw(st.lists(lines, max_size=4))),
        )
        for number, name in enumerate(names)
    ]


@st.composite
def quoted(draw, text: str) -> str:
    """A word in one of the ways in which a shell would read it."""
    ways = ['"' + "".join(f"\\{letter}" if letter in '"\\$' else letter for letter in text) + '"']
    if "'" not in text:
        ways.append(f"'{text}'")
    if text and set(text) <= SAFE and text[0] not in "-{":
        ways.append(text)
    if text and not text.isspace():
        ways.append("".join(letter if letter in SAFE else f"\\{letter}" for letter in text).replace("-", "\\-", 1))
    return draw(st.sampled_from(ways))


@st.composite
def flags(draw, task: Written) -> list[str]:
    """The flags of a task, each as one piece of text."""
    pieces = []
    if task.deps:
        spelling = draw(st.sampled_from(["--dep", "-D", "--needs"]))
        lists = [",".join(task.deps)] if draw(st.booleans()) else list(task.deps)
        pieces += [f"{spelling}{draw(st.sampled_from([' ', '=']))}{draw(quoted(one))}" for one in lists]
    if task.descr:
        pieces.append(f"{draw(st.sampled_from(['--descr', '-d', '--desc']))} {draw(quoted(task.descr))}")
    if task.timeout:
        pieces.append(f"--timeout{draw(st.sampled_from([' ', '=', '  ']))}{task.timeout[0]}")
    pieces += [f"--tag {tag}" for tag in task.tags]
    return [*pieces, *(["--silent"] if task.silent else [])]


@st.composite
def spoken(draw, task: Written) -> str:
    """NAME and flags, NAME anywhere among them; dependencies keep their order."""
    pieces = draw(flags(task))
    place = draw(st.integers(0, len(pieces)))
    pieces.insert(place, task.name)
    return draw(st.sampled_from([" ", "  ", "\t"])).join(pieces)


def attributes(task: Written, *, plain: bool) -> str:
    """NAME and flags as attributes: pairs, or a JSON object."""
    values = {"name": task.name, "dep": list(task.deps), "descr": task.descr, "tag": list(task.tags)}
    values |= {"timeout": task.timeout[0]} if task.timeout else {}
    values |= {"silent": True} if task.silent else {}
    values = {key: value for key, value in values.items() if value}
    if not plain:
        return json.dumps(values, ensure_ascii=False)
    pairs = []
    for key, value in values.items():
        text = ",".join(value) if isinstance(value, list) else "true" if value is True else value
        pairs.append(f'{key}="' + "".join(f"\\{letter}" if letter in '"\\$' else letter for letter in text) + '"')
    return "{" + " ".join(pairs) + "}"


@st.composite
def fences(draw, task: Written) -> str:
    """A task as a fence: by its info string, its attributes, or a comment above; in lists and quotes."""
    carrier = draw(st.sampled_from(["info", "info", "attributes", "json", "comment"]))
    if carrier == "comment" and ("--" in task.descr or ">" in task.descr):
        carrier = "info"
    marker = draw(st.sampled_from("`~")) * draw(st.integers(3, 6))
    language = draw(st.sampled_from(["bash", "sh", "Bash"]))
    above = [f"<!-- spry: {draw(spoken(task))} -->"] if carrier == "comment" else []
    info = {
        "info": lambda: " " + draw(spoken(task)),
        "attributes": lambda: draw(st.sampled_from(["", " "])) + attributes(task, plain=True),
        "json": lambda: " " + attributes(task, plain=False),
        "comment": lambda: "",
    }[carrier]()
    lines = [*above, f"{marker}{language}{info}", *task.body.split("\n")[:-1], marker]
    before, first, rest = draw(
        st.sampled_from([("", "", ""), ("", "- ", "  "), ("", "> ", "> "), ("1. x\n\n", "   > ", "   > ")])
    )
    return before + "".join(f"{rest if number else first}{line}\n" for number, line in enumerate(lines)) + "\ntext\n\n"


@examples(150)
@given(st.data(), runbooks(), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff", "---\ntitle: x\n---\n"]))
def test_what_is_written_is_read_back(data, tasks, end, start):
    text = start + "".join(data.draw(fences(task)) for task in tasks)
    read_text = source(text.replace("\n", end))
    found = compile_sources([read_text])

    assert found.problems == ()
    assert [
        Written(
            task.name,
            task.deps,
            task.descr,
            None if task.timeout is None else (meant.timeout[0] if meant.timeout else "", task.timeout),
            task.tags,
            task.silent,
            task.body,
        )
        for task, meant in zip(found.graph.runbook.tasks.values(), tasks, strict=True)
    ] == tasks
    for task in found.graph.runbook.tasks.values():
        line = read_text.lines[task.line - 1]
        assert line[task.column - 1 :].startswith((task.name, "name=", '"name"'))
        assert task.body_line > task.line


@pytest.mark.parametrize("text", ["{name=a, descr='x,'}", "{descr='x,' name=a,}", "{name: a, descr: 'x,'}"])
def test_a_comma_between_attributes_is_no_part_of_them_and_a_quoted_one_is(text):
    found = read(text, 0, TASK_FLAGS)

    assert not found.faults
    assert found.name.text == "a"
    assert [one.value for one in found.given] == ["x,"]


@examples(150)
@given(st.data(), st.lists(NAMES, min_size=1, max_size=4))
def test_every_dependency_has_its_own_place(data, names):
    text = "bash task"
    while names:
        count = data.draw(st.integers(1, len(names)))
        word = data.draw(st.sampled_from(["{}", "'{}'", '"{}"', "' {} '"])).format(",".join(names[:count]))
        text += data.draw(st.sampled_from([" --dep ", " --dep=", " -D  "])) + word
        names = names[count:]
    found = read(text, 4, TASK_FLAGS)

    assert not found.faults
    for given_one in found.given:
        assert text[given_one.text_start :].startswith(str(given_one.value))


PIECES = st.sampled_from([
    "```", "~~~", "````", "bash", "sh", "python", "env", " ", "\n", "\n\n", "> ", "- ", "    ", "\t", "x", "build",
    "--dep", " --descr ", "-C", "-I", "--timeout 5", "--inject *", "'", '"', "\\", "{", "}", "=", ",", "*", "#!", "`",
    "{{x}}", "${captured.x}", "$!{", "<!--", "<!-- spry: ", "-->", "---\n", "spry:", " jobs: 2\n", "PARTIAL", "1. ",
    "code DEFAULTS", "\r", "\ufeff", "é", "\u2028", "<pre>", "[a]: ", "&amp;",
])  # fmt: skip


@examples(400)
@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60))
def test_no_text_upsets_the_parser_and_every_problem_has_a_place(text):
    read_text = source(text)
    found = compile_sources([read_text])

    for problem in found.problems:
        assert 0 <= problem.line <= len(read_text.lines)
        if problem.line:
            assert problem.excerpt == read_text.lines[problem.line - 1]
            assert 1 <= problem.column <= len(problem.excerpt) + 1
    if found.graph is not None:
        for task in found.graph.runbook.tasks.values():
            assert not any("\n" in word for word in (task.name, task.descr))


@examples(300)
@given(st.lists(PIECES.filter(lambda piece: "\n" not in piece and "\r" not in piece), max_size=20).map("".join))
def test_no_info_string_upsets_the_parser_and_every_fault_lies_inside_it(info):
    found = read(f"```bash {info}", 7, TASK_FLAGS)

    for fault in found.faults:
        assert 0 <= fault.start <= len(info) + 8
    for given_one in found.given:
        assert 0 <= given_one.start <= given_one.text_start <= len(info) + 8


@examples(200)
@given(st.binary(max_size=80))
def test_no_bytes_upset_the_reader(data):
    found = compile_sources([decode(data, "x.md", ".")])

    assert found.graph is not None or found.problems
