"""Writing to readers that are slow, gone or full."""

import errno
import fcntl
import os
import pty
import socket
import tty
from contextlib import closing, contextmanager, suppress
from io import BytesIO

import pytest

from spry.view.outlet import WAITING, Outlet, same

BIG = bytes(range(256)) * 4096  # 1 MiB, more than a pipe takes


@contextmanager
def pipe():
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        for fd in (reader, writer):
            with suppress(OSError):
                os.close(fd)


def read_all(reader, count):
    data = bytearray()
    while len(data) < count:
        data += os.read(reader, 65536)
    return bytes(data)


def fed(outlet, reader, count):
    """Read what an outlet has to say while it gets a chance to say it."""
    data = bytearray()
    while len(data) < count:
        outlet.flush()
        data += os.read(reader, 65536)
    return bytes(data)


def test_bytes_are_written_at_the_flush():
    with pipe() as (reader, writer):
        outlet = Outlet(writer)
        outlet.write(b"one ")
        outlet.write(b"two")
        outlet.flush()

        assert os.read(reader, 100) == b"one two"
        outlet.close()


def test_a_reader_that_reads_nothing_does_not_block_the_writer():
    with pipe() as (reader, writer):
        outlet = Outlet(writer)
        for _ in range(4):
            outlet.write(BIG)
            outlet.flush()

        assert outlet.behind
        assert fed(outlet, reader, 4 * len(BIG)) == 4 * BIG
        assert not outlet.behind
        outlet.close()


def test_what_waits_beyond_memory_waits_in_a_file_and_in_order():
    data = os.urandom(WAITING * 2)
    with pipe() as (reader, writer):
        outlet = Outlet(writer)
        for start in range(0, len(data), 5000):
            outlet.write(data[start : start + 5000])
            outlet.flush()

        assert fed(outlet, reader, len(data)) == data
        outlet.close()


def test_a_full_temporary_folder_makes_the_writer_wait_rather_than_lose(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    data = os.urandom(WAITING * 2)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        outlet = Outlet(writer)
        for start in range(0, len(data), 5000):
            outlet.write(data[start : start + 5000])
            outlet.flush()
        outlet.close()
        os._exit(0)
    os.close(writer)

    assert read_all(reader, len(data)) == data
    assert os.waitpid(child, 0)[1] == 0
    os.close(reader)


def test_close_waits_until_everything_is_written():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        outlet = Outlet(writer)
        outlet.write(BIG)
        outlet.close()
        os._exit(0)
    os.close(writer)

    assert read_all(reader, len(BIG)) == BIG
    assert os.waitpid(child, 0)[1] == 0
    os.close(reader)


def test_a_socket_that_nobody_reads_does_not_block():
    one, other = socket.socketpair()
    with closing(one), closing(other):
        outlet = Outlet(one.fileno())
        outlet.write(4 * BIG)
        outlet.flush()

        assert outlet.behind
        assert fed(outlet, other.fileno(), 4 * len(BIG)) == 4 * BIG


def test_a_stopped_terminal_does_not_block():
    leader, follower = pty.openpty()
    tty.setraw(follower)
    outlet = Outlet(follower)
    outlet.write(BIG)
    outlet.flush()

    assert outlet.behind
    assert fed(outlet, leader, len(BIG)) == BIG
    outlet.close()
    os.close(leader)
    os.close(follower)


def test_the_callers_descriptor_stays_blocking():
    with pipe() as (reader, writer):
        outlet = Outlet(writer)
        outlet.write(b"x")
        outlet.flush()

        assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK
        assert os.read(reader, 1) == b"x"
        outlet.close()


def test_a_descriptor_that_somebody_made_nonblocking_loses_nothing():
    with pipe() as (reader, writer):
        os.set_blocking(writer, False)
        outlet = Outlet(writer)
        outlet.write(4 * BIG)

        assert fed(outlet, reader, 4 * len(BIG)) == 4 * BIG
        outlet.close()


def test_a_reader_that_went_away_is_no_error():
    with pipe() as (reader, writer):
        outlet = Outlet(writer)
        os.close(reader)
        for _ in range(3):
            outlet.write(b"gone\n")
            outlet.flush()
        outlet.close()

        assert outlet.error is None


def test_a_reader_that_goes_away_while_bytes_wait_is_no_error():
    with pipe() as (reader, writer):
        outlet = Outlet(writer)
        outlet.write(4 * BIG)
        outlet.flush()
        os.close(reader)
        outlet.close()

        assert outlet.error is None
        assert not outlet.behind


def test_a_full_disk_is_remembered():
    with open("/dev/full", "wb", buffering=0) as full:
        outlet = Outlet(full.fileno())
        outlet.write(b"x")
        outlet.close()

        assert outlet.error is not None
        assert outlet.error.errno == errno.ENOSPC


def test_a_terminal_that_hung_up_is_remembered():
    leader, follower = pty.openpty()
    outlet = Outlet(follower)
    os.close(leader)
    outlet.write(b"x")
    outlet.close()
    os.close(follower)

    assert outlet.error is not None
    assert outlet.error.errno == errno.EIO


@pytest.mark.parametrize(("data", "code"), [(b"x", errno.EBADF), (b"", None)])
def test_a_closed_stream_is_an_error_only_if_something_is_written(data, code):
    outlet = Outlet(None)
    outlet.write(data)
    outlet.close()

    assert (outlet.error and outlet.error.errno) == code


def test_no_descriptor_is_left_over_or_inherited():
    with pipe() as (_, writer):
        before = set(os.listdir("/proc/self/fd"))
        outlet = Outlet(writer)
        opened = [int(fd) for fd in os.listdir("/proc/self/fd") if fd not in before]
        inheritable = [fd for fd in opened if os.path.exists(f"/proc/self/fd/{fd}") and os.get_inheritable(fd)]
        outlet.close()

        assert inheritable == []
        assert set(os.listdir("/proc/self/fd")) == before


def test_a_stream_in_memory_is_written_at_the_flush():
    stream = BytesIO()
    outlet = Outlet(stream)
    outlet.write(b"x")
    outlet.flush()

    assert stream.getvalue() == b"x"


def test_descriptors_of_one_pipe_are_the_same_place():
    with pipe() as (_, writer), pipe() as (_, other):
        again = os.dup(writer)

        assert same(writer, again)
        assert not same(writer, other)
        assert not same(writer, None)
        os.close(again)
