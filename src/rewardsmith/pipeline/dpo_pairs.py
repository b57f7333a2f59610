"""Pairs and prompts for policy training from files, and the prompts that are set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Preference
from rewardsmith.optimise.pairs import DpoPair, preference_pairs, sample_pairs
from rewardsmith.optimise.policy.policy import Prompt
from rewardsmith.optimise.sample_store import group_from, iter_lines
from rewardsmith.optimise.samples import SampleGroup
from rewardsmith.pipeline.best_of import LINES_NAME
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.settings import DataSettings, SourceSettings


def load_dpo_pairs(source: str, *, least_margin: float) -> tuple[list[DpoPair], Counter[str]]:
    """The pairs of a best-of run (best against worst), or of a file of preferences (as they were judged).

    Raises:
        DataError: There is no pair.
        ArtefactError: A line of a best-of run is damaged.
    """
    path = Path(source)
    file = path / LINES_NAME if path.is_dir() else path
    if file.name == LINES_NAME and file.is_file():
        groups, rewards = _scored(file)
        pairs, fates = sample_pairs(groups, rewards, least_margin=least_margin)
    else:
        settings = DataSettings(sources=(SourceSettings(path=source),), ties="keep")
        rows = (row.outcome for row in Reader(settings))
        pairs, fates = preference_pairs(row for row in rows if isinstance(row, Preference))
    if not pairs:
        raise DataError("no pair to learn from", wanted="at least one", got=dict(fates), where=source)
    return pairs, fates


def split_prompts(
    prompts: Sequence[Prompt], *, wanted: int, seed: int
) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    """Prompts to train on, and `wanted` groups of them, by lot, that are set aside for measuring; both in order.

    Raises:
        DataError: None would be left to train on.
    """
    names = list(dict.fromkeys(group for _, group in prompts))
    if len(names) <= wanted:
        raise DataError(
            "too few prompts",
            wanted=f"more than {wanted} prompt groups, which are set aside for measuring",
            got=len(names),
            where="prompts",
            fix="bring more prompts, or lower measure.prompts",
        )
    drawn = np.random.default_rng(seed).choice(len(names), size=wanted, replace=False)
    aside = {names[place] for place in drawn.tolist()}
    return (
        tuple(prompt for prompt in prompts if prompt[1] not in aside),
        tuple(prompt for prompt in prompts if prompt[1] in aside),
    )


def _scored(file: Path) -> tuple[list[SampleGroup], list[np.ndarray]]:
    groups: list[SampleGroup] = []
    rewards: list[np.ndarray] = []
    for number, values in iter_lines(file):
        try:
            groups.append(group_from(values))
            rewards.append(np.array([np.nan if each is None else each for each in values["rewards"]], dtype=np.float64))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("no scored samples", got=error, where=f"{file}:{number}") from error
    return groups, rewards
