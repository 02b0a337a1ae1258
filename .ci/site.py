"""The documentation as a site: pages that are written for a forge, as MkDocs wants them.

MkDocs calls the functions `on_…`. Pages that stand elsewhere in the repository become part of the site, the navigation
is that of docs/index.md, links lead to where pages are there, of a fence's info string is left what a site can show,
and the page of the Python API gets all public names.
"""

from __future__ import annotations

import posixpath
import re
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from spry.core import markdown
from spry.core.source import source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = [f"runbooks/{path.name}" for path in sorted((ROOT / "runbooks").glob("*.md"))]
PROJECT = {
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "bench/README.md": "bench.md",
}
ELSEWHERE = {"README.md": "overview.md", **PROJECT, **dict(zip(EXAMPLES, EXAMPLES, strict=True))}
IN_REPOSITORY = {page: path for path, page in ELSEWHERE.items()}
FOLDERS = {"runbooks": EXAMPLES[0]}
NAMES = "<!-- every public name -->"
LINK = re.compile(
    r"(?P<code>`[^`\n]*`)|(?P<image>!?)\[(?P<words>[^\]]*)\]\((?P<target>[^)\s]+)(?P<title>\s+\"[^\"]*\")?\)"
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give the site its navigation."""
    config.nav = navigation()
    return config


def navigation() -> list[object]:
    """The pages by the headings of docs/index.md, and those that stand elsewhere."""
    nav: list[object] = [{"Home": "index.md"}, {"Overview": "overview.md"}]
    for section in (ROOT / "docs" / "index.md").read_text("utf-8").split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        pages = [found["target"] for found in LINK.finditer(section) if found["target"].endswith(".md")]
        nav.append({heading: pages if len(pages) > 1 else pages[0]})
    return [*nav, {"Examples": EXAMPLES}, {"Project": list(PROJECT.values())}]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand outside of `docs`."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - what comes below can be tested without

    for path, page in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(text: str, page: Page, **_: object) -> str:
    """A page as the site needs it."""
    return shown(text.replace(NAMES, public_names()) if NAMES in text else text, page.file.src_uri)


def shown(text: str, page: str) -> str:
    """The text of a page with fences and links for a site."""
    lines = text.split("\n")
    prose = [True] * len(lines)
    for cell in markdown.cells(source(text))[0]:
        lines[cell.line - 1] = fence(lines[cell.line - 1], cell.info)
        prose[cell.line - 1 : cell.end] = [False] * (cell.end - cell.line + 1)
    blocks = groupby(zip(lines, prose, strict=True), key=itemgetter(1))
    parts = [("\n".join(line for line, _ in block), is_prose) for is_prose, block in blocks]
    return "\n".join(LINK.sub(partial(link, page=page), part) if is_prose else part for part, is_prose in parts)


def fence(line: str, info: str) -> str:
    """The first line of a fence: its language, and as its title the file that it makes, or all that it says."""
    language, _, rest = info.partition(" ")
    title = re.search(r'title="([^"]*)"', rest)
    others = re.sub(r'title="[^"]*"', "", rest).split()
    words = ", ".join([title[1], *others]) if title else info.replace('"', "'") if others else ""
    wanted = f'{language} title="{words}"' if words and language != "console" else language
    return line.removesuffix(info).rstrip() + wanted if line.endswith(info) else line


def link(found: re.Match[str], page: str) -> str:
    """A link that leads to the same place on the site; its words alone where the site has no such place."""
    target = found["target"]
    if found["code"] or re.match(r"[a-z]+:|#", target):
        return found[0]
    path, hash_, anchor = target.partition("#")
    here = posixpath.dirname(IN_REPOSITORY.get(page, f"docs/{page}"))
    there = posixpath.normpath(posixpath.join(here, path))
    place = ELSEWHERE.get(there) or FOLDERS.get(there) or (there[5:] if there.startswith("docs/") else "")
    if not place:
        return found["words"]
    relative = posixpath.relpath(place, posixpath.dirname(page) or ".")
    return f"{found['image']}[{found['words']}]({relative}{hash_}{anchor}{found['title'] or ''})"


def public_names() -> str:
    """A directive for each name that can be imported from `spry`, by where it is defined."""
    import spry  # noqa: PLC0415 - as a reader would

    values = {name: getattr(spry, name) for name in sorted(getattr(spry, "__all__", ()))}
    return "\n\n".join(f"::: {value.__module__}.{value.__qualname__}" for value in values.values())
