"""Preferences with a rationale for each response, as a data set and as batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Preference
from rewardsmith.models.rationales import Ids, JudgedIds, RationaleFormat, write_rationales
from rewardsmith.preferences.rationale import rubric_rationales
from rewardsmith.preferences.table import EncodedPreference, PreferenceTable
from rewardsmith.training.collator import MicroBatch, PreferenceCollator
from rewardsmith.training.dataset import PreferenceDataset
from rewardsmith.training.generative_settings import GenerativeSettings
from rewardsmith.training.schedule import FILLER


@dataclass(frozen=True, slots=True)
class JudgedPreference(EncodedPreference):
    """A preference whose responses are followed by the request, a rationale and the closing.

    Attributes:
        judged: The whole sequence of each response, which is also its tail; the prefix is empty.
    """

    judged: tuple[JudgedIds, ...] = field(default=())


class RationaleDataset(PreferenceDataset):
    """Preferences with their rationales by index.

    Args:
        contexts: What the model goes on from, of all responses of the table, those of a preference together.
        rationales: Parallel to `contexts`.
    """

    def __init__(
        self, table: PreferenceTable, form: RationaleFormat, contexts: Sequence[Ids], rationales: Sequence[Ids]
    ) -> None:
        super().__init__(table)
        self.form = form
        self.contexts = list(contexts)
        self.rationales = list(rationales)
        judged = [form.judged(*each) for each in zip(contexts, rationales, strict=True)]
        bounds = np.cumsum([0, *table.response_counts.tolist()]).tolist()
        self._judged = [tuple(judged[a:b]) for a, b in pairwise(bounds)]
        self.longest = np.array([max(len(each.ids) for each in group) for group in self._judged], dtype=np.int64)

    def __getitem__(self, index: int) -> JudgedPreference | None:
        """The preference; `None` for `FILLER`."""
        if index == FILLER:
            return None
        judged = self._judged[index]
        return JudgedPreference(
            prefix=np.zeros(0, np.int32),
            tails=tuple(each.ids for each in judged),
            pairs=self.table.encoded(index).pairs,
            number=index,
            judged=judged,
        )

    def rewritten(self, network: nn.Module, *, token_budget: int) -> RationaleDataset:
        """The same preferences with the rationales that `network` writes now."""
        written = write_rationales(network, self.form, self.contexts, token_budget=token_budget)
        return RationaleDataset(self.table, self.form, self.contexts, written)


class RationaleCollator(PreferenceCollator):
    """Padded micro-batches that also say which tokens the model has to write: `rationale_rows`, `rationale_places`."""

    def __init__(self, pad_id: int, *, token_budget: int) -> None:
        super().__init__(pad_id, layout="padded", token_budget=token_budget)

    def _padded(self, preferences: Sequence[Any], groups: list[list[np.ndarray]], share: list[int]) -> MicroBatch:
        batch = super()._padded(preferences, groups, share)
        return batch | written_places([preferences[index] for index in share])


def written_places(preferences: Sequence[JudgedPreference | None]) -> dict[str, Tensor]:
    """Row and place of each token that the model has to write, over the sequences of `preferences`."""
    rows: list[np.ndarray] = []
    places: list[np.ndarray] = []
    number = 0
    for preference in preferences:
        for each in (None,) if preference is None else preference.judged:
            if each is not None:
                places.append(np.arange(each.start, each.end))
                rows.append(np.full(each.end - each.start, number))
            number += 1
    nothing = np.zeros(0, np.int64)
    return {
        "rationale_rows": torch.from_numpy(np.concatenate([nothing, *rows])),
        "rationale_places": torch.from_numpy(np.concatenate([nothing, *places])),
    }


def given_rationales(table: PreferenceTable, form: RationaleFormat, settings: GenerativeSettings) -> list[Ids]:
    """The rationale of each response of `table`, from the rubric or from the rows.

    Raises:
        DataError: A row lacks them, or has another number of them than of responses.
    """
    if form.max_tokens == 0:
        return [np.zeros(0, np.int32)] * int(table.response_counts.sum())
    found: list[Ids] = []
    for index, preference in enumerate(table):
        if settings.rationales == "meta":
            texts = _texts_of(preference, settings.field, where=table.place(index))
        else:
            texts = rubric_rationales(preference)
        found.extend(form.rationale_ids(text) for text in texts)
    return found


def _texts_of(preference: Preference, name: str, *, where: str) -> list[str]:
    texts = preference.meta.get(name)
    n_responses = len(preference.responses)
    if not isinstance(texts, list) or len(texts) != n_responses or not all(isinstance(each, str) for each in texts):
        raise DataError(
            "a row without its rationales",
            wanted=f"{name}: a list of {n_responses} texts, one a response",
            got=texts,
            where=where,
            fix="add them, or set generative.rationales: rubric or self",
        )
    return texts
