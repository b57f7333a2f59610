"""A table of preferences as the data set that a data loader indexes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int, Int64

from rewardsmith.core.preference import Pair
from rewardsmith.preferences.table import EncodedPreference, PreferenceTable
from rewardsmith.training.schedule import FILLER


@dataclass(frozen=True, slots=True)
class FeaturedPreference:
    """A preference whose responses the frozen part of a model has read.

    Attributes:
        states: What the head reads of each response.
        tokens: Of all responses, each with its prompt.
        pairs: Comparisons between the responses.
        lengths: Tokens of each response with its prompt; `None` where they are not known.
        number: Of the preference in its table; −1 where it is in none.
        prior: What is added to the reward of each response; nothing where absent.
    """

    states: Float32[np.ndarray, "response width"]
    tokens: int
    pairs: tuple[Pair, ...]
    lengths: Int64[np.ndarray, " response"] | None = None
    number: int = -1
    prior: Float32[np.ndarray, " response"] | None = None


class PreferenceDataset:
    """Encoded preferences by index; `FILLER` gives `None`.

    Args:
        prior: What is added to the reward of each response of the table, those of a preference together.

    Attributes:
        longest: `[preference]`, tokens of its longest conversation.
    """

    def __init__(self, table: PreferenceTable, *, prior: Float32[np.ndarray, " response"] | None = None) -> None:
        self.table = table
        self.prior = prior
        self.longest: Int[np.ndarray, " preference"] = table.longest
        self._priors = None if prior is None else np.split(prior, np.cumsum(table.response_counts)[:-1])

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> EncodedPreference | FeaturedPreference | None:
        if index == FILLER:
            return None
        encoded = self.table.encoded(index)
        return encoded if self._priors is None else replace(encoded, prior=self._priors[index])


class FeatureDataset(PreferenceDataset):
    """The same with what the head reads in the place of token ids.

    Args:
        states: Of all responses of this and other tables.
        numbers: Row of `states` of each response, those of a preference together.
        prior: See `PreferenceDataset`.
    """

    def __init__(
        self,
        table: PreferenceTable,
        states: Float32[np.ndarray, "row width"],
        numbers: Int64[np.ndarray, " response"],
        *,
        prior: Float32[np.ndarray, " response"] | None = None,
    ) -> None:
        super().__init__(table, prior=prior)
        self.states = states
        self._numbers = np.split(numbers, np.cumsum(table.response_counts)[:-1])
        self._known: dict[int, tuple[tuple[Pair, ...], Int64[np.ndarray, " response"]]] = {}

    def __getitem__(self, index: int) -> FeaturedPreference | None:
        if index == FILLER:
            return None
        # Reading the table takes longer than a step of the head.
        if index not in self._known:
            encoded = self.table.encoded(index)
            self._known[index] = (encoded.pairs, np.array([len(ids) for ids in sequences_of(encoded)], np.int64))
        pairs, lengths = self._known[index]
        prior = None if self._priors is None else self._priors[index]
        return FeaturedPreference(self.states[self._numbers[index]], int(lengths.sum()), pairs, lengths, index, prior)


def sequences_of(preference: EncodedPreference) -> list[Int[np.ndarray, " token"]]:
    """The token ids of each response with its prompt."""
    return [np.concatenate([preference.prefix, tail]) for tail in preference.tails]
