"""Env cells and files as data, and the layers of a task's environment."""

from __future__ import annotations

import pytest

from spry.core.dotenv import parse
from spry.core.environment import base, compose, expand, scrub
from spry.core.passage import Passage
from spry.core.source import source


def parsed(text, line=1, indents=()):
    return parse(Passage(text, source("\n" * (line - 1) + text), line, indents))


def values(text, environment=None):
    result = parsed(text)
    assert result.problems == ()
    return expand(result.assignments, (environment or {}).get)


def assignments(text):
    return parsed(text).assignments


# Reading


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("  A=b  ", "b"),
        ("export A=b", "b"),
        ("export\tA=b", "b"),
        ("A=", ""),
        ("A=''", ""),
        ("A=b c", "b c"),
        ("A=b  c # note", "b  c"),
        ("A=b#c", "b#c"),
        ("A=#c", "#c"),
        ("A= # note", ""),
        ("A='b # c' # note", "b # c"),
        ("A=http://h/?a=1&b=2;c", "http://h/?a=1&b=2;c"),
        ("A='$HOME \\n \"'", '$HOME \\n "'),
        ('A="b\'c"', "b'c"),
        (r'A="a\"b\\c\$d\`e"', 'a"b\\c$d`e'),
        (r'A="a\nb\tc\rd"', "a\nb\tc\rd"),
        (r'A="a\qb"', r"a\qb"),
        ('A="a\nb"', "a\nb"),
        ("A='a\nb\n'", "a\nb\n"),
        ('A="a\\\nb"', "ab"),
        ("A=a\\\nb", "ab"),
        (r"A=C:\tools\x", r"C:\tools\x"),
        (r"A=a\ b\#c\$d\'e\\f", "a b#c$d'e\\f"),
        ("A='a'\"b\"c", "abc"),
        ('export A=a"b c"', "ab c"),
        ("A=a=b", "a=b"),
        ("A=5$", "5$"),
        ("A=a$1$?", "a$1$?"),
        ("A=é✓", "é✓"),
        ("A=~/x", "~/x"),
        (r"A='`x` $(y)'", "`x` $(y)"),
        (r'A="\$(x)"', "$(x)"),
    ],
)
def test_values_are_read_as_data(line, value):
    assert values(line) == {"A": value}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=$B", "b"),
        ("A=${B}", "b"),
        ('A="x${B}y$B"', "xbyb"),
        ("A=$B/c", "b/c"),
        ("A='$B'", "$B"),
        ("A=$UNSET", ""),
        ("A=${UNSET:-d e}", "d e"),
        ("A=${EMPTY:-d}", "d"),
        ("A=${EMPTY-d}", ""),
        ("A=${B:-d}", "b"),
        ("A=${UNSET:-}", ""),
        (r"A=\$B", "$B"),
    ],
)
def test_variables_expand_from_the_environment(line, value):
    assert values(line, {"B": "b", "EMPTY": ""}) == {"A": value}


def test_earlier_lines_go_before_the_environment_and_values_are_not_read_twice():
    text = "A=1\nB=$A$C\nA=2\nD=$A\nE=$F\n"

    assert values(text, {"A": "0", "C": "c", "F": "$A `x`"}) == {
        "A": "2",
        "B": "1c",
        "D": "2",
        "E": "$A `x`",
    }


def test_a_path_can_be_put_before_itself():
    assert values('export PATH="$HOME/bin:$PATH"', {"HOME": "/h", "PATH": "/bin"}) == {"PATH": "/h/bin:/bin"}


def test_export_takes_several_assignments_as_a_shell_does():
    assert values("export A=1 B='2 3' C D=$A # note") == {"A": "1", "B": "2 3", "D": "1"}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# A=1",
        "direnv allow",
        "PATH_add bin",
        "PATH_add $(pwd)/bin",
        "export A",
        "export -n A",
        "unset A",
        "if [ -f .env ]; then",
        "test a == b",
        "a.b=c",
        "1A=b",
        "exported=",
        "echo `date`",
    ],
)
def test_other_lines_are_passed_over(line):
    assert set(values(f"X=1\n{line}\nY=2\n")) - {"exported"} == {"X", "Y"}


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("A=$(date)", 3, "$( runs nothing here"),
        ('A="x $(date)"', 6, "$( runs nothing here"),
        ("export A=`date`", 10, "` runs nothing here"),
        ("export $(cat .env)", 8, "$( runs nothing here"),
        ("A='b", 3, "this quote is never closed"),
        ('A="b', 3, "this quote is never closed"),
        ("A=it's", 5, "a quote in the middle"),
        ('A={"k": 1}', 4, "a quote in the middle"),
        ("A='b' c", 7, "text behind the closing quote"),
        ("export A=b c.d", 12, "expected NAME=VALUE"),
        ("A = b", 1, "blanks around the ="),
        ("export A = b", 8, "blanks around the ="),
        ("A+=b", 2, "+= is not read"),
        ("A=$'b'", 3, "$'…' is not read"),
        ("A=${B:?no}", 3, "this expansion is not read"),
        ("A=${B", 3, "this expansion is not read"),
        ("A=${!B}", 3, "this expansion is not read"),
        ("A=${B:-$C}", 3, "this expansion is not read"),
    ],
)
def test_what_cannot_be_data_is_an_error_with_its_place(line, column, message):
    result = parsed(f"OK=1\n{line}\nLAST=2\n", line=10, indents=(0, 0, 0))

    (problem,) = result.problems
    assert (problem.line, problem.column) == (11, column)
    assert problem.message.startswith(message)
    assert problem.hint
    assert [result.assignments[0].name, result.assignments[-1].name] == ["OK", "LAST"]


def test_lines_behind_a_bad_one_are_still_read():
    result = parsed("A='x\nB=$(y)\nC=1\n")

    assert [problem.line for problem in result.problems] == [1, 2]
    assert [one.name for one in result.assignments] == ["C"]


def test_columns_count_what_a_list_took_away():
    (problem,) = parsed("A=1\nB=`x`\n", line=4, indents=(2, 6)).problems

    assert problem.column == 9


# Layers

CALLER = {
    b"PATH": b"/bin",
    b"BASH_ENV": b"x",
    b"ENV": b"x",
    b"SHELLOPTS": b"x",
    b"BASHOPTS": b"x",
    b"PS4": b"$(x)",
    b"BASH_XTRACEFD": b"7",
    b"BASH_FUNC_ls%%": b"() { x; }",
    b"SPRY": b"1",
    b"SPRY_TASK": b"outer",
    b"SPRY_OUTPUT": b"/outer",
    b"SPRY_VALUE_1": b"outer",
    b"SPRY_DB": b"mine",
    b"RAW": b"\xff\xfe",
}


def test_what_would_change_a_tasks_shell_never_gets_through():
    assert scrub(CALLER) == {b"PATH": b"/bin", b"SPRY_DB": b"mine", b"RAW": b"\xff\xfe"}


LAYERS = ["caller", "base file", "settings", "cell", "file", "env", "parameter", "command line", "own"]


@pytest.mark.parametrize("top", range(len(LAYERS)))
def test_each_layer_lies_over_those_before_it(top):
    given = [{"V": name} if index <= top else {} for index, name in enumerate(LAYERS)]
    caller, base_file, settings, cell, file, env, parameter, command_line, own = given
    shared = base(
        {name.encode(): value.encode() for name, value in caller.items()},
        files=[assignments("".join(f"{name}='{value}'" for name, value in base_file.items()))],
        settings=settings,
    )
    composed = compose(
        shared,
        cells=[assignments("".join(f"{name}='{value}'" for name, value in cell.items()))],
        files=[assignments("".join(f"{name}='{value}'" for name, value in file.items()))],
        env=tuple(env.items()),
        parameters=parameter,
        command_line=tuple(command_line.items()),
        own=own,
    )

    assert composed == {b"V": LAYERS[top].encode()}


def test_files_and_cells_expand_from_the_layers_below_them():
    shared = base({b"A": b"1", b"RAW": b"\xff"}, files=[assignments("B=$A-2")], settings={"C": "$A"})
    composed = compose(
        shared,
        cells=[assignments("D=$B-3"), assignments("E=$D$C$RAW")],
        files=[assignments("F=$E")],
        env=(("D", "x"),),
    )

    assert composed[b"F"] == b"1-2-3$A\xff"
    assert composed[b"D"] == b"x"


def test_composing_leaves_the_shared_layers_alone():
    shared = base({b"A": b"1"})
    compose(shared, env=(("A", "2"),))["B"] = b""

    assert shared == {b"A": b"1"}
