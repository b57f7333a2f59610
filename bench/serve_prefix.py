"""One request with a prompt and its answers, against a request an answer: what a best-of-16 search asks.

SmolLM2 under a new head, prompts of 512 tokens, 16 answers of 64 tokens each. The same server, in a fresh process; the
prompts differ, so that nothing is remembered, and the first of them is not counted. Row `one-prompt-16-answers`: how
many times longer the 16 requests take, sent one after another, than the one request. Printed beside it: the 16 requests
sent at once, which the server's queue puts together again. Computed are 512 + 16·64 = 1,536 tokens against
16·(512 + 64) = 9,216: equal speed a token would give 6.0 times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import measure
import serve_texts
from serve_load import Load, Plan, Sent, put_under
from serve_process import Server, ours
from untrained import DECODER, save_untrained

PROMPT_TOKENS, ANSWERS, ANSWER_TOKENS = 512, 16, 64
WAYS = ("one request", "one after another", "at once")


def rows(arguments: argparse.Namespace) -> list[measure.Row]:
    """The row, and lines for the rest."""
    with tempfile.TemporaryDirectory() as name:
        model = save_untrained(DECODER, Path(name) / "model")
        found = serve_texts.best_of(
            serve_texts.encoder_of(model),
            prompt_tokens=PROMPT_TOKENS,
            answers=ANSWERS,
            answer_tokens=ANSWER_TOKENS,
        )
        with ours(model, precision=arguments.precision) as server:
            for way in WAYS:
                _seconds(server, way, *next(found))
            seconds = {way: [] for way in WAYS}
            for repeat in range(arguments.repeats):
                for way in WAYS:
                    seconds[way].append(_seconds(server, way, *next(found)))
                print(f"repeat {repeat + 1}: {', '.join(f'{way} {some[-1]:.2f} s' for way, some in seconds.items())}")
    unit = f"times, prompt of {PROMPT_TOKENS} tokens and {ANSWERS} answers of {ANSWER_TOKENS}, SmolLM2"
    one, single = seconds["one request"], seconds["one after another"]
    row = measure.row(
        "one-prompt-16-answers", statistics.median(single) / statistics.median(one), _ratios(single, one), unit
    )
    return [row | {"ours": measure.rounded(statistics.median(one)), "peer": measure.rounded(statistics.median(single))}]


def _ratios(longer: Sequence[float], shorter: Sequence[float]) -> list[float]:
    return [one / two for one, two in zip(longer, shorter, strict=True)]


def _seconds(server: Server, way: str, prompt: str, answers: Sequence[str]) -> float:
    together = [_sent(prompt, answers)]
    apart = [_sent(prompt, [each]) for each in answers]
    load: Load = put_under(
        Plan(server.port, together if way == WAYS[0] else apart, clients=ANSWERS if way == WAYS[2] else 1)
    )
    if load.bad():
        raise SystemExit(f"{way}: {load.bad()[0]}")
    return load.seconds


def _sent(prompt: str, answers: Sequence[str]) -> Sent:
    return "/v1/rewards", json.dumps({"prompt": prompt, "answers": list(answers)})
