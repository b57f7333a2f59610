"""Which preferences an epoch takes more often: those whose responses had rewards that were near each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from accelerate.utils import gather_object
from jaxtyping import Float32, Int, Int64

from rewardsmith.training.schedule import near_order

_NEVER = -1


class HardSampling:
    """Draws the preferences of an epoch by the |Δ| that each had when it was last trained on.

    The first epoch is a plain permutation. Before each later one the known |Δ| are fixed, and the epoch draws as many
    preferences as there are, with replacement, with P(i) ∝ e^(−|Δ_i| / temperature). A preference that no draw hit
    keeps the |Δ| of an earlier epoch, so it comes back once the others have grown past it.

    What is minimised is thus Σ P(i)·loss_i, not the mean loss: there is no correction by 1 / P(i), which would undo
    the draw. Rewards of easy pairs are held less tightly, σ(Δ) is no probability any more, and pairs with a wrong
    label, whose |Δ| is small, are drawn more often.

    Args:
        preferences: In the training set.
        temperature: In rewards.

    Attributes:
        sizes: `[preference]`, mean |Δ| of its pairs when it was last seen; NaN where it never was.
        seen_at: `[preference]`, the optimiser step of that; −1 where it never was.
        fixed: The sizes that the current epoch draws by.
        epoch: The current epoch; −1 before the first.
    """

    def __init__(self, preferences: int, *, temperature: float) -> None:
        self.temperature = temperature
        self.sizes: Float32[np.ndarray, " preference"] = np.full(preferences, np.nan, np.float32)
        self.seen_at: Int64[np.ndarray, " preference"] = np.full(preferences, _NEVER, np.int64)
        self.fixed: Float32[np.ndarray, " preference"] = self.sizes.copy()
        self.epoch = -1

    def see(self, numbers: Any, owners: Any, deltas: Any, *, step: int) -> None:
        """A micro-batch was trained on.

        Args:
            numbers: `[preference of the micro-batch]`, its number in the training set; negative for a filler.
            owners: `[pair]`, the pair's preference within the micro-batch.
            deltas: `[pair]`, difference of rewards.
            step: The optimiser step.
        """
        counts = np.bincount(owners, minlength=len(numbers))
        sums = np.bincount(owners, weights=np.abs(deltas), minlength=len(numbers))
        known = (numbers >= 0) & (counts > 0)
        self.sizes[numbers[known]] = (sums[known] / counts[known]).astype(np.float32)
        self.seen_at[numbers[known]] = step

    def begin(self, epoch: int) -> None:
        """Fix what `epoch` is drawn by, unless it is under way, as after an interruption. All devices call it."""
        if epoch != self.epoch:
            self.gather()
            self.fixed, self.epoch = self.sizes.copy(), epoch

    def order(self, *, seed: int) -> Int[np.ndarray, " draw"] | None:
        """The current epoch's preferences in their order; `None` where nothing is known yet."""
        if np.isnan(self.fixed).all():
            return None
        # What was never seen counts as undecided.
        sizes = np.nan_to_num(self.fixed, nan=0.0)
        return near_order(sizes, temperature=self.temperature, seed=seed, epoch=self.epoch)

    def gather(self) -> None:
        """Bring together what the devices saw; of a preference that several saw, the latest. All devices call it."""
        parts = gather_object([(self.sizes, self.seen_at)])
        seen = np.stack([part[1] for part in parts])
        latest = seen.argmax(axis=0)
        self.sizes = np.stack([part[0] for part in parts])[latest, np.arange(seen.shape[1])]
        self.seen_at = seen.max(axis=0)

    def saved(self) -> dict[str, np.ndarray]:
        """The state for a checkpoint; call `gather` first."""
        return {"sizes": self.sizes, "seen_at": self.seen_at, "fixed": self.fixed, "epoch": np.array(self.epoch)}

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        """Go on from a checkpoint."""
        self.sizes, self.seen_at, self.fixed = (saved[name].copy() for name in ("sizes", "seen_at", "fixed"))
        self.epoch = int(saved["epoch"])
