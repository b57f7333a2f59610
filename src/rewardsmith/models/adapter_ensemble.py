"""Several reward models over one backbone: the blocks that they share are kept, and computed, once.

Members that were trained from one base and differ in their last blocks only (`model.lora_blocks`) cost, with n blocks
of which u are their own, n − u + k · u blocks in the place of k · n.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from rewardsmith.core.errors import ModelError
from rewardsmith.models import head
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.settings import Pooling
from rewardsmith.models.trainable import blocks

_TOLERANCE = 1e-4
"""Of a reward, or of one of size 1 where it is smaller. Rounding in another order is a hundred times below."""

_PROBE_TOKENS = 16


class SkippedBlock(nn.Module):
    """Stands where a block that another member computes was."""

    def forward(self, states: Tensor, *_args: Any, **_kwargs: Any) -> Tensor:
        """`states` as they are."""
        return states


class AdapterEnsemble(nn.Module):
    """Reward models that share their lower blocks; made by `share`.

    The first member is whole. Of each other one there are the blocks that are its own, and what comes after them, as
    far as it differs; everything else is the first one's. A pass runs the first member and notes the states that enter
    the first own block of the others; each of these goes on from there, through the code of its own architecture:
    final norm, pooling and head included, packed or padded.

    Args:
        members: The first one whole, the others with a `SkippedBlock` in the place of each shared block.
        entries: Number of the first block that is a member's own; of the first member, which runs all, it is not used.

    Raises:
        ModelError: There is no member, or they are not read in the same way.
    """

    def __init__(self, members: Sequence[RewardModel], entries: Sequence[int]) -> None:
        super().__init__()
        if not members or len(members) != len(entries):
            raise ModelError("an ensemble without members", wanted="one entry a member", got=len(members))
        for member in members:
            _require_read_alike(member, members[0])
        self.members = nn.ModuleList(members)
        self.entries = tuple(entries)
        # A new module is in training mode, whatever its parts are in.
        self.train(members[0].training)

    @property
    def width(self) -> int:
        """How many members there are."""
        return len(self.members)

    @property
    def first(self) -> RewardModel:
        """The whole member: what it says of itself holds for all."""
        return self.each()[0]

    @property
    def is_decoder(self) -> bool:
        """Whether sequences may share their beginning."""
        return self.first.is_decoder

    @property
    def pooling(self) -> Pooling:
        """Which state the heads read."""
        return self.first.pooling

    @property
    def mlp(self) -> head.MlpHead | None:
        """The first member's two-layer head, where they have such heads."""
        return self.first.mlp

    @property
    def config(self) -> Any:
        """The networks' configuration."""
        return self.first.config

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.first.device

    def forward(
        self,
        input_ids: Int[Tensor, "row token"],
        attention_mask: Int[Tensor, "a b"],
        position_ids: Int[Tensor, "row token"] | None = None,
        ends: Int[Tensor, " sequence"] | None = None,
    ) -> Float32[Tensor, "sequence member"]:
        """Each member's reward of each sequence. Takes what `RewardModel.forward` takes."""
        return self.readout(self.features(input_ids, attention_mask, position_ids, ends))

    def features(
        self,
        input_ids: Int[Tensor, "row token"],
        attention_mask: Int[Tensor, "a b"],
        position_ids: Int[Tensor, "row token"] | None = None,
        ends: Int[Tensor, " sequence"] | None = None,
    ) -> Float32[Tensor, "sequence member hidden"]:
        """What each member's last linear layer reads, float32. Takes what `forward` takes."""
        inputs = (input_ids, attention_mask, position_ids, ends)
        first, *others = self.each()
        own = blocks(first)
        with contextlib.ExitStack() as stack:
            entering = {
                entry: stack.enter_context(head.inputs_of(own[entry])) for entry in dict.fromkeys(self.entries[1:])
            }
            found = [first.features(*inputs)]
        for member, entry in zip(others, self.entries[1:], strict=True):
            with head.fed_with(blocks(member)[entry], entering[entry][-1]):
                found.append(member.features(*inputs))
        return torch.stack(found, dim=1)

    def readout(self, features: Float[Tensor, "sequence member hidden"]) -> Float32[Tensor, "sequence member"]:
        """Each member's w · h + b, in float32."""
        rewards = [member.readout(features[:, number]) for number, member in enumerate(self.each())]
        return torch.stack(rewards, dim=1)

    def each(self) -> list[RewardModel]:
        """The members; all but the first lack the blocks that they share with it."""
        members: Any = self.members
        return list(members)


def share(models: Iterable[RewardModel]) -> AdapterEnsemble:
    """One ensemble of `models`, adapters merged, which are taken one after the other, so that two are in memory.

    What is shared is found by comparing weights: for each model the longest row of blocks, from the lowest, that equals
    the first model's bit for bit. Whether it gives the same rewards so is tried, not guessed from the architecture.

    Raises:
        ModelError: There is no model, one is of another shape or read in another way, one has no block in common with
            the first, or one does not give its own rewards on the first one's states.
        SettingsError: The layers share blocks, as ALBERT's do.
    """
    remaining = iter(models)
    first = next(remaining, None)
    if first is None:
        raise ModelError("an ensemble without members", wanted="at least one")
    members, entries, wanted = [first], [0], [_probed(first)]
    for model in remaining:
        number = len(members)
        _require_read_alike(model, first, number=number)
        entry = _first_own_block(model, first, number=number)
        wanted.append(_probed(model))
        members.append(_upper_part(model, first, entry))
        entries.append(entry)
        # Before the next one is loaded.
        del model
    ensemble = AdapterEnsemble(members, entries)
    _require_same_rewards(ensemble, torch.stack(wanted, dim=1))
    return ensemble


def _upper_part(model: RewardModel, first: RewardModel, entry: int) -> RewardModel:
    """A copy of `model` without its blocks below `entry`; what equals the first model's is not copied but shared."""
    theirs = dict(first.named_parameters()) | dict(first.named_buffers())
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    memo: dict[int, Any] = {id(block): SkippedBlock() for block in blocks(model)[:entry]}
    memo |= {id(value): theirs[name] for name, value in own.items() if _equal(value, theirs.get(name))}
    return copy.deepcopy(model, memo)


def _first_own_block(model: RewardModel, first: RewardModel, *, number: int) -> int:
    """Number of the lowest block that is not the first model's, at most that of the last block."""
    pairs = list(zip(blocks(model), blocks(first), strict=False))
    entry = 0
    while entry < len(pairs) - 1 and _same_weights(*pairs[entry]):
        entry += 1
    if entry == 0 or len(blocks(model)) != len(blocks(first)):
        raise ModelError(
            "members that share no block",
            wanted="models of one base that differ in their last blocks only",
            got="another lowest block" if len(blocks(model)) == len(blocks(first)) else "another number of blocks",
            where=f"member {number}",
            fix="train them with model.lora_blocks: last_quarter, or combine them as an ordinary ensemble",
        )
    return entry


def _same_weights(one: nn.Module, other: nn.Module) -> bool:
    own, theirs = one.state_dict(), other.state_dict()
    return own.keys() == theirs.keys() and all(_equal(value, theirs[name]) for name, value in own.items())


def _equal(one: Tensor, other: Tensor | None) -> bool:
    return other is not None and one.dtype == other.dtype and torch.equal(one, other)


def _require_read_alike(model: RewardModel, first: RewardModel, *, number: int | None = None) -> None:
    own, theirs = (
        (each.pooling, None if each.mlp is None else each.mlp.output.in_features, type(head.plain(each.network)))
        for each in (model, first)
    )
    if own != theirs:
        raise ModelError(
            "members of different kinds",
            wanted=f"pooling {theirs[0]}, head width {theirs[1]}, {theirs[2].__name__}",
            got=f"pooling {own[0]}, head width {own[1]}, {own[2].__name__}",
            where="members" if number is None else f"member {number}",
            fix="combine them as an ordinary ensemble",
        )


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def _probed(model: RewardModel | AdapterEnsemble) -> Float32[Tensor, "1 ..."]:
    """What `model` says of a short text of different tokens."""
    vocabulary = model.config.get_text_config().vocab_size
    ids = torch.arange(_PROBE_TOKENS, device=model.device).unsqueeze(0) % vocabulary
    with _evaluating(model):
        return model(ids, torch.ones_like(ids))


def _require_same_rewards(ensemble: AdapterEnsemble, wanted: Float32[Tensor, "1 member"]) -> None:
    """Members give the rewards that they gave by themselves.

    Raises:
        ModelError: One does not.
    """
    try:
        found = _probed(ensemble)
        worst = ((found - wanted).abs() / wanted.abs().clamp(min=1.0)).max().item()
        reason = None if worst <= _TOLERANCE else f"rewards differ by {worst:.1e}"
    # Whatever an unknown architecture raises on inputs that it was not made for, the answer is the same.
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__} in a pass over shared blocks"
    if reason is not None:
        raise ModelError(
            "the members cannot go on from one another's states",
            wanted="models of one base that differ in their last blocks only",
            got=reason,
            fix="combine them as an ordinary ensemble",
        )
