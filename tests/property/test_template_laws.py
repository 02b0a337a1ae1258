"""Laws of interpolation: the scanner agrees with the grammar, places map back exactly, values stay data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.core.dotenv import parse
from spry.core.environment import expand
from spry.core.model import Task
from spry.core.partials import Partial
from spry.core.passage import Passage
from spry.core.shellscan import scan
from spry.core.source import source
from spry.core.template import marks, prepare, render

X = "${captured.x}"
LETTERS = st.text("ab1-_./", min_size=1, max_size=4)


def joined(parts):
    return "".join(text for text, _ in parts), [context for _, contexts in parts for context in contexts]


def wrapped(before, after, inner):
    return inner.map(lambda part: (before + part[0] + after, part[1]))


def many(part):
    return st.lists(part, min_size=1, max_size=3).map(joined)


def grammar(depth):
    """Texts with the context of every expression in them: of unquoted words, of double quotes, of commands."""
    word = st.one_of(LETTERS.map(lambda text: (text, [])), st.just((f"a{X}", ["plain"])))
    inside = st.one_of(
        st.sampled_from(["it's ", "# ", "a ", "\n"]).map(lambda text: (text, [])), st.just((X, ["double"]))
    )
    single = st.sampled_from([(f"'{X}'", ["single"]), (f"'\" {X} # '", ["single"]), (f"\\{X}", ["escaped"])])
    if not depth:
        return word, inside, word.map(lambda part: (f": {part[0]}", part[1]))
    _, quoted, command = grammar(depth - 1)
    substitution = st.one_of(wrapped("$( ", ")", command), wrapped("$( ", "\n)", command), wrapped("`", "`", simple()))
    words = st.one_of(word, single, substitution, wrapped('"', '"', many(quoted)), wrapped("a${x:-", "}", word))
    quotes = st.one_of(inside, substitution, wrapped("${x:-", "}", inside.filter(lambda part: "#" not in part[0])))
    return words, quotes, commands(words, command)


def simple():
    return st.sampled_from([(f": {X}", ["plain"]), (f': "{X}" b', ["double"]), (f": '{X}'", ["single"])])


def commands(words, command):
    plain = st.lists(words, min_size=1, max_size=3).map(
        lambda parts: (" ".join(text for text, _ in parts), joined(parts)[1])
    )
    call = wrapped(": ", "", plain)
    return st.one_of(
        call,
        wrapped("( ", " )", command),
        wrapped("{ ", "; }", command),
        wrapped("if ", "; then :; fi", command),
        wrapped("case a in (b|a) ", ";; c) :;; esac", command),
        wrapped("f() {\n", "\n}", command),
        st.tuples(call, command).map(lambda pair: joined([pair[0], ("; ", []), pair[1]])),
        st.tuples(call, command).map(lambda pair: joined([pair[0], (f" # it's {X}\n", ["comment"]), pair[1]])),
        st.tuples(call, command).map(lambda pair: joined([(f": <<E\n'{X}'\nE\n", ["heredoc"]), pair[1]])),
        st.tuples(call, command).map(lambda pair: joined([(f": <<'E'\n\"{X}\nE\n", ["quoted_heredoc"]), pair[1]])),
    )


@examples(150)
@given(grammar(3)[2])
def test_the_scanner_agrees_with_the_grammar_that_made_the_script(made):
    script, expected = made
    spans = [(mark.start, mark.end) for mark in marks(script)]

    assert scan(script, spans, "bash") == expected


NOISE = st.text("ab \n\t\\'\"`$(){}[]<>;&|#=!-:E", max_size=40)


@examples(200)
@given(
    st.lists(
        st.sampled_from([NOISE, st.just(X), st.just("<<E\n"), st.just("$((")]).flatmap(lambda one: one), max_size=8
    )
)
def test_any_text_gets_one_answer_for_each_expression(parts):
    script = "".join(parts)
    spans = [(mark.start, mark.end) for mark in marks(script)]

    for shell in ("bash", "dash", "zsh", "fish"):
        assert len(scan(script, spans, shell)) == len(spans)


LINES = st.lists(st.sampled_from(["a", "é {{p}}", "{{p}}{{q}}", f"{X} b", "", f"  {{{{q}}}} {X}"]), max_size=5)


def cell(lines, path):
    text = "".join(f"{line}\n" for line in lines)
    file = source("\n".join(["", "", *(f"> {line}" for line in lines)]), path)
    return Passage(text, file, 3, (2,) * len(lines))


@examples(150)
@given(LINES, LINES, st.lists(st.sampled_from(["q", f"{X}", "a {{ b"]), max_size=3))
def test_every_expression_of_an_expanded_cell_is_where_the_file_has_it(body, first, second):
    without = [line.replace("{{p}}", "p") for line in first]
    files = {"body.md": cell(body, "body.md"), "p.md": cell(without, "p.md"), "q.md": cell(second, "q.md")}
    partials = {"p": Partial("p", files["p.md"], ("*",)), "q": Partial("q", files["q.md"])}
    prepared = prepare(files["body.md"], name="t", interpolate=True, injectable=True, partials=partials)

    assert prepared.problems == ()
    assert len(prepared.expressions) == prepared.body.count(X)
    for one in prepared.expressions:
        line = files[one.path or "body.md"].source.lines[one.line - 1]
        assert prepared.body[one.start : one.end] == line[one.column - 1 :][: len(X)] == X


@examples(150)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.sampled_from(["bash", "fish"]))
def test_no_value_ever_changes_the_script(value, shell):
    prepared = prepare(Passage(f'echo {X} "a{X}"', source("")), interpolate=True, shell=shell)
    task = Task("t", shell, prepared.body, expressions=prepared.expressions)
    script = render(task, {("captured", "x"): value}, shell)

    assert script.body == render(task, {("captured", "x"): ""}, shell).body
    assert set(script.env.values()) == {value}


@examples(150)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_survives_in_quotes_of_an_env_cell(value):
    value = value.replace("\r", "")
    single = "'" + value.replace("'", "'\"'\"'") + "'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    read = parse(Passage(f'A={single}\nexport B="{escaped}"\n', source("")))

    assert read.problems == ()
    assert expand(read.assignments, {}.get) == {"A": value, "B": value}
