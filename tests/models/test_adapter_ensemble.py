"""An ensemble over one backbone gives what its members give, and computes what they share once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.adapted import LAYERS, adapted, merged, save_base
from torch import Tensor

from rewardsmith.batching.packing import pack
from rewardsmith.batching.prefixes import separate, shared
from rewardsmith.core.errors import ModelError
from rewardsmith.models.adapter_ensemble import AdapterEnsemble, SkippedBlock, share
from rewardsmith.models.packing import enable_packing
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.trainable import blocks

KINDS = {
    "decoder": ("decoder", {}),
    "decoder, mean": ("decoder", {"pooling": "mean"}),
    "decoder, mlp": ("decoder", {"head": "mlp", "mlp_width": 7}),
    "decoder, two blocks": ("decoder", {"lora_blocks": 2}),
    "encoder": ("encoder", {}),
    "encoder, mean": ("encoder", {"pooling": "mean"}),
    "encoder, three blocks": ("encoder", {"lora_blocks": 3}),
}
LISTS = st.lists(st.lists(st.integers(5, 250), min_size=1, max_size=12), min_size=1, max_size=6)

Make = Callable[..., list[RewardModel]]


@pytest.fixture(scope="module")
def bases(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {kind: save_base(tiny, tmp_path_factory.mktemp(kind), kind) for kind in ("decoder", "encoder")}


def members(bases: dict[str, str], name: str = "decoder", *, count: int = 3) -> list[RewardModel]:
    kind, options = KINDS[name]
    return [merged(adapted(bases[kind], seed=seed, **options)) for seed in range(count)]


def padded(lists: list[list[int]], *, left: bool) -> tuple[Tensor, Tensor]:
    width = max(map(len, lists))
    ids, mask = torch.zeros(len(lists), width, dtype=torch.long), torch.zeros(len(lists), width, dtype=torch.long)
    for row, some in enumerate(lists):
        start = width - len(some) if left else 0
        ids[row, start : start + len(some)] = torch.tensor(some)
        mask[row, start : start + len(some)] = 1
    return ids, mask


def alone(models: list[RewardModel], lists: list[list[int]]) -> Tensor:
    """`[sequence, member]`: each member by itself, one sequence at a time."""
    rows = [[model(*padded([some], left=False)) for model in models] for some in lists]
    return torch.stack([torch.cat(row) for row in rows])


def packed_inputs(lists: list[list[int]], *, is_decoder: bool) -> tuple[Tensor, ...]:
    sequences = [np.array(some, np.int32) for some in lists]
    packed = pack([shared(sequences) if is_decoder else separate(sequences)])
    arrays = (packed.input_ids[None], packed.segments, packed.position_ids[None], packed.ends)
    return tuple(torch.from_numpy(each) for each in arrays)


@pytest.mark.parametrize("name", KINDS)
def test_members_score_as_by_themselves_padded_and_packed(bases: dict[str, str], name: str) -> None:
    whole = members(bases, name)
    ensemble = share(members(bases, name))
    packs = share(members(bases, name))
    assert enable_packing(packs, [np.arange(5, 60), np.arange(5, 9)]) is None

    @settings(max_examples=8, deadline=None)
    @given(lists=LISTS, left=st.booleans())
    def check(lists: list[list[int]], left: bool) -> None:
        unique = [list(some) for some in dict.fromkeys(map(tuple, lists))]
        with torch.no_grad():
            wanted = alone(whole, unique)
            batch = padded(unique, left=left)
            found = ensemble(*batch)
            same_batch = torch.stack([model(*batch) for model in whole], dim=1)
            together = packs(*packed_inputs(unique, is_decoder=packs.is_decoder))
        assert found.dtype == torch.float32
        assert found.shape == (len(unique), 3)
        torch.testing.assert_close(found, same_batch, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(together, wanted, atol=1e-5, rtol=1e-5)

    check()


def test_the_members_differ(bases: dict[str, str]) -> None:
    """Else every test here would be empty."""
    with torch.no_grad():
        rewards = share(members(bases))(*padded([[7, 8, 9], [30, 20]], left=False))
    assert rewards.std(dim=1).min() > 0.01


@pytest.mark.parametrize("name", ["decoder", "encoder"])
def test_shared_blocks_run_once_and_own_blocks_once_a_member(bases: dict[str, str], name: str) -> None:
    ensemble = share(members(bases, name))
    calls = dict.fromkeys(range(LAYERS), 0)

    def count(number: int) -> None:
        calls[number] += 1

    each: Any = ensemble.members
    for member in each:
        for number, block in enumerate(blocks(member)):
            if not isinstance(block, SkippedBlock):
                block.register_forward_hook(lambda *_, number=number: count(number))
    with torch.no_grad():
        ensemble(*padded([[7, 8, 9], [30, 20]], left=False))
    assert calls == {0: 1, 1: 1, 2: 1, 3: 3}


def test_only_what_differs_is_in_memory_twice(bases: dict[str, str]) -> None:
    whole = members(bases, count=4)
    ensemble = share(whole)
    sizes = {name: parameter.numel() for name, parameter in whole[0].named_parameters()}
    linear = sum(
        size for name, size in sizes.items() if ".layers.3." in name and ("proj" in name) and name.endswith("weight")
    )
    own = linear + sizes["network.score.weight"]
    assert sum(parameter.numel() for parameter in ensemble.parameters()) == sum(sizes.values()) + 3 * own


def test_members_may_begin_at_different_blocks(bases: dict[str, str]) -> None:
    whole = [merged(adapted(bases["decoder"], seed=seed, lora_blocks=seed + 1)) for seed in range(3)]
    ensemble = share(whole)
    assert ensemble.entries == (0, 2, 1)
    with torch.no_grad():
        torch.testing.assert_close(ensemble(*padded([[7, 8, 9]], left=False)), alone(whole, [[7, 8, 9]]))


def test_one_base_with_two_heads_shares_all_blocks_but_the_last(bases: dict[str, str]) -> None:
    whole = [adapted(bases["decoder"], seed=seed, trainable="head", lora_blocks=None) for seed in range(2)]
    ensemble = share(whole)
    assert ensemble.entries == (0, LAYERS - 1)
    sizes = sum(parameter.numel() for parameter in whole[0].parameters())
    assert sum(parameter.numel() for parameter in ensemble.parameters()) == sizes + 32


def test_the_models_that_were_given_stay_whole(bases: dict[str, str]) -> None:
    whole = members(bases)
    with torch.no_grad():
        before = alone(whole, [[7, 8, 9]])
        share(whole)
        torch.testing.assert_close(alone(whole, [[7, 8, 9]]), before, atol=0.0, rtol=0.0)


def test_features_and_readout_are_the_members(bases: dict[str, str]) -> None:
    whole = members(bases)
    ids, mask = padded([[7, 8, 9], [30, 20]], left=True)
    ensemble = share(whole)
    with torch.no_grad():
        features = ensemble.features(ids, mask)
        assert features.shape == (2, 3, 32)
        torch.testing.assert_close(features[:, 1], whole[1].features(ids, mask))
        torch.testing.assert_close(ensemble.readout(features)[:, 2], whole[2](ids, mask))


def test_models_without_a_common_block_are_refused(tiny: Any, bases: dict[str, str], tmp_path: Path) -> None:
    other = save_base(tiny, tmp_path, "decoder", seed=1)
    with pytest.raises(ModelError, match=r"member 1: members that share no block.*last_quarter"):
        share([*members(bases, count=1), merged(adapted(other, seed=0))])
    everywhere = [merged(adapted(bases["decoder"], seed=seed, lora_blocks=None)) for seed in range(2)]
    with pytest.raises(ModelError, match="another lowest block"):
        share(everywhere)
    with pytest.raises(ModelError, match="members of different kinds"):
        share([*members(bases, count=1), *members(bases, "decoder, mean", count=1)])
    with pytest.raises(ModelError, match="members of different kinds"):
        share([*members(bases, count=1), *members(bases, "encoder", count=1)])
    with pytest.raises(ModelError, match="without members"):
        share([])
    with pytest.raises(ModelError, match="without members"):
        AdapterEnsemble([], [])


def test_other_embeddings_under_equal_blocks_are_found_out(bases: dict[str, str]) -> None:
    one, other = members(bases, count=2)
    with torch.no_grad():
        other.network.model.embed_tokens.weight.add_(0.1)  # type: ignore[union-attr]
    with pytest.raises(ModelError, match=r"cannot go on from one another's states.*rewards differ"):
        share([one, other])
