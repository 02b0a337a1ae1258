"""Records: what `typing.NamedTuple` makes, in all that anybody relies on."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry.record import NamedTuple


class Ours(NamedTuple):
    """A record of ours."""

    name: str
    count: int = 1
    rest: tuple[str, ...] = ()

    @property
    def double(self) -> int:
        """Twice the count."""
        return 2 * self.count


class Theirs(typing.NamedTuple):
    name: str
    count: int = 1
    rest: tuple[str, ...] = ()


CALLS = st.tuples(
    st.lists(st.integers(), max_size=4),
    st.dictionaries(st.sampled_from(["name", "count", "rest", "other"]), st.integers()),
)


@given(CALLS)
def test_a_record_takes_and_refuses_what_a_named_tuple_does(call):
    values, named = call
    made = []
    for kind in (Ours, Theirs):
        try:
            made.append(tuple(kind(*values, **named)))
        except TypeError:
            made.append(None)

    assert made[0] == made[1]


def test_a_record_is_compared_changed_and_shown_like_a_named_tuple():
    ours, theirs = Ours("a", rest=("x",)), Theirs("a", rest=("x",))

    assert ours == tuple(theirs)
    assert hash(ours) == hash(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert ours._asdict() == theirs._asdict()
    assert ours._replace(count=4) == theirs._replace(count=4)
    assert Ours._make(theirs) == ours
    assert (Ours._fields, Ours._field_defaults) == (Theirs._fields, Theirs._field_defaults)
    assert ours.double == 2


def test_a_record_is_matched_by_place():
    match Ours("a", 2):
        case Ours(name, count):
            assert (name, count) == ("a", 2)


def test_a_record_is_pickled_and_copied():
    ours = Ours("a", 2)

    assert pickle.loads(pickle.dumps(ours)) == ours
    assert type(copy.deepcopy(ours)) is Ours


def test_a_record_cannot_be_changed():
    with pytest.raises(AttributeError):
        Ours("a").name = "b"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (Ours, "no name"),
        (lambda: Ours("a", other=1), "unexpected other"),
        (lambda: Ours("a", 1, (), 2), "4 values for 3 fields"),
        (lambda: Ours._make(["a"]), "takes 3 values, not 1"),
    ],
)
def test_a_wrong_call_is_told_as_such(call, told):
    with pytest.raises(TypeError, match=told):
        call()


def test_an_unknown_field_to_replace_is_told():
    with pytest.raises(ValueError, match="no field other"):
        Ours("a")._replace(other=1)
