import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.core import values
from spry.core.model import Parameter

READERS = (values.duration, values.retry, values.limits, values.exit_codes, values.parameter, values.environment)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("250ms", 0.25), ("5m", 300), ("1h30m", 5400), ("0.5", 0.5)]
)
def test_a_duration_is_read_as_seconds(text, seconds):
    assert values.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "5 m", "1m1h", "soon", "nan", "inf", "1e3", "٣"])
def test_what_is_no_duration_is_refused_with_examples(text):
    assert str(values.duration(text)).startswith("expected a duration such as 30")


@pytest.mark.parametrize("text", ["9" * 400, "36501d"])
def test_a_duration_beyond_a_hundred_years_is_refused(text):
    assert str(values.duration(text)).endswith("is longer than a hundred years")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", (1, 0.0, 1.0)),
        ("3", (3, 0.0, 1.0)),
        ("3@0", (3, 0.0, 1.0)),
        ("3@0.5", (3, 0.5, 1.0)),
        ("3@1s*2", (3, 1.0, 2.0)),
        ("5@1m30s*1.5", (5, 90.0, 1.5)),
    ],
)
def test_a_retry_is_attempts_backoff_and_factor(text, expected):
    assert values.retry(text) == expected


@pytest.mark.parametrize("text", ["", "x", "-1", "3@", "@1", "3*2", "3@1*", "3@1*x", "3@1*2*2", "1.5", "9" * 5000, "²"])
def test_what_is_no_retry_is_refused_with_its_shape(text):
    assert str(values.retry(text)).startswith("expected N, N@SECONDS or N@SECONDS*FACTOR")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "expected at least 1 attempt"),
        ("0@1", "expected at least 1 attempt"),
        ("3@1*0.5", 'expected a factor of at least 1, not "0.5"'),
        (f"3@{'9' * 400}", "longer than a hundred years"),
    ],
)
def test_a_retry_out_of_range_says_what_is_the_matter(text, message):
    assert message in str(values.retry(text))


def test_limits_keep_their_order_and_have_their_own_units():
    found = values.limits("memory=1.5G, cpu=75%,fds=100,connections=50")

    assert found == (("memory", 1536.0), ("cpu", 75.0), ("fds", 100.0), ("connections", 50.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected limits such as memory=512M"),
        ("memory", 'not "memory"'),
        ("memory=512M,", 'not ""'),
        ("memry=1", 'unknown limit "memry" (did you mean "memory"?)'),
        ("disk=1", 'unknown limit "disk": expected memory, cpu, fds or connections'),
        ("cpu=1,cpu=2", 'limit "cpu" is given twice'),
        ("memory=0", "memory: expected a size"),
        ("memory=lots", "memory: expected a size"),
        (f"memory={'9' * 400}", "memory: expected a size"),
        ("cpu=0", "cpu: expected a percentage above 0"),
        ("cpu=nan", "cpu: expected a percentage above 0"),
        ("fds=1.5", "fds: expected a whole number of at least 1"),
        ("connections=0", "connections: expected a whole number of at least 1"),
    ],
)
def test_a_wrong_limit_is_named(text, message):
    assert message in str(values.limits(text))


@pytest.mark.parametrize(("text", "codes"), [("0", (0,)), ("0,3", (0, 3)), ("3, 0,3", (3, 0)), ("255", (255,))])
def test_exit_codes_are_a_list_with_commas(text, codes):
    assert values.exit_codes(text) == codes


@pytest.mark.parametrize("text", ["", "0,", "256", "-1", "1.0", "ok", "0 3"])
def test_what_is_no_exit_code_is_refused(text):
    assert str(values.exit_codes(text)).startswith("expected exit codes from 0 to 255")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("region", Parameter("region")),
        ("region=", Parameter("region", default="")),
        ("region=a:b=c", Parameter("region", default="a:b=c")),
        ("port:int", Parameter("port", "int")),
        ("port:int=8080", Parameter("port", "int", "8080")),
        ("dry-run:bool=No", Parameter("dry-run", "bool", "No")),
        ("out:path=./x", Parameter("out", "path", "./x")),
        ("key:secret", Parameter("key", "secret")),
        ("size:choice(s|m)", Parameter("size", "choice", None, ("s", "m"))),
        ("size:choice( s | m )=m", Parameter("size", "choice", "m", ("s", "m"))),
        ("size:choice(a=b|c:d)=c:d", Parameter("size", "choice", "c:d", ("a=b", "c:d"))),
    ],
)
def test_a_parameter_is_a_name_with_a_type_and_a_default(text, expected):
    assert values.parameter(text) == expected


def test_a_parameter_keeps_its_place():
    assert values.parameter("a", 3, 7) == Parameter("a", line=3, column=7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", '"" cannot name a parameter'),
        ("1st", '"1st" cannot name a parameter'),
        ("-x", '"-x" cannot name a parameter'),
        ("é", '"é" cannot name a parameter'),
        ("=x", '"" cannot name a parameter'),
        ("a:", 'unknown type ""'),
        ("a:strng", 'unknown type "strng" (did you mean "str"?)'),
        ("a:choice", 'expected choice(a|b) with different members, not "choice"'),
        ("a:choice()", "with different members"),
        ("a:choice(x|)", "with different members"),
        ("a:choice(x|x)", "with different members"),
        ("a:choice(x|y", "with different members"),
        ("a:choice(x|y)z", "with different members"),
        ("a:choice(x|y)=z", 'default of "a": expected x or y, not "z"'),
        ("a:int=x", 'default of "a": expected a whole number, not "x"'),
    ],
)
def test_a_wrong_parameter_says_why(text, message):
    assert message in str(values.parameter(text))


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("str", ["", " ", "x"], ["a\0b"]),
        ("int", ["0", "-7", "+7", "007", "9" * 5000], ["", "-", "1.0", "1_000", " 1", "٣", "0x1f"]),
        ("float", ["0", "-1.5", "1e3", ".5"], ["", "nan", "inf", "-infinity", "1e999", "1_0", " 1", "x"]),
        ("bool", ["true", "False", "YES", "no", "1", "0", "on", "off"], ["", "2", "y", "maybe"]),
        ("path", ["x", "/", "."], [""]),
        ("secret", ["", "x"], ["a\0b"]),
    ],
)
def test_a_value_is_checked_against_its_type(kind, good, bad):
    parameter = Parameter("p", kind)

    assert [text for text in good if values.check(parameter, text)] == []
    assert [text for text in bad if not values.check(parameter, text)] == []


def test_a_wrong_choice_names_the_choices_and_the_near_one():
    fault = values.check(Parameter("p", "choice", None, ("debug", "release")), "relaese")

    assert fault == 'expected debug or release, not "relaese" (did you mean "release"?)'


def test_a_secret_value_is_never_quoted():
    assert "hunter2" not in values.check(Parameter("p", "secret"), "hunter2\0")


@pytest.mark.parametrize(("text", "pair"), [("A=", ("A", "")), ("_a1=b=c", ("_a1", "b=c")), ("A= x ", ("A", " x "))])
def test_an_environment_value_is_everything_behind_the_first_equals(text, pair):
    assert values.environment(text) == pair


@pytest.mark.parametrize(
    ("text", "message"),
    [("A", "expected NAME=VALUE"), ("=x", "cannot name a variable"), ("1=x", "cannot name"), ("a-b=x", "cannot name")],
)
def test_a_wrong_environment_value_says_why(text, message):
    assert message in str(values.environment(text))


def test_a_nul_byte_is_no_environment_value():
    assert values.environment("A=x\0y") == "A: a NUL byte cannot be handed to a task"


@pytest.mark.parametrize("text", ["*", ".*", "test-.+", "[[a]"])
def test_a_good_pattern_has_no_fault(text):
    assert values.pattern(text) == ""


@pytest.mark.parametrize("text", ["", "(", "[a", "a**", "(" * 5000, "a{999999999999999999999}"])
def test_a_bad_pattern_is_told(text):
    assert "regular expression" in values.pattern(text)


def test_a_glob_must_not_be_blank():
    assert values.glob("src/*.py") == ""
    assert values.glob(" ").startswith("expected a glob")


@given(text=st.text(alphabet="aA1é.:=@*|(),-+%\0 \ud800chose", max_size=20))
@examples(200)
def test_any_text_is_a_value_or_a_message(text):
    for read in READERS:
        assert read(text) != ""


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 100))
@examples(50)
def test_every_written_retry_reads_back(attempts, backoff, factor):
    assert values.retry(f"{attempts}@{backoff}ms*{factor}") == (attempts, backoff * 0.001, float(factor))
