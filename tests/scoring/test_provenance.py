"""The digest of weights in memory."""

from __future__ import annotations

import torch
from torch import nn

from rewardsmith.scoring.provenance import state_digest


def test_it_follows_values_names_and_types() -> None:
    layer = nn.Linear(2, 1)
    same = nn.Linear(2, 1)
    same.load_state_dict(layer.state_dict())
    first = state_digest(layer)
    assert first == state_digest(same)
    assert first != state_digest(nn.Sequential(layer))
    assert first != state_digest(same.to(torch.bfloat16))
    same = same.float()
    with torch.no_grad():
        same.weight[0, 0] += 1
    assert first != state_digest(same)
