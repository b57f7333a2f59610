"""What the prior says about every response of the data, computed once before the first step."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import accelerate
import numpy as np
from jaxtyping import Float32, Int64
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.scores import Scorer
from rewardsmith.preferences.table import PreferenceTable
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.load import load_with
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.priors.load import PriorResources, load_prior, term_digest
from rewardsmith.scoring.priors.prior import Prior, term_values, weighted_sum
from rewardsmith.scoring.priors.settings import PriorSettings
from rewardsmith.training.cache import cached_rows
from rewardsmith.training.progress import duration, say

NAME = "prior.f32"


@dataclass(frozen=True, slots=True)
class PriorValues:
    """The prior of all responses.

    Attributes:
        by_table: One array a table, `[response]`, those of a preference together: Σ weight·term, without the scale.
        n_truncated: How often a term had to cut a conversation.
    """

    by_table: tuple[Float32[np.ndarray, " response"], ...]
    n_truncated: int


def prior_values(
    settings: PriorSettings,
    tables: Sequence[PreferenceTable],
    tokenizer: PreTrainedTokenizerBase,
    *,
    work: Path,
) -> PriorValues:
    """The prior of each response of `tables`.

    It is kept in `work`, so that an interrupted training goes on without computing it again; the models of the prior
    are then not even loaded. `work` must be the folder of one recipe and one set of data.

    Args:
        tokenizer: The reward model's.

    Raises:
        ModelError: A term cannot be loaded or is not finite.
        OverlengthError: A conversation is too long for a term that does not cut.
    """
    started = time.perf_counter()
    counts = [table.response_counts for table in tables]
    places = np.concatenate([_places(number, each) for number, each in enumerate(counts)])
    terms = settings.terms

    @cache
    def priors() -> tuple[Prior, ...]:
        resources = PriorResources(tokenizer, _load_scorer)
        return tuple(load_prior(term, resources) for term in terms)

    def compute(numbers: range) -> Float32[np.ndarray, "some column"]:
        asked = _conversations(tables, places[numbers.start : numbers.stop])
        cut_before = _cut(priors())
        rows = np.zeros((len(asked), len(terms) + 1), np.float32)
        rows[:, :-1] = term_values(priors(), asked)
        # The last column adds up to the number of cuts, over all processes and interruptions.
        rows[:1, -1] = _cut(priors()) - cut_before
        return rows

    label = "prior of the responses"
    rows = cached_rows(work / NAME, rows=len(places), width=len(terms) + 1, compute=compute, label=label)
    if accelerate.PartialState().is_main_process:
        say(f"prior of {len(places):,} responses  {duration(time.perf_counter() - started)}")
    summed = weighted_sum(np.asarray(rows[:, :-1]), [term.weight for term in terms])
    ends = np.cumsum([int(each.sum()) for each in counts])[:-1]
    return PriorValues(tuple(np.split(summed, ends)), int(rows[:, -1].sum()))


def prior_parents(settings: PriorSettings) -> dict[str, str]:
    """Digests of what the terms are made of beyond their settings, by the number of the term."""
    digests = {f"prior.{number}": term_digest(term) for number, term in enumerate(settings.terms)}
    return {name: digest for name, digest in digests.items() if digest}


def _load_scorer(path: str, overlength: Overlength) -> Scorer:
    return load_with(path, dataclasses.replace(ScoringOptions(), overlength=overlength))


def _places(table: int, counts: Int64[np.ndarray, " preference"]) -> Int64[np.ndarray, "response 3"]:
    """Table, preference and number of each response."""
    preference = np.repeat(np.arange(len(counts)), counts)
    response = np.arange(len(preference)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.column_stack([np.full(len(preference), table), preference, response]).astype(np.int64)


def _conversations(tables: Sequence[PreferenceTable], places: Int64[np.ndarray, "response 3"]) -> list[Conversation]:
    return [tables[table][preference].conversation(response) for table, preference, response in places.tolist()]


def _cut(priors: Sequence[Prior]) -> int:
    return sum(prior.n_truncated() for prior in priors)
