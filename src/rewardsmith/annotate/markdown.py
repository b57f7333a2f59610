"""Markdown of strangers → HTML that is safe to show: no HTML of theirs passes, no picture is loaded, no script runs.

Two fences, each enough by itself: markdown-it takes HTML for text, and nh3 lets only the tags and attributes through
that are named here. The page's content security policy is the third.
"""

from __future__ import annotations

import functools

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

_TAGS = frozenset(
    {"p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
    | {"h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"}
)
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = frozenset({"http", "https", "mailto"})

_MOST_CHARS = 60_000
"""Longer texts are shown as they are: the time that Markdown takes is no longer proportional to them."""

_TOP_LEVEL = 3
"""The page has the first two levels of headings."""


def _parser() -> MarkdownIt:
    # A line break is one, as its writer saw it; a picture would tell its server who reads, and when.
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    return parser.disable(["image", "html_block", "html_inline"])


_PARSER = _parser()


@functools.lru_cache(maxsize=256)
def render(text: str) -> Markup:
    """`text` as HTML; headings begin at the third level. A text that is too long for Markdown is shown as it is."""
    if len(text) > _MOST_CHARS:
        return plain(text)
    tokens = [_below_the_page(token) for token in _PARSER.parse(text)]
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    cleaned = nh3.clean(
        html,
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        url_schemes=set(_SCHEMES),
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(cleaned)


def plain(text: str) -> Markup:
    """`text` as it is: one paragraph that keeps its line breaks."""
    return Markup('<p class="plain">') + escape(text) + Markup("</p>")


def _below_the_page(token: Token) -> Token:
    """A heading some levels lower; any other token as it is."""
    if token.type not in ("heading_open", "heading_close"):
        return token
    level = min(6, int(token.tag.removeprefix("h")) + _TOP_LEVEL - 1)
    return token.copy(tag=f"h{level}")
