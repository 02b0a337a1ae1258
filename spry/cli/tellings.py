"""What a run in many repositories tells on the screen: for people, or for programs."""

from __future__ import annotations

import os
import time

from spry.core.text import format_duration
from spry.view import workspace as view
from spry.view.plain import is_for_runner, is_live, output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.cli.options import Request
    from spry.core.model import Plan
    from spry.engine.audience import Listener
    from spry.errors import SpryError
    from spry.view.plain import Output
    from spry.view.screen import Screen
    from spry.workspace.joined import Share
    from spry.workspace.results import WorkspaceTaskResult
    from spry.workspace.running import Order

WHOLE = {"prefix", "raw"}  # modes in which the lines of several repositories may stand between each other


class Told:
    """For people: one repository after the other, each between its banner and its outcome, and the summary."""

    def __init__(self, request: Request, screen: Screen) -> None:
        self._request, self._screen = request, screen
        self._mode = request.output or ("quiet" if request.quiet else "auto")
        if is_for_runner(screen, self._mode):
            from spry.view.actions import Runner

            screen.runner = Runner(screen)

    def warn(self, text: str) -> None:
        """Something that people should know."""
        self._screen.say(("warning", "spry: "), text)

    def began(self, order: Order, shares: Sequence[Share], skipped: Sequence[str]) -> None:
        """Name those that have no such task."""
        del shares
        for name in skipped:
            view.missing(self._screen, order.task, name)
        self._screen.flush()

    def shown(self, share: Share) -> Sequence[Listener]:
        """How the run of one repository is shown."""
        parallel, mode = self._request.parallel, self._mode
        if parallel and mode in WHOLE:
            return self._annotations(share)
        inner = output(
            "group" if parallel and mode in {"auto", "live"} else mode,
            self._screen,
            share.plan,
            verbose=self._request.verbose,
            brief=len(share.plan.steps) == 1,
        )
        quiet = mode == "quiet"
        framed = view.Framed(inner, self._screen, ", ".join(share.roots), share.name, quiet=quiet)
        return [view.Later(framed) if parallel else framed, *self._annotations(share)]

    def _annotations(self, share: Share) -> Sequence[Listener]:
        """What the runner of GitHub Actions is told of a repository."""
        if self._screen.runner is None:
            return []
        from spry.view.actions import Annotations

        return [Annotations(self._screen.runner, share.plan, os.environ.get("GITHUB_WORKSPACE", ""))]

    def board(self, plan: Plan) -> Sequence[Output]:
        """What shows all repositories at once, while they run in parallel."""
        if self._mode in WHOLE:
            return [output(self._mode, self._screen, plan, verbose=self._request.verbose)]
        if self._mode == "live" or (self._mode == "auto" and is_live(self._screen)):
            from spry.view.live import Live

            return [Live(view.Nothing(), self._screen, plan.steps)]
        return []

    def refused(self, name: str, roots: Sequence[str], error: SpryError) -> None:
        """Say why a repository cannot run at all."""
        from spry.view.problems import explain

        task, size = ", ".join(roots), self._screen.size("stderr")
        text = explain(error, columns=size.columns if size else 0, colour=self._screen.colours["stderr"])
        view.banner(self._screen, task, name)
        self._screen.show(text, "stderr")
        view.ending(self._screen, task, name, 0.0, ok=False)
        self._screen.flush()

    def over(self, result: WorkspaceTaskResult) -> None:
        """The figures of all, whatever else is shown."""
        if self._screen.runner is not None:
            self._screen.runner.close()
        figures: list[tuple[str, object]] = [
            ("Task:", result.task_name),
            ("Total repos:", result.total_repos),
            ("✅ Succeeded:", result.succeeded),
            ("❌ Failed:", result.failed),
            ("⏭️ Skipped:", result.skipped),
        ]
        if result.not_run:
            figures.append(("⏹️ Not run:", f"{len(result.not_run)} ({', '.join(result.not_run)})"))
        figures.append(("⏱️ Duration:", format_duration(result.duration)))
        failed = {name: result.repo_results[name].exit_code for name in result.get_failed_repos()}
        view.summary(self._screen, figures, failed, ok=result.success)
        self._screen.flush()


class JsonTold:
    """For programs: the events of every repository, each with its name, between a beginning and an end of all."""

    def __init__(self, screen: Screen) -> None:
        import json

        self._screen = screen
        self._dumps = json.JSONEncoder(separators=(",", ":")).encode

    def warn(self, text: str) -> None:
        """Something that people should know."""
        self._screen.say(("warning", "spry: "), text)

    def began(self, order: Order, shares: Sequence[Share], skipped: Sequence[str]) -> None:
        """Who has a part in it, with what was asked of each."""
        repositories = {share.name: list(share.roots) for share in shares}
        self._write(
            "workspace_started",
            task=order.task,
            parallel=order.parallel,
            repositories=repositories,
            skipped=list(skipped),
        )

    def shown(self, share: Share) -> Sequence[Listener]:
        """The events of one repository."""
        from spry.view.jsonl import json_lines

        return [json_lines(self._screen, {"repository": share.name})]

    def board(self, plan: Plan) -> Sequence[Output]:
        """Programs need none."""
        del plan
        return []

    def refused(self, name: str, roots: Sequence[str], error: SpryError) -> None:
        """Say why a repository cannot run at all."""
        from spry.view.problems import explain

        self._write("repository_refused", repository=name, tasks=list(roots), message=error.gist)
        self._screen.show(explain(error), "stderr")

    def over(self, result: WorkspaceTaskResult) -> None:
        """What came of all."""
        self._write(
            "workspace_finished",
            ok=result.success,
            counts={"succeeded": result.succeeded, "failed": result.failed, "skipped": result.skipped},
            repositories=[one._asdict() for one in result.repo_results.values()],
            not_run=list(result.not_run),
            duration=result.duration,
            exit_code=result.exit_code,
        )

    def _write(self, event: str, **fields: object) -> None:
        from spry.core.events import rfc3339

        self._screen.show(self._dumps({"event": event, "at": rfc3339(time.time()), **fields}) + "\n")
        self._screen.flush()
