"""Chat templates: rewardsmith's own for models that have none, and the repair of those that lack BOS or EOS."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

from rewardsmith.core.errors import ModelError

# The opening token and every separator are part of the text, so that `apply_chat_template(tokenize=True)` and a plain
# tokenisation of the text without special tokens give the same ids in every tool.
ENCODER_TEMPLATE = (
    "{{ cls_token }}"
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + sep_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)
"""`[CLS]user: …[SEP]assistant: …[SEP]`, for models with a classification token."""

DECODER_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}"
    "{% if not loop.last or add_generation_prompt %}{{ '\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)
"""`user: …` and `assistant: …` a line; `with_ends` adds the BOS and the EOS."""

_PREPEND_BOS = "{{ bos_token }}"
_APPEND_END = "{% if not add_generation_prompt %}{{ NAME }}{% endif %}"
_PROMPT, _RESPONSE = "Qvx1", "Zwk2"


def chosen_template(tokenizer: PreTrainedTokenizerBase, *, keep: bool = False) -> str:
    """The template to use with `tokenizer`: its own, or rewardsmith's, with exactly one BOS and an end token.

    A BOS is put in front where the tokenizer itself would add one and the template does not write it. The EOS (SEP for
    encoders) is put at the end where none follows the last message's text. A template that has both is kept as it is,
    and so is any template with `keep`.

    Raises:
        ModelError: The tokenizer names several templates and none is the default, or its template cannot render a
            question with an answer.
    """
    template = tokenizer.chat_template
    if isinstance(template, dict):
        if "default" not in template:
            raise ModelError(
                "the tokenizer has no default chat template",
                wanted="a template named 'default'",
                got=sorted(template),
                fix="set tokenizer.chat_template to one of them and save the tokenizer",
            )
        template = template["default"]
    if template and keep:
        return str(template)
    if not template:
        is_encoder = bool(tokenizer.cls_token) and bool(tokenizer.sep_token)
        template = ENCODER_TEMPLATE if is_encoder else DECODER_TEMPLATE
    return with_ends(tokenizer, str(template))


def with_ends(tokenizer: PreTrainedTokenizerBase, template: str) -> str:
    """`template`, extended where it lacks the BOS or the end token."""
    text = render_probe(tokenizer, template)
    end_name = "eos_token" if tokenizer.eos_token else "sep_token"
    ends = [token for token in (tokenizer.eos_token, tokenizer.sep_token) if token]
    after_response = text.rpartition(_RESPONSE)[2]
    bos = tokenizer.bos_token
    if bos and not text.lstrip().startswith(str(bos)) and _wants_bos(tokenizer):
        template = _PREPEND_BOS + template
    if ends and not any(str(end) in after_response for end in ends):
        # Jinja drops one newline at the end of a template; in front of an addition it would be printed.
        template = template.removesuffix("\n") + _APPEND_END.replace("NAME", end_name)
    return template


def render_probe(tokenizer: PreTrainedTokenizerBase, template: str) -> str:
    """What `template` makes of one question and one answer."""
    messages = [{"role": "user", "content": _PROMPT}, {"role": "assistant", "content": _RESPONSE}]
    try:
        text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
    except Exception as error:  # templates raise whatever they like
        raise ModelError("the chat template fails on a question with an answer", got=error) from error
    if not isinstance(text, str) or _PROMPT not in text or _RESPONSE not in text:
        raise ModelError(
            "the chat template does not print the messages", got=text, fix="correct the tokenizer's chat_template"
        )
    return text


def _wants_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether texts of this model start with a BOS: the tokenizer adds one, or says so, or the template is ours."""
    if not tokenizer.chat_template:
        return tokenizer.bos_token != tokenizer.eos_token and not tokenizer.cls_token
    first = tokenizer("a")["input_ids"][:1]
    return first == [tokenizer.bos_token_id]
