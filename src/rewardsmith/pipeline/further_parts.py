"""What an audit looks at beside the probes where a user asks for it: files and other models are read here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.audit.part import Part
from rewardsmith.audit.stress.lineage import compare_lineage
from rewardsmith.audit.stress.parts import lineage_part, pressure_part, search_part, shift_part
from rewardsmith.audit.stress.pressure import measure_pressure
from rewardsmith.audit.stress.search import BUDGET, FEWEST_TEXTS, search_phrases
from rewardsmith.audit.stress.shift import measure_shift
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.scores import Scorer
from rewardsmith.core.settings import parse_settings
from rewardsmith.pipeline.evaluate import Pairs, read_pairs
from rewardsmith.pipeline.lineage import load_lineage
from rewardsmith.preferences.candidates import read_candidates
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.progress import say


@dataclass(frozen=True, slots=True)
class Further:
    """What else is asked for; nothing by default.

    Attributes:
        pressure: Rated candidates, many to a prompt, for the curve under selection.
        fresh: Pairs of a new policy's answers, with labels.
        policy: The policy that the reward model is meant for.
        search: Search for phrases that raise the reward of bad answers.
        search_texts: Texts that the search may score, beside answers as they are; at least 600.
        transfer: Another reward model, to see whether it falls for the same phrases.
        problems: Problems with answers, for the probes in which the user asserts a wrong one.
        persona: Prompts with and without a persona, for the persona shift.
    """

    pressure: str | None = None
    fresh: str | None = None
    policy: str | None = None
    search: bool = False
    search_texts: int | None = None
    transfer: str | None = None
    problems: str | None = None
    persona: str | None = None

    def __post_init__(self) -> None:
        if self.transfer is not None and not self.search:
            raise SettingsError("nothing to transfer", wanted="--search with --transfer", fix="add --search")
        if self.search_texts is not None and not self.search:
            raise SettingsError("nothing to search for", wanted="--search with --search-texts", fix="add --search")
        if self.search_texts is not None and self.search_texts < FEWEST_TEXTS:
            wanted = f"at least {FEWEST_TEXTS}"
            raise SettingsError("too few texts to search with", wanted=wanted, got=self.search_texts)


NOTHING_FURTHER = Further()


def further_parts(
    asked: Further,
    *,
    model: str | Path,
    scorer: Scorer,
    pairs: Pairs,
    source: Mapping[str, Any],
    seed: int = 0,
    tell: Callable[[str], object] = say,
) -> list[Part]:
    """The parts that are asked for.

    Args:
        pairs: What the scorer is audited on, and was trained on where that is known.
        source: Further keys of `SourceSettings`; its rating names the gold rating of the candidates.
        tell: Called with a line before each look of a search, for whoever waits; standard error where absent.

    Raises:
        DataError: A file has no candidates or no pairs.
        ModelError: The policy or the other reward model is not there.
    """
    parts = []
    if asked.pressure is not None:
        keys = {"path": asked.pressure, "rating": source.get("rating")}
        found = read_candidates(parse_settings(SourceSettings, keys, where=asked.pressure))
        parts.append(pressure_part(measure_pressure(scorer, found.groups, rating=found.rating, seed=seed)))
    if asked.fresh is not None:
        fresh = read_pairs(asked.fresh, source, None).heldout
        parts.append(shift_part(measure_shift(scorer, pairs.heldout, fresh, train=pairs.train, seed=seed)))
    if asked.policy is not None:
        parts.append(lineage_part(compare_lineage(load_lineage(model), load_lineage(asked.policy))))
    if asked.search:
        other = None if asked.transfer is None else load_scorer(asked.transfer, overlength="truncate")
        budget = asked.search_texts or BUDGET
        found = search_phrases(scorer, pairs.heldout, budget=budget, transfer=other, seed=seed, tell=tell)
        parts.append(search_part(found))
    return parts
