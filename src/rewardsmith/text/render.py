"""Rendering: a conversation through the model's chat template, fast where the template allows it."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.parser import Parser
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.conversation import Conversation, Message, to_dicts
from rewardsmith.core.errors import ModelError
from rewardsmith.text.neutral import Neutraliser

_MAX_SHAPES = 4096
# What templates that look into texts look at: outer blanks, emptiness, quotes, markup, reasoning tags.
_AWKWARD = ("  a \n", "", "b\"'\\<&>{{ x }}", "<think>\nc\n</think>\n\nd", "\n\nHuman: é\u2028\u00a0")


class Renderer:
    """Renders conversations with one chat template.

    Most templates print every message's text as it is, between fixed pieces that depend only on the roles. For such a
    template the pieces of each sequence of roles are found once, by rendering marks in place of the texts; after that
    a conversation costs a string join in place of a Jinja run. Both conditions are checked: no condition, filter or
    call of the template may read a text, and every new sequence of roles is also rendered with awkward texts, whose
    joined pieces must equal the template's own output. Otherwise the template itself is run.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not isinstance(tokenizer.chat_template, str):
            raise ModelError("the tokenizer has no chat template", fix="load it with rewardsmith.text.load")
        self._tokenizer = tokenizer
        self._neutral = Neutraliser(tokenizer)
        self._is_verbatim = prints_texts_verbatim(tokenizer.chat_template)
        self._pieces: dict[tuple[str, ...], tuple[str, ...] | None] = {}

    def render(self, conversation: Conversation) -> str:
        """The text of one conversation; special-token strings inside messages are broken (see `neutral`).

        Raises:
            ModelError: The conversation is empty, or the template refuses it.
        """
        texts = [self._neutral(message.content) for message in conversation]
        roles = tuple(message.role for message in conversation)
        pieces = self._pieces_of(roles) if self._is_verbatim else None
        if pieces is None:
            return self._run(roles, texts)
        return _join(pieces, texts)

    def _pieces_of(self, roles: tuple[str, ...]) -> tuple[str, ...] | None:
        if roles not in self._pieces:
            if len(self._pieces) >= _MAX_SHAPES:
                self._pieces.clear()
            self._pieces[roles] = self._find_pieces(roles)
        return self._pieces[roles]

    def _find_pieces(self, roles: tuple[str, ...]) -> tuple[str, ...] | None:
        marks = [f"\ue000{number}\ue001" for number in range(len(roles))]
        pieces: list[str] = []
        rest = self._run(roles, marks)
        for mark in marks:
            before, found, rest = rest.partition(mark)
            if not found:
                return None
            pieces.append(before)
        pieces.append(rest)
        if any("\ue000" in piece for piece in pieces):
            return None
        for shift in range(len(_AWKWARD)):
            texts = [_AWKWARD[(number + shift) % len(_AWKWARD)] for number in range(len(roles))]
            if self._run(roles, texts) != _join(pieces, texts):
                return None
        return tuple(pieces)

    def _run(self, roles: Sequence[str], texts: Sequence[str]) -> str:
        messages = tuple(Message(role, text) for role, text in zip(roles, texts, strict=True))
        if not messages:
            raise ModelError("an empty conversation cannot be rendered", wanted="at least one message")
        try:
            return str(self._tokenizer.apply_chat_template(to_dicts(messages), tokenize=False))
        except jinja2.TemplateError as error:
            raise ModelError(
                "the chat template refuses the conversation",
                got=error,
                where=f"roles {', '.join(roles)}",
                fix="reorder or drop the turns that this model does not take",
            ) from error


def prints_texts_verbatim(template: str) -> bool:
    """Whether `template` only ever prints or concatenates a message's text, and decides nothing by it."""
    extensions = [_GenerationTag, jinja2.ext.loopcontrols]
    try:
        tree = jinja2.Environment(extensions=extensions).parse(template)
    except jinja2.TemplateError:
        return False
    return not _reads_text(tree, is_printed=True)


class _GenerationTag(jinja2.ext.Extension):
    """`{% generation %}` blocks, which transformers adds to Jinja; here only so that templates with them parse."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's own interface

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _reads_text(node: nodes.Node, *, is_printed: bool) -> bool:
    """Whether a `content` below `node` is used for anything but printing."""
    if _is_content(node):
        return not is_printed
    if isinstance(node, nodes.For | nodes.If | nodes.Output | nodes.Template | nodes.Concat | nodes.Add):
        return any(
            _reads_text(child, is_printed=is_printed and not _decides(node, child)) for child in node.iter_child_nodes()
        )
    return any(_reads_text(child, is_printed=False) for child in node.iter_child_nodes())


def _decides(node: nodes.Node, child: nodes.Node) -> bool:
    if isinstance(node, nodes.If):
        return child is node.test
    return isinstance(node, nodes.For) and child in (node.iter, node.test)


def _is_content(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Getattr):
        return node.attr == "content"
    return isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and node.arg.value == "content"


def _join(pieces: Sequence[str], texts: Sequence[str]) -> str:
    parts = [pieces[0]]
    for text, piece in zip(texts, pieces[1:], strict=True):
        parts.append(text)
        parts.append(piece)
    return "".join(parts)
