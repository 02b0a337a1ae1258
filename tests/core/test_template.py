"""Partials, injection, expressions and rendering, on values alone."""

from __future__ import annotations

import pytest

from spry.core.model import Expression, Task
from spry.core.partials import Partial
from spry.core.passage import Passage
from spry.core.source import source
from spry.core.template import LARGEST, RenderError, is_number, prepare, render

X = "${captured.x}"


def passage(text, line=1, indents=(), path="runbook.md"):
    before = [""] * (line - 1)
    rows = text.split("\n")
    lines = [" " * (indents[i] if i < len(indents) else 0) + row for i, row in enumerate(rows)]
    return Passage(text, source("\n".join([*before, *lines]), path), line, indents)


def partials(*given):
    return {one.name: one for one in given}


def partial(name, text, *, inject=(), append=False, weight=0.0, line=1, path="runbook.md"):
    return Partial(name, passage(text, line, path=path), inject, append, weight)


def interpolated(text, *given, shell="bash", **options):
    return prepare(passage(text), interpolate=True, partials=partials(*given), shell=shell, **options)


def injected(text, *given, name="build"):
    return prepare(passage(text), name=name, injectable=True, partials=partials(*given)).body


def keys(text, shell="bash"):
    return [(one.kind, one.key) for one in interpolated(text, shell=shell).expressions]


def messages(prepared):
    return [problem.message for problem in prepared.problems]


def rendered(text, values, shell="bash"):
    prepared = interpolated(text, shell=shell)
    assert prepared.problems == ()
    task = Task("t", shell or "python", prepared.body, interpolate=True, expressions=prepared.expressions)
    return render(task, values, shell)


# Partials


def test_a_reference_becomes_the_text_of_the_partial_without_its_last_newline():
    assert interpolated('echo "{{a}}!"\n', partial("a", "one\ntwo\n")).body == 'echo "one\ntwo!"\n'


def test_partials_include_partials():
    prepared = interpolated("{{a}}\n", partial("a", "1 {{b}} 3\n"), partial("b", "2\n"))

    assert prepared.body == "1 2 3\n"
    assert prepared.problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "{{.Name}}",
        "{{ a }}",
        "{{a b}}",
        '{{a {"k": 1}}}',
        "{{a.b}}",
        "{{}}",
        "{{#if}}",
        "{{{a}}}",
        "{{a",
        "{{a}",
        "{{a\n}}",
        "{{é}}",
    ],
)
def test_other_double_braces_are_left_alone(text):
    prepared = interpolated(text, partial("a", "expanded"), shell="")

    assert prepared.body == text
    assert prepared.problems == ()


def test_an_unknown_partial_is_an_error_with_its_place_and_the_near_name():
    prepared = prepare(
        passage("echo 1\n  {{hedaer}}\n", line=5, indents=(2, 2)),
        interpolate=True,
        partials=partials(partial("header", "x")),
    )

    (problem,) = prepared.problems
    assert problem.message == 'PARTIAL "hedaer" does not exist'
    assert problem.hint == 'did you mean "header"?'
    assert (problem.line, problem.column, problem.length) == (6, 5, 10)
    assert problem.excerpt == "    {{hedaer}}"


def test_an_unknown_partial_inside_a_partial_is_reported_where_it_is_written():
    prepared = interpolated("{{a}}", partial("a", "x\n{{nowhere}}\n", line=30, path="lib.md"))

    (problem,) = prepared.problems
    assert problem.place == "lib.md:31:1"


def test_a_loop_of_partials_is_an_error_that_names_it():
    prepared = interpolated("{{a}}", partial("a", "{{b}}"), partial("b", "{{c}}"), partial("c", "{{b}}"))

    assert messages(prepared) == ["PARTIAL includes itself: b → c → b"]


def test_partials_that_multiply_are_stopped():
    bombs = [partial(f"p{n}", f"{{{{p{n + 1}}}}}" * 10) for n in range(20)]
    prepared = interpolated("{{p0}}", *bombs, partial("p20", ""))

    assert len(prepared.problems) == 1
    assert "too large" in prepared.problems[0].message


def test_partials_that_nest_very_deep_are_stopped():
    chain = [partial(f"p{n}", f"{{{{p{n + 1}}}}}") for n in range(5000)]
    prepared = interpolated("{{p0}}", *chain)

    assert messages(prepared) == ["PARTIAL cells include one another more than 100 deep"]


def test_in_a_comment_of_a_shell_cell_a_reference_is_left_alone():
    prepared = interpolated("# see {{a}} and {{nowhere}}\n{{a}}\n", partial("a", "x\ny"))

    assert prepared.body == "# see {{a}} and {{nowhere}}\nx\ny\n"
    assert prepared.problems == ()


def test_without_interpolate_nothing_is_expanded():
    text = f"{{{{a}}}} {X} $!{{x}}"
    prepared = prepare(passage(text), partials=partials(partial("a", "x")), shell="bash")

    assert (prepared.body, prepared.expressions, prepared.problems) == (text, (), ())


# Injection


def test_partials_are_injected_before_and_after_in_order_of_weight_then_document():
    given = [
        partial("late", "late\n", inject=("*",), weight=9),
        partial("one", "one\n", inject=("*",)),
        partial("two", "two", inject=("b*",)),
        partial("early", "early\n", inject=("build",), weight=-1.5),
        partial("end", "end\n", inject=("*",), append=True),
        partial("elsewhere", "x\n", inject=("deploy",)),
        partial("never", "x\n"),
    ]

    assert injected("body", *given) == "early\none\ntwo\nlate\nbody\nend\n"


@pytest.mark.parametrize("body", ["#!/bin/sh\necho\n", "#!/bin/sh"])
def test_nothing_is_injected_before_a_shebang_line(body):
    assert injected(body, partial("a", "a\n", inject=("*",))).startswith("#!/bin/sh\na\n")


@pytest.mark.parametrize(
    ("globs", "is_wanted"),
    [
        (("build",), True),
        (("b?ild", "x"), True),
        (("*", "!build"), False),
        (("!build", "*"), False),
        (("!deploy",), True),
        (("Build",), False),
        ((), False),
    ],
)
def test_globs_choose_the_tasks_and_negations_win(globs, is_wanted):
    assert (injected("body\n", partial("a", "a\n", inject=globs)) != "body\n") is is_wanted


def test_only_injectable_tasks_receive_text():
    given = partials(partial("a", "a\n", inject=("*",)))

    assert prepare(passage("body\n"), name="build", interpolate=True, partials=given).body == "body\n"


def test_injected_text_is_interpolated_with_the_task():
    given = partials(partial("a", f"echo {X}\n", inject=("*",), line=20), partial("b", "B"))
    prepared = prepare(
        passage("echo {{b}}\n"), name="t", interpolate=True, injectable=True, partials=given, shell="bash"
    )

    assert prepared.body == f"echo {X}\necho B\n"
    assert (prepared.expressions[0].line, prepared.expressions[0].column) == (20, 6)


def test_an_empty_cell_takes_injected_text():
    assert injected("", partial("a", "a\n", inject=("*",))) == "a\n"
    assert injected("") == ""


# Expressions


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("${captured.x}", ("captured", "x")),
        ("${captured.a-b_c.d:e/f+9}", ("captured", "a-b_c.d:e/f+9")),
        ("${captured.x.text()}", ("captured", "x")),
        ("${captured.x.trim()}", ("captured", "x")),
        ("${captured.x.text().trim()}", ("captured", "x")),
        ("${captured.a.text}", ("captured", "a.text")),
        ("${env.HOME}", ("env", "HOME")),
        ("${param.dry-run}", ("param", "dry-run")),
    ],
)
def test_expressions_are_found(text, key):
    assert keys(f"echo {text}") == [key]
    assert keys(f"print({text})", shell="") == [key]


@pytest.mark.parametrize(
    "text",
    [
        "${HOME}",
        "${x:-y}",
        "$(date)",
        "$x",
        "${captured}",
        "${captured.}",
        "${captured.x.json()}",
        "${captured.x y}",
        "${captured.x",
        "${captured.x\n}",
        "${env.}",
        "${env.X || 'y'}",
        "${env.get('x')}",
        "${Captured.x}",
        "$captured.x",
        "$!",
        "$! {x}",
    ],
)
def test_anything_else_is_left_for_the_interpreter(text):
    prepared = interpolated(f"echo {text}")

    assert prepared.body == f"echo {text}"
    assert prepared.expressions == prepared.problems == ()


def test_an_expression_knows_its_offsets_and_its_place_in_the_file():
    prepared = prepare(
        passage('echo\n  echo "é ${env.HOME}"\n', line=7, indents=(3, 1)), interpolate=True, shell="bash"
    )

    assert prepared.expressions == (Expression(15, 26, "env", "HOME", "double", 8, 12),)
    assert prepared.body[15:26] == "${env.HOME}"


def test_an_expression_from_a_partial_names_the_file_it_is_written_in():
    prepared = interpolated("a\n{{p}}\n", partial("p", f"b\n  {X}\n", line=40, path="lib.md"), shell="")

    assert prepared.expressions == (Expression(6, 19, "captured", "x", "text", 41, 3, "lib.md"),)


def test_the_lines_of_a_composed_script_are_those_of_the_files():
    prepared = interpolated("a\n{{p}} c\nd\n", partial("p", "x\ny\n", line=40, path="lib.md"))

    assert prepared.body == "a\nx\ny c\nd\n"
    assert prepared.composed.lines() == (("runbook.md", 1), ("lib.md", 40), ("lib.md", 41), ("runbook.md", 3))


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        (f"echo '{X}'", f"{X} stands in single quotes", 7),
        (f"cat <<'E'\n {X}\nE\n", f"{X} stands in a here-document with a quoted delimiter", 2),
        (X, f"{X} would be run as a command", 1),
        (f'eval "{X}"', f"{X} would become part of code", 7),
        ("a $!{await f({b: 1})} c", "$!{await f({b: 1})} cannot be expanded", 3),
        ("a '$!{x}'", "$!{x} cannot be expanded", 4),
    ],
)
def test_an_expression_where_it_cannot_be_data_is_an_error_with_a_hint(text, message, column):
    prepared = interpolated(text)

    (problem,) = prepared.problems
    assert problem.message.startswith(message)
    assert problem.column == column
    assert problem.hint
    assert prepared.expressions == ()


def test_javascript_is_an_error_in_every_cell_and_each_is_named():
    prepared = interpolated('# $!{a}\n$!{await f("}")} $!{\n', shell="")

    assert [(problem.line, problem.column) for problem in prepared.problems] == [(1, 3), (2, 1), (2, 18)]
    assert "python cell" in prepared.problems[0].hint


def test_comments_and_escaped_expressions_of_a_shell_cell_are_left_alone():
    prepared = interpolated(f"# {X} $!{{x}}\necho \\{X} \\$!{{x}}\n")

    assert prepared.expressions == prepared.problems == ()


def test_in_other_cells_every_place_counts():
    assert keys(f"# {X} '{X}' \\{X}", shell="") == [("captured", "x")] * 3


# Rendering

HOSTILE = "$(touch pwned) `x` \"' \\ \n*"


@pytest.mark.parametrize("shell", ["bash", "sh", "dash", "zsh", "ksh"])
def test_a_shell_gets_references_and_the_values_beside_them(shell):
    script = rendered(f'echo {X} "{X}" ${{env.A}}', {("captured", "x"): HOSTILE, ("env", "A"): "a"}, shell)

    assert script.body == 'echo ${SPRY_VALUE_1} "${SPRY_VALUE_1}" ${SPRY_VALUE_2}'
    assert script.env == {"SPRY_VALUE_1": HOSTILE, "SPRY_VALUE_2": "a"}


def test_fish_gets_references_that_it_understands_in_and_outside_of_quotes():
    script = rendered(f'echo {X} "a {X} b"', {("captured", "x"): "v"}, "fish")

    assert script.body == 'echo "$SPRY_VALUE_1" "a "$SPRY_VALUE_1" b"'


def test_other_interpreters_get_the_text_itself():
    script = rendered(f"a {X}\nb {X}", {("captured", "x"): HOSTILE}, "")

    assert script.body == f"a {HOSTILE}\nb {HOSTILE}"
    assert script.env == {}


def test_trim_takes_blanks_off_both_ends():
    script = rendered(f'echo "{X}${{captured.x.trim()}}"', {("captured", "x"): " a "})

    assert script.env == {"SPRY_VALUE_1": " a ", "SPRY_VALUE_2": "a"}


def test_a_task_without_expressions_is_as_it_was():
    assert render(Task("t", "bash", "echo ${x}"), {}) == ("echo ${x}", {})


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("${captured.verison}", 'did you mean "version"?'),
        ("${captured.other}", "-C other"),
        ("${env.HOME}", "--env HOME=VALUE"),
        ("${param.who}", "--param who=VALUE"),
    ],
)
def test_a_missing_value_is_an_error_that_names_it(text, hint):
    with pytest.raises(RenderError) as caught:
        rendered(f"\necho {text}", {("captured", "version"): "1", ("env", "who"): "x"})

    assert caught.value.message == f"{text} (line 2) has no value"
    assert hint in caught.value.hint


@pytest.mark.parametrize("value", ["", "a[$(x)]", "1+1", "1;x", "0x1f", "x", "1 2", "--1", "-+1", ".", "1.", "٣", "²"])
def test_only_numbers_are_calculated_with(value):
    with pytest.raises(RenderError) as caught:
        rendered(f"echo $(( {X} ))", {("captured", "x"): value})

    assert "no number" in caught.value.message


def test_an_error_never_shows_the_value():
    with pytest.raises(RenderError) as caught:
        rendered(f"echo $(( {X} ))", {("captured", "x"): "hunter2"})

    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("value", ["0", "42", "-7", "+7", " 12\n", "3.25", "1" * 50])
def test_plain_numbers_are_calculated_with(value):
    assert rendered(f"echo $(( {X} ))", {("captured", "x"): value}).env == {"SPRY_VALUE_1": value}


def test_a_decimal_needs_digits_on_both_sides():
    assert not is_number("1.")
    assert not is_number(".5")


@pytest.mark.parametrize("shell", ["bash", ""])
def test_a_value_that_fits_no_environment_is_an_error(shell):
    room = LARGEST - len("SPRY_VALUE_1=")
    rendered(f"echo {X}", {("captured", "x"): "a" * room}, shell)

    for value in ("a" * (room + 1), "é" * (room // 2 + 1), "a\0b"):
        with pytest.raises(RenderError) as caught:
            rendered(f"echo {X}", {("captured", "x"): value}, shell)
        assert "-C ./FILE" in caught.value.hint


def test_bytes_that_are_no_text_pass_through():
    value = b"\xff\xfe".decode("utf-8", "surrogateescape")

    assert rendered(f"echo {X}", {("captured", "x"): value}).env == {"SPRY_VALUE_1": value}
