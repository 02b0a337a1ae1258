"""What a task is, as a digest: two runs did the same work where it is the same."""

from __future__ import annotations

from spry.core.model import Settings

try:
    from _blake2 import blake2b  # hashlib loads OpenSSL first, which costs a fifth of Python's own start
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spry.core.model import Task

NOTHING = Settings()


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
    parts = (task.body, program, place, environment, leaves, queues, given, tuple(words))
    return digest(ascii(parts))


def digest(text: str) -> str:
    """The digest of a text, 32 letters long; text that is no valid Unicode has one too."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
