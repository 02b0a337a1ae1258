"""The environment of each attempt: files are read here, the layers are laid in `core.environment`."""

from __future__ import annotations

import os

from spry.core import environment
from spry.core.model import Settings
from spry.engine.project import environment_in, isolation, upward
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spry.core.environment import Assignment
    from spry.core.model import Plan, Step, Task
    from spry.engine.project import Isolation

    Key = tuple[str, str, bool]


class Environments:
    """The environments of one plan's tasks; what tasks of one runbook share is computed once.

    `params` are values by task and parameter, `command_line` the `--env` of the command line.
    """

    def __init__(
        self,
        plan: Plan,
        caller: Mapping[bytes, bytes],
        params: Mapping[str, Mapping[str, str]],
        command_line: Mapping[str, str],
    ) -> None:
        self.plan, self.caller, self.params = plan, caller, params
        self.command_line = tuple(command_line.items())
        self.isolations: dict[Key, Isolation] = {}
        self.shared: dict[Key, tuple[Isolation, dict[bytes, bytes]]] = {}
        self.folders: dict[str, Sequence[str]] = {}
        self.named: dict[Key, frozenset[str]] = {}
        self.lent: dict[str, Sequence[Assignment]] = {}
        places = {name: (step.task.path, step.task.line) for name, step in plan.steps.items() if step.task.is_env}
        self.cells = sorted(places, key=places.__getitem__)

    def of(self, step: Step, own: Mapping[str, str]) -> dict[bytes, bytes]:
        """The whole environment of a task; `own` are the variables that win over everything.

        Raises UsageError for a file that cannot be read, or that has wrong lines.
        """
        task = step.task
        values = self.params.get(task.name)
        return environment.compose(
            self._shared(step),
            cells=[self._lent(name) for name in self.cells if name in step.deps] if self.cells else (),
            files=[self._file(task, name) for name in task.env_files],
            env=task.env,
            parameters={one.variable: values[one.name] for one in task.params if one.name in values}
            if values
            else None,
            command_line=self.command_line,
            own=own,
        )

    def path(self, step: Step) -> bytes:
        """The PATH a task will have; the whole environment is only laid where some layer of its own may set it."""
        task = step.task
        names = {name for name, _ in (*task.env, *self.command_line)} | {one.variable for one in task.params}
        if task.env_files or "PATH" in names or any(name in step.deps for name in self.cells):
            return self.of(step, {}).get(b"PATH", b"")
        return self._shared(step).get(b"PATH", b"")

    def declared(self, step: Step) -> dict[str, str]:
        """The variables that spry itself lays over the caller's for a task, parameters apart, by name.

        Raises UsageError as `of` does.
        """
        task = step.task
        self._shared(step)
        names = {*self.named[_key(step)], *(name for name, _ in (*task.env, *self.command_line))}
        names.update(*(self.lends(name) for name in self.cells if name in step.deps))
        names.update(*((one.name for one in self._file(task, name)) for name in task.env_files))
        if not names:
            return {}
        whole = self.of(step, {})
        return {name: os.fsdecode(whole[os.fsencode(name)]) for name in sorted(names)}

    def lends(self, name: str) -> set[str]:
        """The names of the variables that an env cell lends."""
        return {one.name for one in self._lent(name)}

    def lend(self, task: Task, body: str) -> None:
        """An env cell is done: its text, with its values, is what its dependents have in their environment."""
        self.lent[task.name] = _assignments(body, task)

    def offered(self, task: Task) -> dict[bytes, bytes]:
        """What a task has that depends on this env cell and on nothing else."""
        return environment.compose(self._shared(self.plan.steps[task.name]), cells=[self._lent(task.name)])

    def known(self) -> Sequence[Mapping[bytes, bytes]]:
        """What is known of all environments without reading a file: the layers that people give by hand."""
        layers = [settings.env for settings in self.plan.settings.values()]
        given = [
            {os.fsencode(name): os.fsencode(value) for name, value in layer.items()}
            for layer in (*layers, dict(self.command_line))
        ]
        return [self.caller, *given]

    def _lent(self, name: str) -> Sequence[Assignment]:
        if name not in self.lent:
            self.lend(self.plan.steps[name].task, self.plan.steps[name].task.body)
        return self.lent[name]

    def isolation(self, step: Step) -> Isolation:
        """How a task is kept apart from other projects; HostError for an `env_mode` that cannot be had.

        A virtual environment that was not there at first may yet be made by a dependency: as long as there is none,
        a task that has dependencies looks for itself.
        """
        task = step.task
        key, settings = _key(step), self.settings(task)
        found = self.isolations.get(key)
        if found is None or (not found.told and step.deps and self._has_own(task, settings)):
            mode = settings.env_mode or "auto"
            found = isolation(task.folder, mode, self.caller, streams=settings.stream is not False)
            self.isolations[key] = found
        return found

    def may_come(self, step: Step) -> bool:
        """Whether the virtual environment that a task must have is not there, and a dependency may make it."""
        task = step.task
        settings = self.settings(task)
        return bool(step.deps) and settings.env_mode == "venv" and not self._has_own(task, settings)

    def _has_own(self, task: Task, settings: Settings) -> bool:
        return settings.env_mode != "system" and bool(environment_in(self._folders(task)))

    def _folders(self, task: Task) -> Sequence[str]:
        if task.folder not in self.folders:
            self.folders[task.folder] = tuple(upward(task.folder))
        return self.folders[task.folder]

    def _shared(self, step: Step) -> dict[bytes, bytes]:
        task, found = step.task, self.isolation(step)
        key = _key(step)
        known = self.shared.get(key)
        if known is None or known[0] is not found:
            settings = self.settings(task)
            files = [self._file(task, name) for name in settings.env_files]
            known = found, environment.base(found.caller, files=files, settings=settings.env)
            self.shared[key] = known
            self.named[key] = frozenset((*settings.env, *(one.name for file in files for one in file)))
        return known[1]

    def settings(self, task: Task) -> Settings:
        """The front matter of the file a task stands in."""
        return self.plan.settings.get(task.path) or Settings()

    def _file(self, task: Task, name: str) -> Sequence[Assignment]:
        """The assignments of an environment file, relative to the runbook's folder."""
        path = os.path.join(task.folder, name)
        try:
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        except OSError as error:
            place = f"{task.path}:{task.line}"
            message = f'task "{task.name}" ({place}): environment file {name}: {(error.strerror or "").lower()}'
            raise UsageError(message, "correct --env-file or spry.env_file, or make the file") from None
        except UnicodeDecodeError:
            raise UsageError(f"{name}: not UTF-8", "save the environment file as UTF-8 text") from None
        return _parsed(text, os.path.relpath(path), task)


def _key(step: Step) -> Key:
    """What tasks have in common that share an environment; those without dependencies keep what was there at first."""
    return step.task.path, step.task.folder, bool(step.deps)


def _assignments(body: str, task: Task) -> Sequence[Assignment]:
    return _parsed(body, task.path, task)


def _parsed(text: str, path: str, task: Task) -> Sequence[Assignment]:
    from spry.core.dotenv import parse  # noqa: PLC0415 - few runbooks have env cells or files
    from spry.core.passage import Passage  # noqa: PLC0415 - as above
    from spry.core.source import source  # noqa: PLC0415 - as above

    found = parse(Passage(text, source(text, path, task.folder)))
    if found.problems:
        problem = found.problems[0]
        raise UsageError(f"{problem.place}: {problem.message}", problem.hint)
    return found.assignments
