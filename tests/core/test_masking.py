"""Masking: what counts as a secret's spelling, what of a stream is held back, and what is left alone."""

from __future__ import annotations

import base64
import html
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest

from spry.core.masking import Masker, Stream

SECRET = 'it\'s "h/u+n t$er2" & ä'


def told(secrets, *pieces):
    """What is told of a stream that comes in these pieces: each piece's answer, and the last one's at the end."""
    stream = Stream(Masker(secrets))
    return [*map(stream.feed, pieces), stream.flush()]


@pytest.mark.parametrize(
    "spell",
    [
        str,
        shlex.quote,
        lambda text: text.replace("'", "'\\''"),
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        repr,
        quote,
        quote_plus,
        lambda text: quote(text, safe=""),
        lambda text: quote(text, safe="").lower(),
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
    ],
)
def test_a_secret_is_found_in_every_spelling(spell):
    spelled = spell(SECRET)
    masked = Masker([SECRET]).text(f"<<{spelled}>>")

    assert masked in {"<<***>>", "<<'***'>>", '<<"***">>'}


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: text.replace("&", "&amp;").replace('"', "&quot;"),
        html.escape,
        lambda text: json.dumps(text, ensure_ascii=False).replace("&", "\\u0026"),
        lambda text: json.dumps(text).replace("/", "\\/"),
    ],
)
def test_a_secret_is_found_as_web_pages_and_careful_json_have_it(spell):
    masked = Masker([SECRET]).text(f"<<{spell(SECRET)}>>")

    assert masked in {"<<***>>", '<<"***">>'}


@pytest.mark.parametrize(("encode", "width"), [(base64.b64encode, 76), (base64.b64encode, 64), (bytes.hex, 60)])
def test_an_encoding_that_is_broken_into_lines_is_found(encode, width):
    secret = "".join(f"part {number} of it, " for number in range(20)).strip()
    spelled = encode(secret.encode())
    text = spelled if isinstance(spelled, str) else spelled.decode().rstrip("=")
    lines = [text[at : at + width] for at in range(0, len(text), width)]

    assert Masker([secret]).text("<" + "\n".join(lines)).startswith("<***")
    assert Masker([secret]).text(lines[2]) == "***"


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_wherever_it_begins_and_ends(before, after, encode):
    secret = "s3cr3t?>~~value"
    masked = Masker([secret]).bytes(encode(b"x" * before + secret.encode() + b"y" * after))

    assert b"***" in masked
    assert len(masked) <= 3 + (before * 8 + 5) // 6 + (after * 8 + 5) // 6 + 3


def test_each_longer_line_of_a_secret_is_one():
    key = "-----BEGIN-----\nMIIEvQIBADANBg\nshort\nkqhkiG9w0BAQEF\n-----END-----\n"

    assert Masker([key]).text("a kqhkiG9w0BAQEF b") == "a *** b"
    assert Masker([key]).text("short") == "short"
    assert Masker([key]).text(f"<{key}>") == "<***\n>"
    assert Masker([key]).text(key.replace("\n", "\r\n")) == "***\r\n"


@pytest.mark.parametrize("secret", ["", "12345", "  1234  \n"])
def test_what_is_too_short_is_refused_and_not_masked(secret):
    masker = Masker()

    assert not masker.add(secret)
    assert masker.text("12345") == "12345"


def test_a_secret_cut_in_two_is_found():
    assert told(["hunter2"], b"my hun", b"ter2!") == [b"my ", b"***!", b""]


def test_only_what_may_be_a_beginning_is_held_back():
    assert told(["hunter2"], b"Password: ", b"hu", b"man") == [b"Password: ", b"", b"human", b""]


def test_what_is_held_back_comes_in_the_end():
    assert told(["hunter2"], b"the hunt") == [b"the ", b"hunt"]


def test_a_secret_that_begins_another_one_is_masked_with_it():
    assert b"".join(told(["abc123", "abc123xyz"], b"<abc123", b"xyz>")) == b"<***>"
    assert b"".join(told(["abc123", "abc123xyz"], b"<abc123", b"x>")) == b"<***x>"


def test_secrets_that_overlap_are_one():
    assert b"".join(told(["hunter2hun", "hunter2xyz"], b"hunter2hunter", b"2xyz.")) == b"***."


def test_a_secret_that_repeats_itself_holds_back_little():
    stream = Stream(Masker(["aaaaaa"]))
    pieces = [stream.feed(b"a" * 1000) for _ in range(100)]

    assert b"".join([*pieces, stream.feed(b"b"), stream.flush()]) == b"***b"


def test_secrets_side_by_side_are_two():
    assert Masker(["hunter2"]).text("hunter2hunter2") == "******"


def test_text_without_secrets_is_the_same_object():
    text = "nothing here, not even \udcff"

    assert Masker(["hunter2"]).text(text) is text


def test_a_secret_can_be_added_while_a_stream_is_under_way():
    masker = Masker(["hunter2"])
    stream = Stream(masker)
    before = stream.feed(b"opensesame hun")
    masker.add("opensesame")

    assert before + stream.feed(b"ter2 opensesame") + stream.flush() == b"opensesame *** ***"


@pytest.mark.parametrize(("text", "there"), [("x hunter2", True), ("aHVudGVyMg==", True), ("hunter", False)])
def test_it_is_known_whether_a_text_holds_a_secret(text, there):
    assert Masker(["hunter2"]).finds(text) is there


COLOURED = [
    (b"\x1b[1mhun\x1b[0mter2 on", b"\x1b[1m***\x1b[0m on"),
    (b"h\x1b[31mu\x1b[32mn\x1b[mter2.", b"***\x1b[31m\x1b[32m\x1b[m."),
    (b"hun\x1b[K\x1b[2Cter2.", b"***."),
    (b"hun\x1b]0;title\x07ter2.", b"***."),
    (b"hun\x1b]8;;http://x\x1b\\ter2.", b"***."),
    (b"hun\x1b(Bter2.", b"***."),
    (b"\x1b[31mhunter\x1b[m.", b"\x1b[31mhunter\x1b[m."),
    (b"\x1b[31mno secret \x1b[m\x1b", b"\x1b[31mno secret \x1b[m\x1b"),
    (b"\x1b[31hunter2m", b"\x1b[31***m"),
    (b"hunter2\x1b[mhunter2", b"***\x1b[m***"),
]


@pytest.mark.parametrize(("data", "masked"), COLOURED)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_control_sequences_do_not_hide_a_secret(data, masked, size):
    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    assert b"".join(told(["hunter2"], *pieces)) == masked


def test_control_sequences_without_end_are_held_back_for_a_while_only():
    stream = Stream(Masker(["hunter2"]))
    pieces = [stream.feed(b"hun"), *(stream.feed(b"\x1b[1;31;40m" * 100) for _ in range(20))]

    assert b"".join(pieces).startswith(b"hun\x1b[1;31;40m")
    assert len(stream._held) < 8192


def test_in_a_pause_a_little_of_what_is_held_is_told_and_no_more():
    stream = Stream(Masker(["hunter2"]))
    told = [stream.feed(b"> hun"), stream.ease(), stream.ease(), stream.feed(b"te"), stream.ease(), stream.feed(b"r2!")]

    assert told == [b"> ", b"hu", b"", b"", b"", b"***!"]


@pytest.mark.parametrize(("after", "told"), [(b"gry", b"ngry"), (b"hunter2", b"n***"), (b"", b"n")])
def test_what_was_told_in_a_pause_is_not_told_again(after, told):
    stream = Stream(Masker(["hunter2"]))
    stream.feed(b"hun")
    stream.ease()

    assert stream.feed(after) + stream.flush() == told


def test_of_what_is_masked_already_nothing_is_told_in_a_pause():
    stream = Stream(Masker(["aaaaaa"]))
    stream.feed(b"aaaaaaa")

    assert stream.ease() == b""


def test_among_many_secrets_each_is_found():
    secrets = [f"key-{number:04}-{number * 7919:06}" for number in range(60)]
    masker = Masker(secrets)
    text = "\n".join(f"{number} {secret} {secret.encode().hex()}" for number, secret in enumerate(secrets))

    assert masker.text(text) == "\n".join(f"{number} *** ***" for number in range(60))
