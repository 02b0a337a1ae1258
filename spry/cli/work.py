"""`spry queue work TASK`: run a task for each message of its inbox."""

from __future__ import annotations

from spry.api.history import origin
from spry.api.load import load
from spry.api.places import find
from spry.api.running import jobs_of
from spry.api.wishes import needs, unanswerable, wishes
from spry.api.working import Crew, Work
from spry.cli.run import ours, start
from spry.core.plan import Selection, select
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.cli.options import Request
    from spry.store.reservations import Held
    from spry.view.screen import Screen


def work(request: Request, screen: Screen) -> int:
    """Have workers until they are stopped, or with `--drain` until the inbox is empty; the exit code."""
    request = request._replace(names=request.names[1:], output=request.output or "group")
    asked = wishes(request)
    files = find(request.files)
    selection = Selection(request.names)
    plan = select(load(files), selection)
    task = plan.steps[request.names[0]].task
    if task.inbox is None:
        place = f"{task.path}:{task.line}:{task.column}"
        raise UsageError(f'{place}: task "{task.name}" has no --inbox to work through', "add --inbox QUEUE to it")
    if not asked.yes:
        unanswerable(plan, _nobody)
    needs(plan, _nobody)
    ours(files, plan, asked)
    come_from = None if request.no_history else origin(files, selection)
    one_by_one = asked._replace(jobs=1)

    def run(given: dict[str, Held]) -> int:
        code = start(plan, one_by_one, request, screen, come_from, files, given)
        screen.flush()
        return code

    def warn(text: str) -> None:
        screen.say(("warning", "spry: "), text)
        screen.flush()

    screen.flush()
    return Crew(Work(plan, task.name, request.drain, run), warn).run(jobs_of(plan, asked))


def _nobody() -> bool:
    """The terminal belongs to all workers, so that none can ask there."""
    return False
