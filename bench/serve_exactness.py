"""How far a served reward lies from the same model's in this process, by every route and for every family.

Row `served-score-error`: the largest distance, float32, over all families, routes and texts:

- one tiny model of each family (`tests/serve/families.py`: single encoder and decoder, ensemble, adapters, attributes,
  residual, process, merged, implicit), asked for conversations, for rendered texts and for token ids by every route of
  `tests/serve/protocols/routes.py`, where the wire formats are read;
- MiniLM and SmolLM2 under new heads, asked for HH conversations by 16 clients at once, so that the server puts them
  into batches: each in company that this process does not give it.

Every server is the command `rewardsmith serve` with one model.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import httpx2
import measure
import numpy as np
import serve_texts
from serve_load import Plan, put_under
from serve_process import Server, ours
from untrained import DECODER, ENCODER, save_untrained

from rewardsmith.core.conversation import Conversation, assistant
from rewardsmith.scoring.load import load_scorer

sys.path.insert(0, str(measure.ROOT))

REAL = {"MiniLM": ENCODER, "SmolLM2": DECODER}
CLIENTS = 16


def rows(arguments: argparse.Namespace) -> list[measure.Row]:
    """The row, and a line a family."""
    errors: list[float] = []
    counts = 0
    with tempfile.TemporaryDirectory() as name:
        for kind, found in chain(_tiny(Path(name), arguments), _real(Path(name), arguments)):
            print(f"{kind}: largest distance {max(found):.2e} of {len(found)} rewards", flush=True)
            errors.append(max(found))
            counts += len(found)
    row = measure.row(
        "served-score-error", max(errors), errors, f"of a reward, at least of 1, float32; {counts} rewards, every route"
    )
    return [row | {"ours": row["value"], "peer": None}]


def _tiny(folder: Path, arguments: argparse.Namespace) -> Iterator[tuple[str, list[float]]]:
    from tests.serve.families import CONVERSATIONS, FAMILIES, build_families

    names = tuple(FAMILIES)[:3] if arguments.quick else tuple(FAMILIES)
    for name, model in build_families(folder / "families", names).items():
        scorer: Any = load_scorer(model, device="cpu")
        wanted = scorer.score(CONVERSATIONS).rewards
        with ours({name: model}, "--threads", "1", "--set", "cache_entries=0", precision="float32") as server:
            yield name, list(_by_every_route(server, name, scorer, CONVERSATIONS, wanted))


def _by_every_route(
    server: Server, name: str, scorer: Any, conversations: Sequence[Conversation], wanted: np.ndarray
) -> Iterator[float]:
    from tests.serve.protocols.routes import CONVERSATION_ROUTES, ID_ROUTES, TEXT_ROUTES
    from tests.serve.protocols.test_exactness import READS_TEXTS

    if name in READS_TEXTS:
        texts = [scorer.encoder.render(each) for each in conversations]
        ids = [each.tolist() for each in scorer.encoder.encode(conversations)]
        asked = [(CONVERSATION_ROUTES, conversations, wanted), (TEXT_ROUTES, texts, wanted), (ID_ROUTES, ids, wanted)]
    else:
        texts = [each[1].content for each in conversations]
        of_texts = scorer.score([(assistant(text),) for text in texts]).rewards
        asked = [(CONVERSATION_ROUTES, conversations, wanted), (TEXT_ROUTES, texts, of_texts)]
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=120) as client:
        for routes, subjects, rewards in asked:
            for ask in routes.values():
                yield from errors_of(ask(client, name, subjects), rewards)


def _real(folder: Path, arguments: argparse.Namespace) -> Iterator[tuple[str, list[float]]]:
    for name, base in REAL.items():
        model = save_untrained(base, folder / name)
        texts = serve_texts.mixed(serve_texts.encoder_of(model), most_tokens=256)
        some = texts.at(range(min(len(texts.lengths), arguments.requests // (4 if base == DECODER else 1))))
        wanted = load_scorer(model, device="cpu").score(some.conversations).rewards
        with ours(model, precision="float32") as server:
            sent = [("/classify", json.dumps({"messages": each})) for each in some.messages()]
            load = put_under(Plan(server.port, sent, clients=CLIENTS, most_s=300))
        if load.bad():
            raise SystemExit(f"{name}: {load.bad()[0]}")
        served = {each.index: json.loads(each.body)["data"][0]["probs"][0] for each in load.replies}
        yield name, errors_of([served[index] for index in sorted(served)], wanted[sorted(served)])


def errors_of(found: Sequence[float], wanted: Sequence[float] | np.ndarray) -> list[float]:
    """Distance of each, relative to the wanted one where that is larger than 1."""
    return [abs(one - two) / max(1.0, abs(two)) for one, two in zip(found, map(float, wanted), strict=True)]
