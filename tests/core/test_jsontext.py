from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry.core.jsontext import MalformedError, parse

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_whatever_json_writes_is_read_as_it_was(value, indent, ascii_only):
    assert parse(json.dumps(value, indent=indent, ensure_ascii=ascii_only)).bare() == value


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn \n\\a\t', max_size=30))
def test_what_is_no_json_is_refused_and_never_crashes(text):
    try:
        found = parse(text).bare()
    except MalformedError:
        return
    assert found == json.loads(text)


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 0, "expected a value"),
        ("{a: 1}", 1, "expected a key in double quotes"),
        ("{'a': 1}", 1, "expected a key in double quotes"),
        ('{"a" 1}', 5, 'expected ":"'),
        ('{"a": 1,}', 8, "expected a key"),
        ("[1, 2", 5, 'expected "," or "]"'),
        ("[1 2]", 3, 'expected "," or "]"'),
        ('{"a": 1, "a": 2}', 9, '"a" is given twice'),
        ("NaN", 0, "expected a value in double quotes"),
        ("1 2", 2, "nothing after the value"),
        ('"open', 0, "unterminated string"),
        ("[" * 40, 33, "nested more than 32 deep"),
        ("01", 1, "nothing after"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, at, words):
    with pytest.raises(MalformedError) as caught:
        parse(text)

    assert words in caught.value.message
    assert caught.value.at == at


def test_every_value_knows_where_it_stands():
    text = '{"a": [1, {"b": true}]}'
    ((key, value),) = parse(text).entries
    inner = value.items[1]

    assert text[key.start : key.end] == '"a"'
    assert text[value.start : value.end] == '[1, {"b": true}]'
    assert text[inner.start : inner.end] == '{"b": true}'
