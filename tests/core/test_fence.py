"""The grammar of an info string: names, flags, values, attributes, and what is wrong with them."""

from __future__ import annotations

import pytest

from spry.core.fence import is_name, read
from spry.core.flags import TABLE, TASK_FLAGS


def reading(text: str):
    return read(text, 0, TASK_FLAGS)


def given(text: str) -> list[tuple[str, object]]:
    return [(one.flag.name, one.value) for one in reading(text).given]


def faults(text: str) -> list[str]:
    return [fault.message for fault in reading(text).faults]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("build", "build"),
        ("build --dep a", "build"),
        ("--dep a build", "build"),
        ("--descr 'no name' build", "build"),
        ("-C build", "build"),
        ("-I build", "build"),
        ("--silent build", "build"),
        ("--gitignore build", "build"),
        ("test.unit", "test.unit"),
        ("Name_With.Dots:and/slash+x", "Name_With.Dots:and/slash+x"),
        ("{ name=build }", "build"),
        ('{ "name": "build" }', "build"),
        ("build{silent}", "build"),
        ("name=build", "build"),
        ("CI", "CI"),
        ("dep", "dep"),
        ('"build"', "build"),
        ("--restore=out build", "build"),
    ],
)
def test_the_name_is_the_first_word_that_is_neither_flag_nor_value(text, name):
    found = reading(text)

    assert found.name is not None
    assert found.name.text == name
    assert not found.faults


@pytest.mark.parametrize("text", ["x.md", "README.markdown", "-x", "a b", "ü", "", ".hidden", "a{b"])
def test_these_cannot_name_a_task(text):
    assert not is_name(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b --dep a,c", [("dep", "a"), ("dep", "c")]),
        ("b -D a -D c", [("dep", "a"), ("dep", "c")]),
        ("b --needs a", [("dep", "a")]),
        ("b -D=a", [("dep", "a")]),
        ('b --descr "Deploy to production"', [("descr", "Deploy to production")]),
        ("b --descr=-x", [("descr", "-x")]),
        ("b --descr -x", [("descr", "-x")]),
        ('b --descr "--dep"', [("descr", "--dep")]),
        (r"b --descr say\ \"hi\"", [("descr", 'say "hi"')]),
        (r'b --descr "a \" b \x"', [("descr", r'a " b \x')]),
        ("b --desc x", [("descr", "x")]),
        ("b -C", [("capture", None)]),
        ("b -C key", [("capture", "key")]),
        ("b -C ./out/file -C", [("capture", "./out/file"), ("capture", None)]),
        ("b -C --gitignore", [("capture", None), ("gitignore", None)]),
        ("b --confirm 'Really?'", [("confirm", "Really?")]),
        ("b --timeout 1h30m", [("timeout", 5400.0)]),
        ("b --retry 3@1s*2", [("retry", (3, 1.0, 2.0))]),
        ("b --exit-code 0,3", [("exit-code", (0, 3))]),
        ("b --env A=1 --env B=", [("env", ("A", "1")), ("env", ("B", ""))]),
        ("b timeout=5m", [("timeout", 300.0)]),
        ("b --inputs src/{a,b}.c", [("inputs", "src/{a,b}.c")]),
    ],
)
def test_flags_take_their_values(text, expected):
    assert given(text) == expected
    assert not faults(text)


@pytest.mark.parametrize(
    "attributes",
    [
        "{ dep=a,c descr='x y' silent timeout=5m }",
        "{ dep=a,c, descr='x y', silent=true, timeout=5m }",
        '{"dep": ["a", "c"], "descr": "x y", "silent": true, "timeout": "5m"}',
        "{ dep: [a, c], descr: x y, silent: true, timeout: 5m }",
        "{dep: 'a,c', descr: x y, silent, timeout: 5m}",
        "{ dep: [a, c], descr: x y, silent: true, timeout: 300, interactive: false, gitignore: no }",
    ],
)
def test_attributes_mean_what_the_flags_of_their_names_mean(attributes):
    expected = [("dep", "a"), ("dep", "c"), ("descr", "x y"), ("silent", None), ("timeout", 300.0)]

    assert given(f"b {attributes}") == expected
    assert not faults(f"b {attributes}")


def test_attributes_may_nest_braces_and_hold_quoted_ones():
    assert given('b { env: {A: "1}", B: 2} }') == [("env", ("A", "1}")), ("env", ("B", "2"))]


@pytest.mark.parametrize("text", ['b title="x y"', "b {linenos=true}", "b { .class #id hl_lines=3 }", "b { start: 5 }"])
def test_keys_of_other_tools_are_left_alone(text):
    assert not faults(text)
    assert not given(text)


@pytest.mark.parametrize(
    ("text", "message", "column", "hint"),
    [
        ("b --dpe a", "unknown flag --dpe", 3, 'did you mean "--dep"?'),
        ("b --descrr x", "unknown flag --descrr", 3, 'did you mean "--descr"?'),
        ("b --requires a", "unknown flag --requires", 3, "use --dep NAME"),
        ("b --depends-on a", "unknown flag --depends-on", 3, "use --dep NAME"),
        ("b --deps a", "unknown flag --deps", 3, "use --dep NAME"),
        ("b dpe=a", 'unknown key "dpe"', 3, 'did you mean "dep"?'),
        ("b { timout: 5 }", 'unknown key "timout"', 5, 'did you mean "timeout"?'),
        ("b Deploy it", 'unexpected word "Deploy"', 3, "quote the description, or remove it"),
        ("b --descr Deploy it", 'unexpected word "it"', 18, "quote the description, or remove it"),
        ('b --descr "Deploy it', "unterminated quote", 11, "close the quote"),
        ("b --descr it's", "unterminated quote", 13, "close the quote"),
        ("b --descr x\\", "unterminated escape", 12, "remove the backslash or quote it"),
        ("b { dep: a", "unterminated brace", 3, "close it with }"),
        ("b --dep", "--dep needs a value (NAME)", 3, "write it behind the flag, quoted if it starts with -"),
        ("b --dep --silent", "--dep needs a value (NAME)", 3, "write it behind the flag, quoted if it starts with -"),
        ("b --dep a,,c", "--dep has an empty value", 11, ""),
        ("b --silent=yes", "--silent takes no value", 3, "remove the value"),
        ("b --timeout 1 --timeout 2", "--timeout is given twice", 15, "keep one of them"),
        ("b --silent --silent", "--silent is given twice", 12, "keep one of them"),
        ("b --capture out/x", "--capture", 13, ""),
        ("b { silent: maybe }", "silent is a switch: expected true or false", 5, ""),
        ("b { dep: }", "dep needs a value (NAME)", 5, ""),
        ("b { a: &x 1, b: *x }", 'alias "*x" in the attributes', 17, None),
        ("x.md --dep a", '"x.md" cannot name a task', 1, None),
    ],
)
def test_what_is_wrong_is_named_at_its_column_with_a_hint(text, message, column, hint):
    fault = reading(text).faults[0]

    assert fault.message.startswith(message)
    assert fault.start + 1 == column
    assert hint is None or fault.hint == hint


@pytest.mark.parametrize("text", ["b --dpe a", "b --depends-on a", "--dpe a b", "b --descr Deploy to production"])
def test_one_mistake_is_one_problem(text):
    assert len(faults(text)) == 1


def test_values_of_lists_keep_their_own_columns():
    assert [one.text_start for one in reading("b --dep one,two").given] == [8, 12]


@pytest.mark.parametrize("flag", [flag for flag in TABLE if flag.takes == "value"], ids=lambda flag: flag.name)
def test_every_flag_that_needs_a_value_says_so_when_it_has_none(flag):
    assert faults(f"b --{flag.name}") == [f"--{flag.name} needs a value ({flag.metavar})"]


@pytest.mark.parametrize("flag", [flag for flag in TABLE if flag.takes != "value"], ids=lambda flag: flag.name)
def test_no_switch_and_no_optional_flag_swallows_the_name(flag):
    found = reading(f"--{flag.name} b")

    assert found.name is not None
    assert found.name.text == "b"


@pytest.mark.parametrize("deep", ["[" * 40, "{a: " * 40, "[" * 5000])
def test_deeply_nested_attributes_are_refused(deep):
    closing = deep.replace("a: ", "").translate(str.maketrans("[{", "]}"))[::-1]

    assert faults(f"b {{ x: {deep}{closing} }}") == ["attributes nested more than 32 levels deep"]
