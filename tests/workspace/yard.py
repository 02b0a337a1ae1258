"""Real repositories next to each other, and the command line run in one of them."""

from __future__ import annotations

import shutil
import subprocess
import venv

from book import Book, cell

TEST = cell("bash test", 'echo "$PWD"')


class Yard:
    """A folder with repositories; `run` runs a command in the one called `here`, which has no task."""

    def __init__(self, place, forks) -> None:
        self.book = Book(place, forks)
        self.book.env["PATH"] = "/usr/bin:/bin"
        self.book.env["GIT_CONFIG_GLOBAL"] = "/dev/null"
        self.place = self.book.folder
        self.here = self.repository("here", runbook=None)
        self._template = self.here / ".git"

    def repository(self, path, *cells, runbook="Spryfile.md", python=True):
        """Make a repository with a runbook of these cells; its folder."""
        folder = self.place / path
        folder.mkdir(parents=True)
        if path == "here":
            subprocess.run(["git", "init", "-q", folder], check=True, env=self.book.env)
        else:
            shutil.copytree(self._template, folder / ".git")  # `git init` takes ten times as long
        if python:
            (folder / "pyproject.toml").write_text(f'[project]\nname = "{folder.name}"\nversion = "1"\n')
        if runbook:
            (folder / runbook).write_text("".join(cells) or TEST)
        return folder

    def members(self, text, at="here"):
        """Write the configuration of the workspace."""
        folder = self.place / at / ".spry"
        folder.mkdir(exist_ok=True)
        (folder / "config.toml").write_text(text)

    def environment(self, path):
        """A real virtual environment."""
        venv.create(self.place / path, with_pip=False, symlinks=True)
        return self.place / path

    def run(self, *argv, cwd="here", env=None):
        """Run a command to its end, with no terminal."""
        return self.book.run(*argv, cwd=cwd, env=env)

    def all(self, *argv, cwd="here", env=None):
        """`spry workspace run …`."""
        return self.run("workspace", "run", *argv, cwd=cwd, env=env)

    def start(self, *argv, cwd="here", **options):
        """Start a command as a process like any other."""
        self.book.folder = self.place / cwd
        try:
            return self.book.start(*argv, **options)
        finally:
            self.book.folder = self.place


def figures(done):
    """What the summary says, by its labels."""
    found = {}
    for line in done.stderr.splitlines():
        for label in (
            "Task:",
            "Total repos:",
            "✅ Succeeded:",
            "❌ Failed:",
            "⏭️ Skipped:",
            "⏹️ Not run:",
            "⏱️ Duration:",
        ):
            if line.startswith(label):
                found[label.strip(":").rpartition(" ")[2] if "repos" not in label else "Total"] = line[
                    len(label) :
                ].strip()
    return found


def turns(done):
    """The repositories in the order of their banners."""
    return [line.rpartition(" in ")[2] for line in done.stderr.splitlines() if line.startswith("▶ Running")]
