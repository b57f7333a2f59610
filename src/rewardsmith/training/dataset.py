"""A table of preferences as the data set that a data loader indexes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from rewardsmith.preferences.table import EncodedPreference, PreferenceTable
from rewardsmith.training.schedule import FILLER


class PreferenceDataset:
    """Encoded preferences by index; `FILLER` gives `None`.

    Attributes:
        longest: `[preference]`, tokens of its longest conversation.
    """

    def __init__(self, table: PreferenceTable) -> None:
        self.table = table
        self.longest: Int[np.ndarray, " preference"] = table.longest

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> EncodedPreference | None:
        return None if index == FILLER else self.table.encoded(index)
