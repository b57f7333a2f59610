"""Whether the data are what the loss and the model need, told before the first step."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool

from rewardsmith.core.errors import DataError, OverlengthError
from rewardsmith.losses.objective import RANKED, RANKED_FIX, UNRANKED, unranked
from rewardsmith.losses.pair_batch import PairBatch
from rewardsmith.losses.settings import LossSettings
from rewardsmith.preferences.table import PairColumns, PreferenceTable


def check_data_for_loss(settings: LossSettings, *, train: PreferenceTable, heldout: PreferenceTable) -> tuple[str, ...]:
    """Sentences about settings that these training data leave without effect; empty where all is well.

    Tied pairs are no trouble for the losses that have no notion of them: `bradley_terry` and `hinge` see a label
    of .5, which pulls the two rewards together.

    Raises:
        DataError: `plackett_luce`, and a preference on one of the sides is not a full ranking.
    """
    for name, table in (("training", train), ("held-out", heldout)):
        if settings.kind == "plackett_luce":
            _require_rankings(table, name)
    return tuple(_idle_settings(settings, train.pair_columns()))


def require_room(capacity: int | None, *tables: PreferenceTable) -> None:
    """The longest conversation must have a position for each of its tokens.

    Args:
        capacity: See `models.capacity.token_capacity`.

    Raises:
        OverlengthError: The model takes fewer tokens; the first preference that is too long is named.
    """
    if capacity is None:
        return
    for table in tables:
        too_long = np.flatnonzero(table.longest > capacity)
        if len(too_long):
            first = int(too_long[0])
            raise OverlengthError(
                "a conversation has more tokens than the model has positions",
                wanted=f"at most {capacity}",
                got=f"{int(table.longest[first])} in preference {table[first].id!r}, the first of {len(too_long)}",
                where=table.place(first),
                fix=f"set data.max_tokens to {capacity} or less and prepare the data again",
            )


def _require_rankings(table: PreferenceTable, name: str) -> None:
    wrong = np.flatnonzero(_unranked(table))
    if len(wrong):
        first = int(wrong[0])
        raise DataError(
            UNRANKED,
            wanted=RANKED,
            got=f"{len(wrong)} of {len(table)} {name} preferences without one; the first is {table[first].id!r}",
            where=table.place(first),
            fix=RANKED_FIX,
        )


def _unranked(table: PreferenceTable) -> Bool[np.ndarray, " preference"]:
    """As the loss would see the whole table as one batch. A label of .5 or less orders nothing either."""
    pairs, counts = table.pair_columns(), table.response_counts
    first = np.cumsum(counts) - counts
    wrong = unranked(
        PairBatch(
            chosen=torch.from_numpy(first[pairs.preference] + pairs.chosen),
            rejected=torch.from_numpy(first[pairs.preference] + pairs.rejected),
            prob_chosen=torch.tensor(pairs.prob_chosen),
            margin=torch.zeros(len(pairs.chosen)),
            weight=torch.ones(len(pairs.chosen)),
            tie=torch.from_numpy(pairs.tie | (pairs.prob_chosen <= 0.5)),
            preference=torch.from_numpy(pairs.preference),
            sequence_preference=torch.from_numpy(np.repeat(np.arange(len(table)), counts)),
        )
    )
    return wrong.numpy()


def _idle_settings(settings: LossSettings, pairs: PairColumns) -> list[str]:
    found = []
    if settings.kind in ("rao_kupper", "davidson") and not pairs.tie.any():
        found.append(
            f"loss.kind is {settings.kind}, which models ties, but no training pair is one; "
            "data.ties: keep keeps those that raters gave, and without any bradley_terry says the same with less"
        )
    if settings.use_pair_margin and not pairs.has_margin.any():
        found.append("loss.use_pair_margin is on, but no training pair has a margin; the loss is the plain one")
    soft = int(((pairs.prob_chosen < 1) & ~pairs.tie).sum())
    if settings.kind == "plackett_luce" and soft:
        found.append(f"plackett_luce reads only the order of responses; {soft} soft labels count as plain ones")
    return found
