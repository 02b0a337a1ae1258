"""The pages of `runbooks/` do what they say: each is run by the real command, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from book import Done, Forks


ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "runbooks"
PAGES = sorted(path.name for path in RUNBOOKS.glob("*.md"))

pytestmark = pytest.mark.slow


class Page:
    """One runbook, copied into a folder of its own, with its scratch folder beside that."""

    def __init__(self, name: str, tmp_path: Path, forks: Forks) -> None:
        self._forks, self._streams = forks, tmp_path
        self.folder = tmp_path / "page"
        self.folder.mkdir()
        self.path = self.folder / name
        self.out = tmp_path / "out"
        shutil.copy(RUNBOOKS / name, self.path)
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }

    def spry(self, *words: str) -> Done:
        return self._forks.finish(*words, cwd=self.folder, env=self.env, streams=self._streams)

    def runbook(self, *options: str) -> Done:
        return self.spry("runbook", self.path.name, "--env", f"OUT={self.out}", *options)

    def task(self, *words: str) -> Done:
        return self.spry("task", *words, self.path.name, "--env", f"OUT={self.out}")

    def outcomes(self, *options: str) -> tuple[int, dict[str, str]]:
        """The exit code of a run and how each of its tasks ended."""
        done = self.runbook("--json", *options)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        ends = {event["task"]: event["outcome"] for event in events if event["event"] == "task_finished"}
        return done.exit_code, ends

    def edit(self, old: str, new: str) -> None:
        text = self.path.read_text()
        assert text.count(old) == 1
        self.path.write_text(text.replace(old, new))


@pytest.fixture
def page(tmp_path: Path, forks: Forks, request: pytest.FixtureRequest) -> Page:
    return Page(request.param, tmp_path, forks)


def on(name: str) -> pytest.MarkDecorator:
    """Run a test with a copy of this page."""
    return pytest.mark.parametrize("page", [name], indirect=True, ids=[""])


def good(done: Done) -> Done:
    assert done.exit_code == 0, done.stdout + done.stderr
    return done


def git(page: Page, *words: str) -> str:
    repository = page.out / "toy"
    done = subprocess.run(["git", *words], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def schema_version(page: Page) -> int:
    database = sqlite3.connect(page.out / "shop.db")
    try:
        return database.execute("PRAGMA user_version").fetchone()[0]
    finally:
        database.close()


def test_every_runbook_passes_the_check(tmp_path, forks):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    good(forks.finish("check", str(RUNBOOKS), cwd=ROOT, env=env, streams=tmp_path))


@pytest.mark.parametrize("page", PAGES, indirect=True)
def test_every_runbook_succeeds_twice_in_a_row_and_leaves_nothing_beside_itself(page):
    good(page.runbook())
    good(page.runbook())

    assert [path.name for path in page.folder.iterdir()] == [page.path.name]


@pytest.mark.parametrize("page", PAGES, indirect=True)
def test_every_task_of_every_runbook_has_a_description(page):
    tasks = json.loads(good(page.spry("ls", "--json", page.path.name)).stdout)

    assert [task["name"] for task in tasks if not task["descr"]] == []


@pytest.mark.parametrize("page", PAGES, indirect=True)
def test_a_dry_run_writes_nothing(page):
    good(page.runbook("--dry-run"))

    assert not page.out.exists()


@on("hello.md")
def test_hello_greets_with_both_captures(page):
    machine = " ".join(os.uname()[i] for i in (0, 4))

    assert f"Hello, {machine}! Have a fine " in good(page.runbook()).stdout


@on("hello.md")
def test_hello_does_not_greet_without_a_weekday(page):
    page.edit("date +%A", "exit 1")

    assert page.outcomes() == (1, {"machine": "succeeded", "weekday": "failed", "greet": "skipped"})


@on("fetch-and-join.md")
def test_fetched_files_are_joined_into_one_table(page):
    done = good(page.runbook())

    table = "name,euros\nAda,174.00\nGrace,72.00\nLinus,50.00\n"
    assert page.out.joinpath("revenue.csv").read_text() == table
    assert "Total: 296.00 EUR" in done.stdout


@on("fetch-and-join.md")
def test_a_file_with_a_wrong_checksum_is_not_joined(page):
    page.edit("write_text(sums)", 'write_text(sums.replace("rates.txt", "else.txt"))')
    code, ends = page.outcomes()

    fetched = {"fetch-customers": "succeeded", "fetch-orders": "succeeded", "fetch-rates": "failed"}
    assert code == 1
    assert ends == {"publish": "succeeded", **fetched, "join": "skipped", "report": "skipped"}
    assert not page.out.joinpath("inbox", "rates.txt").exists()


@on("migrate-database.md")
def test_a_migration_ends_at_the_new_schema_and_restore_goes_back(page):
    good(page.runbook())
    migrated = schema_version(page)
    good(page.task("restore", "--yes"))

    assert (migrated, schema_version(page)) == (3, 1)


@on("migrate-database.md")
def test_restore_is_refused_without_somebody_to_ask(page):
    good(page.runbook())
    done = page.task("restore")

    assert done.exit_code == 2
    assert schema_version(page) == 3


@on("migrate-database.md")
def test_a_migration_that_breaks_halfway_leaves_the_old_schema(page):
    page.edit("CREATE INDEX orders_by_customer ON orders (customer)", "CREATE INDEX broken ON orders (nothing)")
    code, ends = page.outcomes()

    assert code == 1
    assert ends["migrate"] == "failed"
    assert ends["verify"] == ends["summary"] == "skipped"
    assert ends["safety-net"] == "succeeded"
    assert schema_version(page) == 1


@on("migrate-database.md")
def test_a_migration_that_fails_its_verification_is_taken_back(page):
    page.edit("WHEN 0 THEN '' ELSE substr(name", "WHEN 0 THEN '?' ELSE substr(name")
    code, ends = page.outcomes()

    assert code == 1
    assert (ends["migrate"], ends["verify"], ends["safety-net"]) == ("succeeded", "failed", "succeeded")
    assert schema_version(page) == 1


@on("deploy-environments.md")
def test_a_version_reaches_production_and_rollback_goes_one_back(page):
    health = page.out / "production" / "current" / "health"
    seen = []
    for version in ("1.0.0", "1.1.0"):
        good(page.runbook("--param", f"version={version}"))
        seen.append(health.read_text())
    good(page.task("rollback", "--yes"))

    assert [*seen, health.read_text()] == ["ok 1.0.0\n", "ok 1.1.0\n", "ok 1.0.0\n"]


@on("deploy-environments.md")
def test_until_stops_before_production(page):
    good(page.runbook("--until", "smoke-staging"))

    assert page.out.joinpath("staging", "current").exists()
    assert not page.out.joinpath("production").exists()


@on("deploy-environments.md")
def test_a_failed_smoke_test_on_staging_keeps_production_untouched(page):
    deploy = 'deploy staging "${captured.version}"'
    page.edit(deploy, f'{deploy}; echo bad >"$OUT/staging/current/health"')
    code, ends = page.outcomes()

    assert code == 1
    assert ends["smoke-staging"] == "failed"
    assert ends["deploy-production"] == ends["smoke-production"] == "skipped"
    assert not page.out.joinpath("production").exists()


@on("deploy-environments.md")
def test_an_unknown_environment_is_refused(page):
    done = page.task("rollback", "--yes", "--param", "environment=moon")

    assert done.exit_code == 2
    assert "staging" in done.stderr


@on("full-stack.md")
def test_the_full_stack_goes_live_and_is_cleaned_up(page):
    code, ends = page.outcomes()

    assert code == 0
    assert set(ends.values()) == {"succeeded"}
    assert sorted(path.name for path in page.out.joinpath("live").iterdir()) == ["backend-2026.11", "frontend-2026.11"]
    assert page.out.joinpath("database", "state").read_text() == "stopped\n"


@on("full-stack.md")
def test_a_failed_backend_test_stops_the_deployment_but_not_the_frontend_nor_the_cleanup(page):
    code, ends = page.outcomes("--env", "BREAK=backend-test")

    skipped = {task for task, outcome in ends.items() if outcome == "skipped"}
    assert code == 1
    assert skipped == {"integration-test", "deploy-backend", "deploy-frontend", "smoke-test", "deploy-complete"}
    assert (ends["backend-test"], ends["frontend-test"], ends["cleanup"]) == ("failed", "succeeded", "succeeded")
    assert page.out.joinpath("database", "state").read_text() == "stopped\n"


@on("full-stack.md")
def test_one_task_of_the_full_stack_brings_its_ancestors_and_the_cleanup(page):
    good(page.task("backend-test"))

    assert page.out.joinpath("backend", "dist", "app").exists()
    assert not page.out.joinpath("frontend", "dist").exists()
    assert page.out.joinpath("database", "state").read_text() == "stopped\n"


@on("check-docs.md")
def test_the_documentation_of_this_project_is_in_order(page):
    good(page.runbook("--env", f"DOCS={RUNBOOKS}"))
    good(page.runbook("--env", f"DOCS={ROOT / 'docs'}"))


@on("check-docs.md")
@pytest.mark.parametrize(
    ("text", "check", "finding"),
    [
        ("# T\n\n[gone](nowhere.md)\n", "links", "bad.md:3: no such file: nowhere.md"),
        ("# T\n\n[gone](#else)\n", "links", "bad.md:3: no such heading: #else"),
        ("# T\n\n```python\nx = 1\ny = (\n```\n", "python-examples", "bad.md:5: Python"),
        ("# T\n\n```bash\nif true\n```\n", "shell-examples", "syntax error"),
        ('# T\n\n```json\n{"a": }\n```\n', "json-examples", "bad.md:4: JSON"),
        ("# T\n\n### Three\n", "headings", "bad.md:3: level 3 follows level 1"),
        ("Text.\n", "headings", "bad.md:1: 0 titles"),
    ],
)
def test_a_broken_page_is_found_by_its_check_alone(page, text, check, finding):
    page.folder.joinpath("bad.md").write_text(text)
    code, ends = page.outcomes()

    assert code == 1
    assert [task for task, outcome in ends.items() if outcome == "failed"] == [check]
    assert finding in page.out.joinpath(f"{check}.txt").read_text()


@on("triage.md")
def test_triage_answers_every_question_in_one_report(page):
    good(page.runbook("--param", f"look={page.folder}"))

    report = page.out.joinpath("triage-report.md").read_text()
    headings = [line.removeprefix("## ") for line in report.splitlines() if line.startswith("## ")]
    assert headings == [
        "System",
        "Load",
        "Memory",
        "Disks",
        "Busy processes",
        "Started in the last ten minutes",
        "Open files",
        f"Largest files below {page.folder}",
    ]
    assert "triage.md" in report


@on("triage.md")
def test_triage_reports_what_got_no_answer(page):
    page.edit("section 30 Memory", "exit 1")
    code, ends = page.outcomes()

    assert code == 1
    assert [task for task, outcome in ends.items() if outcome == "failed"] == ["memory"]
    assert "## Section 30\n\nNo answer" in page.out.joinpath("triage-report.md").read_text()


@on("triage.md")
def test_a_quick_triage_still_has_its_report(page):
    good(page.runbook("--tag", "quick"))

    report = page.out.joinpath("triage-report.md").read_text()
    assert "## Load" in report
    assert "Largest files" not in report


@on("release.md")
def test_each_release_tags_the_next_version(page):
    good(page.runbook())
    good(page.runbook("--param", "bump=patch"))

    assert git(page, "tag").split() == ["v0.2.0", "v0.2.1"]
    assert git(page, "status", "--porcelain") == ""
    assert sorted(path.name for path in page.out.joinpath("toy", "dist").iterdir()) == [
        "toy-0.2.1-py3-none-any.whl",
        "toy-0.2.1.tar.gz",
    ]


@on("release.md")
def test_a_release_whose_tests_fail_leaves_no_tag_and_a_clean_tree(page):
    page.edit("self.assertEqual(double(2), 4)", "self.assertEqual(double(2), 5)")
    code, ends = page.outcomes()

    assert code == 1
    assert ends["test"] == "failed"
    assert {ends[task] for task in ("write-version", "changelog", "build", "verify", "tag")} == {"skipped"}
    assert git(page, "tag") == git(page, "status", "--porcelain") == ""


@on("release.md")
def test_a_rehearsal_of_a_release_changes_nothing_but_the_archives(page):
    good(page.task("verify"))

    assert git(page, "tag") == git(page, "status", "--porcelain") == ""
    assert len(list(page.out.joinpath("toy", "dist").iterdir())) == 2


@on("release.md")
def test_a_package_built_twice_from_one_commit_has_the_same_bytes(page):
    built = []
    for _ in range(2):
        good(page.task("verify"))
        built.append({path.name: path.read_bytes() for path in page.out.joinpath("toy", "dist").iterdir()})

    assert built[0] == built[1]


@on("build-two-architectures.md")
def test_a11_each_chain_sees_only_the_file_of_its_own_build(page):
    good(page.runbook())

    for arch in ("x86_64", "arm64"):
        assert page.out.joinpath(f"test-{arch}.txt").read_text() == "./out/binary\n"


@on("build-two-architectures.md")
def test_a11_a_test_that_failed_is_resumed_without_building_again(page):
    page.edit('test "$(./out/binary)" = arm64', 'test "$(./out/binary)" = arm64 && test -e "$OUT/mended"')
    code, ends = page.outcomes()
    assert (code, ends["test-arm64"], ends["test-x86_64"]) == (1, "failed", "succeeded")
    page.out.joinpath("mended").touch()
    done = good(page.spry("resume", "--json"))

    started = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["task"] for one in started if one["event"] == "task_started"] == ["test-arm64"]


@on("build-then-test-all.md")
def test_a12_both_tests_get_the_files_of_both_builds(page):
    good(page.runbook("-j", "1"))

    for test in ("test-1", "test-2"):
        assert page.out.joinpath(f"{test}.txt").read_text() == "./arm64/binary\n./x86_64/binary\n"


@on("build-then-test-all.md")
def test_a13_the_same_path_of_two_builds_is_a_conflict_before_anything_runs(page):
    page.edit("--save binary:/arm64/binary", "--save binary:/x86_64/binary")
    done = page.runbook()

    assert done.exit_code == 2
    assert "artifact conflict: 'x86_64/binary' saved by 'build-x86_64' and 'build-arm64'" in done.stderr
    assert not page.out.exists()


@on("finally.md")
def test_t30_clean_up_and_report_follow_a_failure_and_an_optional_one_changes_nothing(page):
    good_code, good_ends = page.outcomes()
    code, ends = page.outcomes("--param", "broken=true")

    assert (good_code, good_ends["publish"], good_ends["recommend"]) == (0, "succeeded", "failed")
    assert code == 1
    assert ends == {
        "build": "succeeded", "test": "failed", "publish": "skipped", "cleanup": "succeeded", "report": "succeeded",
        "recommend": "failed",
    }  # fmt: skip
    assert not (page.out / "build").exists()
    assert "test: failed" in (page.out / "report.txt").read_text()
