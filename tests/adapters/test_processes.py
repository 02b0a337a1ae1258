"""Real processes: how they begin, what is left of them, and what spry hears meanwhile."""

import os
import pty
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager

import pytest
from driver import BASH, Driver, alive

from spry.execute.local import LocalExecutor
from spry.execute.protocol import Output, Signalled

FOREVER = "while :; do sleep 60 & wait $!; done"


@pytest.fixture(params=["pidfd", "sigchld"])
def driver(request):
    executor = LocalExecutor(2, pidfds=request.param == "pidfd")
    yield Driver(executor)
    executor.close()


@contextmanager
def another_thread():
    """A second thread for as long as this lasts, so that changing our own folder is no longer safe."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    yield
    stop.set()
    thread.join()


DRIVE = """
import os, resource, signal, sys, threading
sys.path[:0] = {path!r}
def crowd(): threading.Thread(target=threading.Event().wait, daemon=True).start()
{before}
from driver import *
from spry.execute.local import LocalExecutor
from spry.execute.protocol import Attempt
driver = Driver(LocalExecutor(2))
"""


def alone(body: str, *, before: str = "", **how) -> subprocess.CompletedProcess:
    """A Python program of its own that has an executor to drive; `before` is what happens before it gets that."""
    program = DRIVE.format(path=sys.path, before=before) + textwrap.dedent(body)
    argv = [sys.executable, "-c", program]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, **how)


# How they begin


def test_stdin_is_empty(driver):
    assert driver.run("cat; readlink /proc/self/fd/0").stdout == b"/dev/null\n"


@pytest.mark.parametrize("crowd", ["", "crowd()"])
def test_stdin_can_be_a_file_of_any_size_or_that_of_our_caller(crowd, tmp_path):
    (tmp_path / "large").write_bytes(b"\0\n" * 500_000)
    body = f"""
    print(driver.run("wc -c", cwd="/", stdin={str(tmp_path / "large")!r}).stdout)
    print(driver.run("cat", task="two", cwd="/", stdin="-").stdout)
    """
    done = alone(crowd + textwrap.dedent(body), input="words of our caller")

    assert done.stdout.split("\n")[:2] == ["b'1000000\\n'", "b'words of our caller'"], done.stderr


@pytest.mark.parametrize("crowd", ["", "crowd()"])
def test_a_stdin_that_cannot_be_opened_is_no_empty_one(crowd):
    done = alone(f"{crowd}\nprint(driver.run('cat', cwd='/', stdin='/no/such').error)")

    assert "what it is to read on stdin cannot be opened: /no/such" in done.stdout, done.stderr


def test_the_environment_is_exactly_what_was_given(driver):
    assert driver.run("", argv=("/usr/bin/env",), env={b"A": b"1 \xff", b"B": b""}).stdout == b"A=1 \xff\nB=\n"


def test_it_leads_a_session_and_a_group_of_its_own(driver):
    pid, group, session = driver.run("cut -d' ' -f1,5,6 /proc/$$/stat").stdout.split()

    assert pid == group == session


def test_it_does_so_next_to_other_threads(driver):
    with another_thread():
        pid, group, session = driver.run("cut -d' ' -f1,5,6 /proc/$$/stat", cwd="/").stdout.split()

    assert pid == group == session


def test_it_starts_in_its_folder(driver, tmp_path):
    assert driver.run("pwd -P", cwd=str(tmp_path)).stdout == os.fsencode(tmp_path) + b"\n"
    assert os.getcwd() != str(tmp_path)


def test_it_starts_in_its_folder_next_to_other_threads(driver, tmp_path):
    with another_thread():
        assert driver.run("pwd -P", cwd=str(tmp_path)).stdout == os.fsencode(tmp_path) + b"\n"


@pytest.mark.parametrize("crowd", ["", "crowd()"])
def test_no_descriptor_of_ours_reaches_it(crowd):
    # `ls` lists what it was given, and the folder that it reads.
    body = """
    driver.run("", argv=("/bin/ls", "/proc/self/fd"), cwd="/")
    print(driver.output())
    """
    done = alone(crowd + textwrap.dedent(body), before="os.dup2(0, 9)")

    assert done.stdout == "b'0\\n1\\n2\\n3\\n'\n", done.stderr


IGNORING = """
if not sys.argv[1:]:
    for number in (1, 2, 3, 13, 15, 17, 20, 40):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [2, 15, 10])
    os.execv(sys.executable, [*sys.orig_argv, "again"])
"""


@pytest.mark.parametrize("crowd", ["", "crowd()"])
def test_signals_are_default_and_unblocked_whatever_our_caller_did(crowd):
    body = """
    status = driver.run("", argv=("/bin/cat", "/proc/self/status"), cwd="/").stdout.decode()
    masks = dict(line.split(":\\t") for line in status.splitlines() if line.startswith("Sig"))
    for name in ("SigBlk", "SigIgn", "SigCgt"):
        print([number for number in (*range(1, 32), *range(34, 65)) if int(masks[name], 16) >> number - 1 & 1])
    """
    done = alone(crowd + textwrap.dedent(body), before=IGNORING)

    assert done.stdout == "[]\n" * 3, done.stderr


def test_closed_standard_streams_of_ours_do_not_confuse_it():
    body = """
    streams = [os.readlink(f"/proc/self/fd/{number}") for number in range(3)]
    os.write(9, repr((streams, driver.run("echo out; echo err >&2")[3:])).encode())
    """
    read, write = os.pipe()
    alone(body, before=f"os.dup2({write}, 9); os.closerange(0, 3)", pass_fds=[write])
    os.close(write)
    with open(read, "rb") as pipe:
        told = pipe.read()

    assert told == repr((["/dev/null"] * 3, (b"out\n", b"err\n"))).encode()


@pytest.mark.parametrize(
    ("argv", "cwd", "words"),
    [
        (("/no/such",), None, "cannot start /no/such: it does not exist (ENOENT)"),
        (("/etc/passwd",), None, "cannot start /etc/passwd: it is not executable (EACCES)"),
        ((BASH, "-c", ":"), "/no/folder", "cannot start in /no/folder: the folder does not exist"),
        ((BASH, "-c", ":"), "/etc/passwd", "cannot start in /etc/passwd: the folder is a file"),
        ((BASH, "-c", "a\0b"), None, f"cannot start {BASH}: embedded null byte"),
        ((BASH, "-c", "x" * 200_000), None, "are larger than the system passes on (E2BIG)"),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_what_cannot_start_says_why(argv, cwd, words, threads):
    driver = Driver(LocalExecutor(1))
    if threads == 2:
        with another_thread():
            result = driver.run("", argv=argv, cwd=cwd or "/")
    else:
        result = driver.run("", argv=argv, cwd=cwd)
    driver.executor.close()

    assert words in result.error
    assert (result.code, result.signal) == (None, None)


def test_a_script_without_its_interpreter_says_so(driver, tmp_path):
    program = tmp_path / "tool"
    program.write_text("#!/no/such/program\n")
    program.chmod(0o755)

    assert "the program that its first line names does not exist" in driver.run("", argv=(str(program),)).error


# What they write


@pytest.mark.parametrize("stream", [1, 2])
def test_ten_megabytes_arrive_to_the_byte(driver, stream):
    result = driver.run(f"head -c 10000000 /dev/zero | tr '\\0' x >&{stream}; printf end >&{stream}")

    assert result[2 + stream] == b"x" * 10_000_000 + b"end"


def test_bytes_that_are_no_text_arrive_as_they_are(driver):
    everything = bytes(range(256))
    octal = "".join(f"\\{byte:03o}" for byte in everything)

    assert driver.run(f"printf '{octal}'").stdout == everything


def test_one_wait_tells_at_most_64_kib_of_a_stream(driver):
    driver.run("head -c 1000000 /dev/zero; exit 3")

    assert max(len(notice.data) for notice in driver.notices if isinstance(notice, Output)) <= 65536


def test_the_last_bytes_are_never_lost(driver):
    results = [driver.run(f"printf {number}", task=f"t{number}").stdout for number in range(50)]

    assert results == [str(number).encode() for number in range(50)]


def test_output_comes_while_the_task_runs(driver, tmp_path):
    os.mkfifo(tmp_path / "go")
    driver.start(f"printf early; read -r < '{tmp_path}/go'; printf late")
    driver.until_said(b"early")
    before = driver.output()
    (tmp_path / "go").write_text("\n")

    assert (before, driver.ended().stdout) == (b"early", b"earlylate")


def test_closing_its_own_output_is_no_end(driver, tmp_path):
    result = driver.run(f"exec >&- 2>&-; : > '{tmp_path}/done'; exit 5")

    assert result.code == 5
    assert (tmp_path / "done").exists()


# How they end


@pytest.mark.parametrize("code", [0, 1, 3, 126, 255])
def test_exit_codes_are_told(driver, code):
    assert driver.run(f"exit {code}")[:3] == (code, None, "")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, signal.SIGABRT])
def test_fatal_signals_are_told(driver, number):
    assert driver.run(f"ulimit -c 0; kill -{number.value} $$")[:3] == (None, number, "")


def test_a_background_child_that_holds_the_pipe_does_not_hold_the_task(driver):
    result = driver.run("sleep 1000 & echo $!")

    assert result.code == 0
    assert not alive(int(result.stdout))


def test_a_background_child_without_the_pipe_is_killed_too(driver):
    result = driver.run("sleep 1000 >/dev/null 2>&1 & echo $!")

    assert not alive(int(result.stdout))


def test_a_background_flood_does_not_hold_the_task(driver):
    result = driver.run("echo first; while :; do echo more; done & echo $! >&2; exit 4")

    assert result.code == 4
    assert result.stdout.startswith(b"first\n")
    assert not alive(int(result.stderr))


def test_what_a_background_flood_has_written_by_its_end_is_told(driver, tmp_path):
    flood = """
import os, signal, sys
counter = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for number in range(1, 1 << 30):
    os.write(1, b"." * 4096)
    os.pwrite(counter, b"%d" % (number * 4096), 0)
"""
    (tmp_path / "flood.py").write_text(flood)
    begin = f"'{sys.executable}' -S -E '{tmp_path}/flood.py' '{tmp_path}/count' &"
    result = driver.run(f"{begin} until [ -s '{tmp_path}/count' ]; do :; done")

    assert len(result.stdout) >= int((tmp_path / "count").read_text()) > 0


def test_what_a_background_child_says_at_once_is_kept(driver):
    assert driver.run("{ sleep 0.05; echo late; } & exit 0").stdout == b"late\n"


def test_a_child_that_ignores_term_is_killed_after_the_grace(driver):
    driver.start(f"bash -c 'trap \"\" TERM; echo $$; {FOREVER}' & wait")
    driver.until_said(b"\n")
    driver.executor.stop("one", grace=0.1)
    result = driver.ended()

    assert result.signal == signal.SIGTERM
    assert not alive(int(result.stdout))


def test_children_keep_the_grace_when_the_shell_is_gone(driver):
    child = f"trap 'sleep 0.7; echo cleaned; exit' TERM; echo $$; {FOREVER}"
    driver.start(f"bash -c '{child.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}' & wait")
    driver.until_said(b"\n")
    driver.executor.stop("one", grace=30)

    assert driver.ended().stdout.endswith(b"cleaned\n")


def test_a_trap_runs_to_its_end_within_the_grace(driver):
    driver.start(f"trap 'echo bye; exit 7' TERM; echo ready; {FOREVER}")
    driver.until_said(b"ready")
    driver.executor.stop("one", grace=30)

    assert driver.ended()[:4] == (7, None, "", b"ready\nbye\n")


def test_a_stopped_process_is_woken_to_obey(driver):
    driver.start("echo ready; kill -STOP $$; echo never")
    driver.until_said(b"ready")
    driver.executor.stop("one", grace=30)

    assert driver.ended().signal == signal.SIGTERM


def test_closing_leaves_nobody_behind():
    driver = Driver(LocalExecutor(1))
    driver.start(f"trap '' TERM HUP INT; sleep 1000 & echo $$ $!; {FOREVER}")
    driver.until_said(b"\n")
    driver.executor.close()

    assert [alive(int(pid)) for pid in driver.output().split()] == [False, False]


def test_closing_gives_every_descriptor_back():
    before = os.listdir("/proc/self/fd")
    driver = Driver(LocalExecutor(2))
    driver.start(FOREVER)
    driver.run("echo done", task="other")
    driver.executor.close()

    assert os.listdir("/proc/self/fd") == before


def test_no_descriptor_is_kept_for_what_has_ended(driver):
    driver.run("echo warm")
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        driver.run("echo again; sleep 100 &" if number == 7 else "echo again", task=f"t{number}")

    assert len(os.listdir("/proc/self/fd")) == before


# What spry itself hears


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_our_own_signals_are_told_and_spare_the_tasks(driver, number):
    driver.start(f"echo ready; {FOREVER}")
    driver.until_said(b"ready")
    os.kill(os.getpid(), number)

    assert driver.until(lambda notice: isinstance(notice, Signalled)) == Signalled(number)
    assert driver.executor.free() == 1


def test_a_flood_of_output_does_not_drown_a_signal(driver):
    driver.start("yes")
    driver.until_said(b"y")
    os.kill(os.getpid(), signal.SIGTERM)

    assert driver.executor.wait(20)[0] == Signalled(signal.SIGTERM)


def test_handlers_are_restored_by_close():
    before = [signal.getsignal(number) for number in range(1, 32)]
    executor = LocalExecutor(1)
    during = [signal.getsignal(number) for number in range(1, 32)]
    executor.close()

    assert during != before == [signal.getsignal(number) for number in range(1, 32)]


def test_the_wake_up_descriptor_is_restored_by_close():
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    LocalExecutor(1).close()
    after = signal.set_wakeup_fd(-1)
    os.close(read)
    os.close(write)

    assert after == write


def test_what_our_caller_ignores_we_ignore():
    body = """
    os.kill(os.getpid(), signal.SIGHUP)
    print(driver.executor.wait(0.05))
    """
    done = alone(body, before="signal.signal(signal.SIGHUP, signal.SIG_IGN)")

    assert done.stdout == "[]\n", done.stderr


def test_an_executor_of_another_thread_runs_tasks_too():
    results = []

    def work() -> None:
        for pidfds in (True, False):
            driver = Driver(LocalExecutor(1, pidfds=pidfds))
            results.append(driver.run("echo here; exit 3", cwd="/")[:4])
            driver.executor.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert results == [(3, None, "", b"here\n")] * 2


# When the machine is short


def test_with_few_descriptors_everything_runs_in_turn():
    body = """
    driver = Driver(LocalExecutor(40))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    for number in range(40):
        driver.start("echo $0", task=f"t{number}")
    print(driver.executor.free(), sum(driver.ended(f"t{number}").code == 0 for number in range(40)))
    """
    done = alone(body)

    assert done.stdout == "0 40\n", done.stderr


NO_ROOM = "resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir('/proc/self/fd')) - 1, 32))\n"


def test_without_any_descriptor_it_says_so_in_the_end():
    done = alone(f"{NO_ROOM}import spry.execute.local as local; local.PAUSE = 0.001\nprint(driver.run(':').error)")

    assert done.stdout == f"cannot start {BASH}: Too many open files (EMFILE)\n", done.stderr


def test_what_waits_for_room_can_be_withdrawn():
    body = f"""
    {NO_ROOM.rstrip()}
    driver.start(":")
    driver.executor.stop("one", grace=5)
    print(driver.ended()[:3], driver.executor.free())
    """
    done = alone(body)

    assert done.stdout == "(None, 15, '') 2\n", done.stderr


# Questions


def on_a_terminal(body: str, *, say: bytes) -> bytes:
    """What a program says on a terminal of its own, on which `say` is typed once it has asked."""
    program = DRIVE.format(path=sys.path, before="") + body
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    told, typed = b"", False
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        told += data
        if b"[y/N]" in told and not typed:
            typed = True
            os.write(terminal, say)
    os.waitpid(child, 0)
    os.close(terminal)
    return told


ASK = """
driver.executor.start(Attempt("one", 1, (), {}, "", "Deploy now?"))
if sys.argv[1:]: driver.executor.stop("one", grace=5)
print("told", driver.ended()[:3], driver.executor.free())
"""


@pytest.mark.parametrize(
    ("typed", "code"),
    [(b"y\n", 0), (b"YES \n", 0), (b"n\n", 1), (b"\n", 1), (b"yep\n", 1), (b"\x04", 1), (b"\xff\n", 1)],
)
def test_the_answer_to_a_question_is_its_exit_code(typed, code):
    told = on_a_terminal(ASK, say=typed)

    assert b"Deploy now? [y/N] " in told
    assert f"told ({code}, None, '') 2".encode() in told


def test_a_question_can_be_withdrawn():
    told = on_a_terminal(ASK.replace("if sys.argv[1:]: ", ""), say=b"")

    assert b"told (None, 15, '') 2" in told


def test_a_question_without_a_terminal_is_an_error():
    done = alone(ASK, start_new_session=True)

    assert "no terminal to ask on" in done.stdout, done.stderr
