from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.annotate.elements import Elements

from rewardsmith.annotate.markdown import plain, render

HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a]( data:text/html;base64,PHNjcmlwdD4= )",
    "[a](vbscript:msgbox)",
    "<javascript:alert(1)>",
    "![x](https://tracker.example/pixel.png)",
    '[a](https://example.org "onmouseover=alert(1)")',
    '[a](https://example.org" onmouseover="alert(1))',
    "[x]: javascript:alert(1)\n\n[x]",
    "`<script>alert(1)</script>`",
    '```"><script>alert(1)</script>\ncode\n```',
    "<a href='x' style='position:fixed'>x</a>",
    "<style>body{display:none}</style>",
    "<form action=https://evil.example><input></form>",
    "<!-- --><base href=https://evil.example>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]
TAGS = {
    *[
        "p",
        "br",
        "hr",
        "em",
        "strong",
        "s",
        "code",
        "pre",
        "blockquote",
        "ul",
        "ol",
        "li",
        "h3",
        "h4",
        "h5",
        "h6",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "a",
    ]
}


def assert_safe(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert tag in TAGS
        assert set(attributes) <= {"href", "title", "rel", "start", "class"}
        assert attributes.get("class") in (None, "plain")
        assert re.match(r"(https?:|mailto:|[^:]*$)", attributes.get("href") or "")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_passes(text: str):
    assert_safe(str(render(text)))
    assert_safe(str(plain(text)))


@given(
    st.lists(st.sampled_from([*HOSTILE, "\n", "*", "`", "> ", "- ", "|a|\n|-|\n", "word", "&", "<", '"']), max_size=12)
)
@example(["- ", "<script>alert(1)</script>"])
def test_no_mixture_of_them_passes_either(parts: list[str]):
    assert_safe(str(render("".join(parts))))


def test_what_markdown_says_is_shown():
    html = render(
        "# Title\n\n**bold** and *soft*\nnext line\n\n1. one\n2. two\n\n| a |\n| - |\n| b |\n\n~~gone~~ `x < 1`"
    )
    assert Elements(str(html)).found[0] == ("h3", {})
    for piece in (
        "<strong>bold</strong>",
        "<em>soft</em><br>",
        "<ol>",
        "<td>b</td>",
        "<s>gone</s>",
        "<code>x &lt; 1</code>",
    ):
        assert piece in html


def test_html_is_shown_as_the_text_that_it_is():
    assert "&lt;b&gt;bold&lt;/b&gt;" in render("<b>bold</b>")


def test_links_give_nothing_to_where_they_lead():
    assert render("[a](https://example.org)") == (
        '<p><a href="https://example.org" rel="noopener noreferrer nofollow">a</a></p>\n'
    )


def test_headings_stand_below_those_of_the_page():
    tags = [tag for tag, _ in Elements(str(render("# a\n\n## b\n\n##### c\n\n###### d"))).found]
    assert tags == ["h3", "h4", "h6", "h6"]


def test_a_text_that_is_too_long_is_shown_as_it_is():
    text = "**a** <b>\n" * 7000
    assert render(text) == plain(text)
    assert "&lt;b&gt;" in plain(text)
    assert "<strong>" not in plain(text)


@pytest.mark.parametrize("text", ["[" * 20_000, "*a " * 10_000, "> " * 5_000, "`" * 20_001 + "a"])
def test_texts_made_to_be_slow_are_not(text: str):
    assert_safe(str(render(text)))
