"""The site: its navigation has every page, links and fences become what it can show, public names say what they are."""

import importlib.util
import inspect

import pages
import pytest
import yaml
from pages import PAGES, ROOT

import spry


def load():
    specification = importlib.util.spec_from_file_location("site_of_docs", ROOT / ".ci" / "site.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


site = load()


def listed(nav):
    """All pages of a navigation."""
    for part in nav:
        if isinstance(part, str):
            yield part
        else:
            for below in part.values():
                yield from [below] if isinstance(below, str) else listed(below)


def test_the_navigation_names_every_page_once():
    wanted = [page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")] + list(site.ELSEWHERE.values())

    assert sorted(listed(site.navigation())) == sorted(wanted)


def test_the_navigation_has_the_sections_of_the_index():
    sections = [name for part in site.navigation() for name in part]

    assert sections == [
        "Home", "Overview", "Tutorial", "How-to guides", "Reference", "Explanation", "Examples", "Project",
    ]  # fmt: skip


@pytest.mark.parametrize("page", [*PAGES, *(path for path in site.ELSEWHERE if path not in PAGES)])
def test_every_link_of_a_page_leads_to_a_page_or_file_of_the_site(page):
    place = site.ELSEWHERE.get(page) or page.removeprefix("docs/")
    made = site.shown((ROOT / page).read_text("utf-8"), place)
    sources = {**site.IN_REPOSITORY}
    for found in site.LINK.finditer(made):
        target = found["target"]
        if found["code"] or not target or target.startswith("#") or ":" in target:
            continue
        path = site.posixpath.normpath(site.posixpath.join(site.posixpath.dirname(place), target.partition("#")[0]))
        assert (ROOT / sources.get(path, f"docs/{path}")).is_file(), f"{page}: {target}"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("```bash", "```bash"),
        ("```console unordered", "```console"),
        ('````markdown title="a.md" change', '````markdown title="a.md, change"'),
        ('  ~~~bash build --descr "Make it"', "  ~~~bash title=\"bash build --descr 'Make it'\""),
        ("```", "```"),
    ],
)
def test_a_fence_keeps_what_a_site_can_show(line, shown):
    end = line.strip()[:4].rstrip("abcdefghijklmnopqrstuvwxyz ")
    text = f"- x\n\n{line}\n{line[: len(line) - len(line.lstrip())]}{end}"

    assert site.shown(text, "a.md").split("\n")[2] == shown


@pytest.mark.parametrize(
    ("page", "written", "made"),
    [
        ("overview.md", "[x](docs/index.md)", "[x](index.md)"),
        ("overview.md", "![x](docs/images/full-stack.svg)", "![x](images/full-stack.svg)"),
        ("overview.md", "[MIT](LICENSE)", "MIT"),
        ("tutorial/first-runbook.md", "[x](../../README.md#try-it)", "[x](../overview.md#try-it)"),
        ("reference/flags.md", "[x](#here) [y](https://example.org)", "[x](#here) [y](https://example.org)"),
        ("reference/flags.md", "`[x](../../README.md)`", "`[x](../../README.md)`"),
    ],
)
def test_a_link_leads_to_where_the_page_is_on_the_site(page, written, made):
    assert site.shown(written, page) == made


def test_the_page_of_the_api_has_the_place_for_all_names():
    assert site.NAMES in pages.text("docs/reference/python-api.md")


def public():
    """Every name that can be imported from spry, with the members of classes that are defined there."""
    for name in getattr(spry, "__all__", ()):
        value = getattr(spry, name)
        yield name, value
        for member, inner in vars(value).items() if inspect.isclass(value) else ():
            if not member.startswith("_") and (callable(inner) or isinstance(inner, (property, classmethod))):
                yield f"{name}.{member}", inner


def test_every_public_name_says_what_it_is():
    silent = [name for name, value in public() if not (getattr(value, "__doc__", None) or "").strip()]

    assert silent == []


def test_the_site_fetches_nothing_from_elsewhere():
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    with (ROOT / "mkdocs.yml").open(encoding="utf-8") as stream:
        settings = yaml.load(stream, Loader)

    assert settings["theme"]["font"] is False
    assert settings["strict"] is True
