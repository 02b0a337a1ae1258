"""What a task is, as a digest: two runs did the same work where it is the same.

The fingerprint of a task is the digest of a text: a first line with the number of the recipe, then its parts in the
order of their bytes, each of three fields (kind, name, digest), each field behind its length. So no two lists of
parts have one text, and neither order nor machine has a say in it: no absolute paths, no times, no inodes.
"""

from __future__ import annotations

from spry.core.model import Settings
from spry.record import NamedTuple

try:
    from _blake2 import blake2b  # hashlib loads OpenSSL first, which costs a fifth of Python's own start
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from spry.core.model import Task

NOTHING = Settings()
RECIPE = b"spry fingerprint 1\n"


def definition(
    task: Task,
    settings: Settings = NOTHING,
    params: Mapping[str, str] | None = None,
    words: Sequence[str] = (),
) -> str:
    """The digest of everything written that decides what a task does: script, interpreter, flags, parameters.

    Name and place, description, dependencies, tags, timeouts and retries are no part of it: changing them changes
    neither what the task does nor what it leaves. Values of secret parameters are left out, since a digest of a short
    secret can be guessed.
    """
    secret = {parameter.name for parameter in task.params if parameter.type == "secret"} | {*settings.secrets}
    given = sorted((name, value) for name, value in (params or {}).items() if name not in secret)
    program = (task.language, task.interpreter, settings.shell, settings.interpreters.get(task.language), task.strict)
    place = (task.folder, settings.cwd, task.cwd, task.isolated, task.restore)
    environment = (sorted(settings.env.items()), settings.env_files, settings.env_mode, task.env, task.env_files)
    leaves = (task.captures, task.saves, task.outputs, task.inputs, task.exit_codes, task.interpolate)
    queues = (task.inbox, task.outbox)
    parts = (task.body, program, place, environment, leaves, queues, given, (*task.argv, *words))
    return digest(ascii(parts))


class Part(NamedTuple):
    """One thing that decides whether a task is up to date: its kind, which one of that kind, and what it is."""

    kind: str
    name: str
    digest: str


def written(
    task: Task,
    settings: Settings,
    params: Mapping[str, str],
    words: Sequence[str],
    variables: Mapping[str, str | None],
) -> Iterator[tuple[str, str, str]]:
    """What stands in a runbook and on the command line about a task, as kind, name and text, to be made parts of.

    `variables` are those of its declared environment, None for one that it asks for and does not have.
    """
    interpreters, handlers = settings.interpreters, settings.handlers
    program = (task.language, task.interpreter, settings.shell, interpreters.get(task.language), task.strict)
    flags = (
        settings.cwd, task.cwd, settings.env_mode, task.isolated, task.restore, task.captures, task.saves,
        task.inputs, task.outputs, task.exit_codes, task.interpolate, task.inbox, task.outbox,
    )  # fmt: skip
    yield "script", "", task.body
    yield "interpreter", "", ascii((*program, handlers.get(task.language)))
    yield "flags", "", ascii(flags)
    if words:
        yield "words", "", ascii(tuple(words))
    yield from (("parameter", name, value) for name, value in params.items())
    yield from (("variable", name, "" if value is None else f"={value}") for name, value in variables.items())


def encode(parts: Iterable[Part]) -> bytes:
    """The text of a fingerprint."""
    fields = sorted(tuple(field.encode("utf-8", "surrogatepass") for field in part) for part in parts)
    return RECIPE + b"".join([b"%d:%b" % (len(field), field) for part in fields for field in part])


def decode(text: bytes) -> list[Part]:
    """The parts in the text of a fingerprint; ValueError for a text of another recipe."""
    if not text.startswith(RECIPE):
        raise ValueError("not of this recipe")
    fields: list[str] = []
    at = len(RECIPE)
    while at < len(text):
        start = text.index(b":", at) + 1
        at = start + int(text[at : start - 1])
        fields.append(text[start:at].decode("utf-8", "surrogatepass"))
    return [Part(*fields[index : index + 3]) for index in range(0, len(fields), 3)]


def digest(text: str | bytes, key: bytes = b"") -> str:
    """The digest of a text, 32 letters long; text that is no valid Unicode has one too.

    With a key nobody without it can find out a short text by trying.
    """
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16, key=key).hexdigest()
