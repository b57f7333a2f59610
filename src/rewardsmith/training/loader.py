"""The data loader of one device."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader

from rewardsmith.training.dataset import PreferenceDataset
from rewardsmith.training.schedule import DeviceSteps


class EpochLoader(DataLoader):
    """A data loader whose batch sampler can be told the epoch.

    It is not given to accelerate, which would repeat preferences so that all devices have as many.
    """

    def __init__(
        self, dataset: PreferenceDataset, sampler: DeviceSteps, *, collate: Any, pin_memory: bool = False
    ) -> None:
        untyped: Any = (dataset, sampler)
        super().__init__(untyped[0], batch_sampler=untyped[1], collate_fn=collate, pin_memory=pin_memory)
        self._epochs = sampler

    def set_epoch(self, epoch: int) -> None:
        """Called by the `Trainer` before each epoch."""
        self._epochs.set_epoch(epoch)
