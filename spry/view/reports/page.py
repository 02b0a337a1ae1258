"""A runbook as HTML: its prose, and its cells with what became of the tasks. Nothing of it is obeyed or fetched."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from spry.view.markup import attribute, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

ELSEWHERE = re.compile("(?:https?|mailto):", re.IGNORECASE)
COMMENT = re.compile("\\s*<!--.*-->\\s*", re.DOTALL)


def rendered(markdown: str, badges: Mapping[int, str]) -> str:
    """The page; `badges` are put above the cells, by the line of the first line of their bodies."""
    made = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for kind, rule in (("fence", _fence), ("image", _image), ("link_open", _link)):
        made.add_render_rule(kind, rule)
    for kind in ("html_block", "html_inline"):
        made.add_render_rule(kind, _html)
    html: str = made.render(markdown, {"badges": badges})
    return html


def _html(_: RendererHTML, tokens: Sequence[Token], at: int, *__: Any) -> str:
    """Comments are not for readers; every other piece of HTML is shown and never obeyed."""
    words = tokens[at].content
    return "" if COMMENT.fullmatch(words) else text(words)


def _image(_: RendererHTML, tokens: Sequence[Token], at: int, *__: Any) -> str:
    """The words in place of an image: a report fetches nothing."""
    return f'<em class="image">{text(tokens[at].content or "image")}</em>'


def _link(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, *_: Any) -> str:
    """Links to the web lead there; a report lies elsewhere than its runbook, so that others would lead nowhere."""
    target = str(tokens[at].attrGet("href") or "")
    tokens[at].attrs = {"href": target, "rel": "noreferrer noopener"} if ELSEWHERE.match(target) else {}
    return self.renderToken(tokens, at, options, {})


def _fence(_: RendererHTML, tokens: Sequence[Token], at: int, __: Any, env: Any) -> str:
    token = tokens[at]
    line = token.map[0] + 2 if token.map else 0
    badge = env["badges"].get(line, "")
    head = f"<figcaption><code>{text(token.info.strip())}</code>{badge}</figcaption>" if token.info.strip() else ""
    kind = attribute("cell" if badge else "sample")
    return f'<figure class="{kind}">{head}<pre><code>{text(token.content)}</code></pre></figure>\n'
