"""What a training would cost, before it begins: tokens, steps, time, memory."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from rewardsmith.batching import buckets, packing, prefixes
from rewardsmith.models.builtin import resolve
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.frozen import enable_states
from rewardsmith.models.head import backbone, plain
from rewardsmith.models.load import build
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.trainable import blocks, count_parameters, shares_blocks
from rewardsmith.preferences.table import EncodedPreference, PreferenceTable
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.calibration import Speed, measure
from rewardsmith.training.collator import Layout
from rewardsmith.training.dataset import sequences_of
from rewardsmith.training.features import caches_features
from rewardsmith.training.layout import choose_layout, token_budget
from rewardsmith.training.precision import Precision, resolve_precision
from rewardsmith.training.preflight import check_data_for_loss, require_room
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.schedule import Cut, epoch_steps

logger = logging.getLogger(__name__)

_WEIGHT_BYTES = 4
_ADAM_BYTES = 8
_ACTIVATION_BYTES = {"float32": 68, "bf16": 34}
"""Of one token in one block, for each unit of width: Korthikanti et al. 2022 (2205.05198), section 4.1, count 34 bytes
in 16 bits, without the attention matrix, which fused attention does not keep."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The cost of a recipe on a training set.

    Attributes:
        tokens: Of an epoch, as the network computes them: each response with its prompt.
        distinct_tokens: The same with each prompt counted once.
        computed_tokens: Of an epoch, as the micro-batches are cut: with padding, or with each prompt once.
        optimiser_steps: Over all epochs.
        tokens_per_s: Measured here on a few preferences, forward and backward, padding included.
        seconds: Expected time of training on one device of this kind, without evaluations and checkpoints.
        peak_memory_bytes: Expected: weights, gradients, AdamW's two moments, activations of the largest micro-batch.
    """

    preferences: int
    pairs: int
    responses: int
    tokens: int
    distinct_tokens: int
    computed_tokens: int
    optimiser_steps: int
    parameters: int
    trained_parameters: int
    precision: Precision
    tokens_per_s: float
    seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Each preference's size, one array entry a preference.

    Attributes:
        longest: Tokens of the longest conversation.
        tokens: Tokens of all conversations.
        distinct: Tokens when the shared ones are counted once.
        responses: Number of responses.
        pairs: Number of comparisons.
    """

    longest: Int[np.ndarray, " preference"]
    tokens: Int[np.ndarray, " preference"]
    distinct: Int[np.ndarray, " preference"]
    responses: Int[np.ndarray, " preference"]
    pairs: Int[np.ndarray, " preference"]


def plan(
    recipe: Recipe,
    table: PreferenceTable,
    *,
    heldout: PreferenceTable | None = None,
    model: RewardModel | None = None,
) -> TrainingPlan:
    """The cost of training `recipe` on `table`; a step on a few of its preferences is timed, which takes seconds.

    Args:
        heldout: The held-out side, which the training will evaluate on; it is checked like the training side.
        model: The recipe's model, where it is loaded already; its weights and gradients are left as they are.

    Raises:
        ModelError: The recipe's base cannot be loaded.
        DataError: The loss cannot use the data.
        OverlengthError: A conversation is longer than the model takes.
    """
    settings = recipe.training
    tables = (table,) if heldout is None else (table, heldout)
    for note in check_data_for_loss(recipe.loss, train=table, heldout=tables[-1]):
        logger.warning("%s", note)
    if model is None:
        model = build(recipe.model, seed=settings.seed)
        require_room(token_capacity(model, load_tokenizer(resolve(recipe.model.base))), *tables)
    precision = resolve_precision(settings.precision)
    cut = Cut(settings.batch_size)
    layout = choose_layout(model, table, packing=settings.packing)
    budget = token_budget(settings.token_budget)
    sizes = measure_sizes(table)
    batches = micro_batches(sizes, cut, layout=layout, budget=budget, seed=settings.order_seed)
    steps = math.ceil(settings.epochs * cut.steps(len(table)))
    speed = measure(model, table, layout=layout, precision=precision, checkpointing=settings.gradient_checkpointing)
    trained, parameters = count_parameters(model)
    return TrainingPlan(
        preferences=len(table),
        pairs=int(sizes.pairs.sum()),
        responses=int(sizes.responses.sum()),
        tokens=int(sizes.tokens.sum()),
        distinct_tokens=int(sizes.distinct.sum()),
        computed_tokens=sum(batches),
        optimiser_steps=steps,
        parameters=parameters,
        trained_parameters=trained,
        precision=precision,
        tokens_per_s=speed.tokens_per_s,
        seconds=expected_seconds(sum(batches) * _passes(recipe, model, table), steps, speed),
        peak_memory_bytes=peak_memory_bytes(
            model, max(batches, default=0), precision=precision, checkpointing=settings.gradient_checkpointing
        ),
    )


def measure_sizes(table: PreferenceTable) -> Sizes:
    """How long each preference of the table is."""
    rows = np.array([_row(table.encoded(index)) for index in range(len(table))], np.int64).reshape(-1, 5)
    return Sizes(*rows.T)


def micro_batches(sizes: Sizes, cut: Cut, *, layout: Layout, budget: int, seed: int) -> list[int]:
    """Computed tokens of each micro-batch of the first epoch, to within what responses share beyond their prompt."""
    steps = epoch_steps(sizes.longest.tolist(), cut, seed=seed, epoch=0)
    return [tokens for devices in steps for share in devices for tokens in _cut_share(sizes, share, layout, budget)]


def _cut_share(sizes: Sizes, share: list[int], layout: Layout, budget: int) -> list[int]:
    if layout == "padded":
        most, longest = int(sizes.responses[share].max()), sizes.longest[share]
        batches = buckets.plan(longest.tolist(), max_tokens=max(1, budget // most))
        return [int(sizes.responses[share][batch].sum() * longest[batch].max()) for batch in batches]
    is_shared = (sizes.tokens - sizes.distinct >= prefixes.WORTH_SHARING) & (layout == "shared")
    tokens = np.where(is_shared, sizes.distinct, sizes.tokens)[share]
    return [int(tokens[batch].sum()) for batch in packing.fill(tokens.tolist(), max_tokens=budget)]


def _passes(recipe: Recipe, model: RewardModel, table: PreferenceTable) -> float:
    """How often the network runs over the training set: once where only the head is trained, on cached features.

    The length penalty runs it forward once more, which is about a third of forward and backward.
    """
    settings = recipe.training
    is_cached = caches_features(settings, model) and enable_states(model, sequences_of(table.encoded(0))) is None
    return 1 if is_cached else settings.epochs * (4 / 3 if recipe.loss.length_decorrelation else 1)


def expected_seconds(computed_tokens: float, steps: int, speed: Speed) -> float:
    """Tokens at the measured rate, and the optimiser's own time at each step."""
    return computed_tokens / speed.tokens_per_s + steps * speed.optimiser_s


def peak_memory_bytes(model: RewardModel, computed_tokens: int, *, precision: Precision, checkpointing: bool) -> int:
    """Weights + gradients + Adam's moments + the activations that the backward pass needs, as a formula.

    4·P + 12·T + tokens · width · (bytes a block) · (blocks from the lowest trained one on). With checkpointing each
    block keeps its input only, and one block at a time is computed again. The working memory of torch itself comes on
    top.
    """
    trained, parameters = count_parameters(model)
    width = model.config.get_text_config().hidden_size
    depth = trained_depth(model)
    a_block = computed_tokens * width * _ACTIVATION_BYTES[precision]
    kept = depth * computed_tokens * width * _WEIGHT_BYTES + a_block if checkpointing else depth * a_block
    weights = _WEIGHT_BYTES * parameters + (_WEIGHT_BYTES + _ADAM_BYTES) * trained
    return int(weights + (kept if depth else 0))


def trained_depth(model: RewardModel) -> int:
    """Blocks that the gradient passes through: from the lowest trained weight to the top.

    Where layers share one block, each pass through it keeps activations of its own.
    """
    if shares_blocks(model):
        return _shared_depth(model)
    layers = list(blocks(model))
    if any(weight.requires_grad for weight in plain(model.network).get_input_embeddings().parameters()):
        return len(layers)
    for number, layer in enumerate(layers):
        if any(parameter.requires_grad for parameter in layer.parameters()):
            return len(layers) - number
    return 0


def _shared_depth(model: RewardModel) -> int:
    below_the_head = (weight for name, weight in backbone(model.network).named_parameters() if "pooler" not in name)
    if not any(weight.requires_grad for weight in below_the_head):
        return 0
    config = model.config.get_text_config()
    return config.num_hidden_layers * getattr(config, "inner_group_num", 1)


def _row(preference: EncodedPreference) -> tuple[int, int, int, int, int]:
    prefix, tails = len(preference.prefix), [len(tail) for tail in preference.tails]
    return (
        prefix + max(tails),
        prefix * len(tails) + sum(tails),
        prefix + sum(tails),
        len(tails),
        len(preference.pairs),
    )
