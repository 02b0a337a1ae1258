"""The reports of a run: what was asked for, checked before anything starts, and written when it is over."""

from __future__ import annotations

import errno
import os
import stat
import sys

from spry.artifacts.files import write_whole
from spry.errors import INTERNAL, UsageError
from spry.record import NamedTuple
from spry.view.reports.formats import FORMATS, written
from spry.view.reports.story import Chronicle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from spry.api.places import File
    from spry.core.model import Plan
    from spry.core.result import RunResult
    from spry.engine.work import Discreet
    from spry.view.reports.story import Story

STDOUT = "-"


class Target(NamedTuple):
    """One report: its format and the absolute path of its file, or `-` for stdout."""

    format: str
    path: str


def targets(words: Sequence[str], *, quiet: bool) -> tuple[Target, ...]:
    """The reports that `--report FORMAT=FILE` ask for; UsageError for what is none, or cannot be written.

    stdout takes a report only in a `quiet` run: the output of tasks goes there otherwise.
    """
    found: list[Target] = []
    for word in words:
        target = _target(word)
        if target.path in {one.path for one in found}:
            raise UsageError(f"--report {word}: another report goes there, too", "give each a file of its own")
        if target.path == STDOUT and not quiet:
            raise UsageError(f"--report {word}: the output of tasks goes to stdout", "add --quiet, or name a file")
        found.append(target)
    summary = _summary()
    if summary and any(one.format == "markdown" for one in found) and summary not in {one.path for one in found}:
        found.append(Target("markdown", summary))
    return tuple(found)


def _summary() -> str:
    """Where a job on GitHub Actions collects what its steps say of themselves, if this is one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY", "") if os.environ.get("GITHUB_ACTIONS") == "true" else ""
    return os.path.realpath(path) if path else ""


def _target(word: str) -> Target:
    name, equals, path = word.partition("=")
    if name not in FORMATS:
        from spry.core.text import did_you_mean

        hint = did_you_mean(name, FORMATS) or f"the formats are {', '.join(FORMATS)}"
        raise UsageError(f'--report {word}: unknown format "{name}"', hint)
    if not equals or not path:
        raise UsageError(f"--report {word}: expected FORMAT=FILE", f"write --report {name}=FILE")
    if path == STDOUT:
        return Target(name, STDOUT)
    whole = os.path.realpath(path)
    if os.path.isdir(whole):
        raise UsageError(f"--report {word}: {path} is a folder", "name a file in it")
    fault = _unwritable(whole)
    if fault:
        raise UsageError(f"--report {word}: {fault}", "name a file in a folder where you may write")
    return Target(name, whole)


def _unwritable(path: str) -> str:
    """Why a file cannot be made, or nothing; its folders need not be there yet."""
    if os.path.exists(path) and not _is_file(path):
        return "" if os.access(path, os.W_OK) else "cannot be written"
    folder = os.path.dirname(path)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        return f"{folder} is no folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"the folder {folder} cannot be written to"


def _is_old(path: str) -> bool:
    """Whether a report of an earlier run is there; a summary is one of several."""
    return path not in {STDOUT, _summary()} and os.path.exists(path) and _is_file(path)


def _is_file(path: str) -> bool:
    return stat.S_ISREG(os.stat(path).st_mode)


class Reporting:
    """Lasts as long as a run whose reports are wanted: `chronicle` is the listener that they are made from.

    Reports of earlier runs are taken away at its beginning: whatever becomes of this run, even if it is killed, nobody
    shall take an old report for its own. UsageError if one would take the place of a runbook.
    """

    def __init__(self, plan: Plan, wanted: Sequence[Target], files: Sequence[File], attempts: Discreet) -> None:
        self._plan, self._wanted, self._files, self._attempts = plan, wanted, files, attempts
        self._is_over = False
        runbooks = {os.path.realpath(os.path.join(file.folder, os.path.basename(file.path))) for file in files}
        for target in wanted:
            if target.path in runbooks:
                raise UsageError(f"--report {target.format}={target.path}: this is the runbook", "name another file")
        self.chronicle = Chronicle()

    def __enter__(self) -> Self:
        for target in self._wanted:
            if _is_old(target.path):
                try:
                    os.unlink(target.path)
                except OSError as error:
                    fault = f"the report of an earlier run cannot be taken away: {error.strerror}"
                    raise UsageError(f"--report {target.format}={target.path}: {fault}", "name another file") from None
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_over:
            self._write(None)
        self.chronicle.close()

    def told(self, result: RunResult, *, recorded: bool) -> RunResult:
        """Write the reports of a run that is over; its result, which is not good any more if one of them is not."""
        self._is_over = True
        whole = self._write(result.exit_code, recorded=recorded)
        return result if whole or result.exit_code else result._replace(ok=False, exit_code=INTERNAL)

    def _write(self, exit_code: int | None, *, recorded: bool = True) -> bool:
        """Write all reports; whether each is there."""
        plan, secrets = self._plan, self._attempts.secrets
        if secrets is not None:
            plan = plan._replace(steps=secrets.clean(dict(plan.steps)), settings=secrets.clean(dict(plan.settings)))  # type: ignore[arg-type] # as they were
        story = self.chronicle.story(plan, exit_code, recorded=recorded)
        if story is not None and any(target.format == "html" for target in self._wanted):
            story = story._replace(pages={file.path: self._page(file) for file in self._files})
        done = [self._wrote(target, story) for target in self._wanted] if story is not None else []
        return all(done)

    def _page(self, file: File) -> str:
        """A runbook without its front matter and its secrets, its lines where they are."""
        from spry.core.frontmatter import parse
        from spry.core.source import source

        read = source(file.data.decode("utf-8", "replace"))
        above = parse(read).end_line
        text = "\n".join(("",) * above + read.lines[above:])
        return text if self._attempts.secrets is None else self._attempts.secrets.text(text)

    def _wrote(self, target: Target, story: Story) -> bool:
        try:
            _put(target.path, (piece.encode("utf-8", "replace") for piece in written(target.format, story)))
        except BrokenPipeError:
            return True  # whoever read it has seen enough
        except Exception as error:  # noqa: BLE001 - a report cannot fail a run, and the exit code tells
            where = "stdout" if target.path == STDOUT else target.path
            reason = error.strerror if isinstance(error, OSError) else repr(error)
            self._attempts.warn(f"the {target.format} report could not be written to {where}: {reason}")
            return False
        return True


def _put(path: str, pieces: Iterator[bytes]) -> None:
    """Write a file whole or not at all.

    What is no file (a pipe, a device) and stdout get the pieces as they are, and a job's summary grows.
    """
    grows = path == _summary()
    if path != STDOUT and not grows and (not os.path.exists(path) or _is_file(path)):
        write_whole(path, pieces)
        return
    with open(_opened(path, os.O_APPEND | os.O_CREAT if grows else 0), "wb") as stream:
        stream.writelines(pieces)


def _opened(path: str, flags: int) -> int:
    """A descriptor to write to; OSError for a pipe that nobody reads, which would have to be waited for."""
    if path == STDOUT:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return os.dup(sys.stdout.fileno())
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | flags, 0o644)
    os.set_blocking(descriptor, True)
    return descriptor
