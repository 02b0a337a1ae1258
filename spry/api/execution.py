"""`spry exec`: one command, function, saved spec or pipeline as a plan."""

from __future__ import annotations

import os

from spry.api.places import is_runbook
from spry.api.single import Execution, checked, command, from_spec, function, limits, single, stdin, whole
from spry.api.wishes import wishes
from spry.core.plan import Selection, select
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from spry.api import specs
    from spry.api.places import File
    from spry.api.wishes import Wishes
    from spry.core.model import Task
    from spry.core.taskspec import Pipeline


def execution(request: Any) -> Execution:
    """What `spry exec` was asked for; UsageError or RunbookError where that is nothing that can be run."""
    kinds = {"--spec": request.spec, "--pipeline": request.pipeline, "--function": request.function}
    given = [name for name, value in kinds.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} go each alone", "run one after the other")
    if not given and not request.words:
        raise UsageError("nothing to run: no command is given", "spry exec CMD ARGS, --spec, --pipeline or --function")
    if given and request.words and given != ["--spec"]:
        raise UsageError(f"{given[0]} takes no words behind it", "give a function its values with --arg and --kw")
    if (request.arg or request.kw) and request.function is None:
        raise UsageError("--arg and --kw are for --function", "write the words of a command behind it")
    asked = wishes(request._replace(words=None))._replace(own_code=True)
    if request.pipeline is not None:
        return _pipeline(request, asked)
    if request.spec is not None:
        return _saved(request, asked)
    task = function(request) if request.function is not None else command(request.words)
    return single(task, request, asked)


def _saved(request: Any, asked: Wishes) -> Execution:
    """A saved spec, a spec in a file, or `runbook.md#task` with everything that the task needs."""
    from spry.api import specs

    path, _, name = request.spec.partition("#")
    if is_runbook(path):
        if not name:
            raise UsageError(f"--spec {path}: which task of it?", f"write --spec {path}#NAME, or --pipeline {path}")
        words = {name: request.words} if request.words else {}
        return _of_runbook(path, Selection((name,)), request, asked._replace(words=words))
    found = specs.find(request.spec, "task", _project(request))
    file = specs.opened(found)
    spec = specs.read_task(found, file)
    task = from_spec(spec, found.folder, request.words or (), stdin=stdin())
    return single(task, request, asked, stream=spec.stream)._replace(files=(file,))


def _pipeline(request: Any, asked: Wishes) -> Execution:
    """Stages, each reading what the one before it wrote; or the tasks of a runbook."""
    from spry.api import specs

    if is_runbook(request.pipeline):
        return _of_runbook(request.pipeline, Selection(), request, asked)
    for option in ("memory", "cpu", "interactive"):
        if getattr(request, option):
            raise UsageError(
                f"--{option} is for one command, not for a pipeline", "write it into the specs of the stages"
            )
    found = specs.find(request.pipeline, "pipeline", _project(request))
    files = [specs.opened(found)]
    read = specs.read_pipeline(found, files[0])
    tasks = tuple(_stages(read, found, request, files))
    name = read.name if request.name is None else checked(request.name)
    made = whole(tasks, asked, request, stream=tasks[-1].stream)
    return made._replace(origin=made.origin._replace(selection=Selection((name,))), files=files)


def _stages(read: Pipeline, found: specs.Found, request: Any, files: list[File]) -> Iterator[Task]:
    """A task for each stage; `files` gets those that stages come from."""
    from spry.api import specs

    before = ""
    for stage in read.stages:
        spec, folder = stage.spec, found.folder
        if spec is None:
            place = specs.find(stage.saved, "task", folder)
            files.append(specs.opened(place))
            spec, folder = specs.read_task(place, files[-1]), place.folder
        task = from_spec(spec, folder, name=stage.name, stdin=before or stdin())
        yield task._replace(deps=(before,) if before else (), tags=request.tag)
        before = stage.name


def _project(request: Any) -> str:
    return os.path.abspath(request.context or os.getcwd())


def _of_runbook(path: str, selection: Selection, request: Any, asked: Wishes) -> Execution:
    """Tasks of a runbook, with what their own fences say."""
    from spry.api.history import origin
    from spry.api.load import load
    from spry.api.places import find

    if limits(request) or request.name or request.interactive or request.tag:
        raise UsageError(
            "--memory, --cpu, --name, --tag and --interactive are not for runbooks", "write it into its fence"
        )
    files = find([path])
    come_from = origin(files, selection)
    if request.context:
        come_from = come_from._replace(folder=_project(request))
    return Execution(select(load(files), selection), asked, come_from, files=files)
