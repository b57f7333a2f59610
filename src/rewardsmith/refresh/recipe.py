"""The recipe of the next model: that of the last one, on the new mixture, from the last one's weights."""

from __future__ import annotations

from collections.abc import Sequence

from rewardsmith.core.errors import SettingsError
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.refresh.settings import RefreshSettings
from rewardsmith.training.recipe import Recipe


def next_recipe(
    last: Recipe, sources: Sequence[SourceSettings], settings: RefreshSettings, *, incumbent: str
) -> Recipe:
    """`last` with the mixture in the place of its data, begun where `settings.start` says.

    What would thin out the mixture (`limit`, `balance_sources`, `topics`) is off: its shares are stated by `mix`.

    Args:
        last: How the incumbent was trained, or what the user wants in its place.
        sources: Files of the mixture.
        incumbent: Folder or hub id of the incumbent.

    Raises:
        SettingsError: Training cannot start from such a model.
    """
    if last.family in ("process", "attributes", "generative"):
        raise SettingsError(
            "refresh retrains models of pairs",
            wanted="a recipe of pairs or an ensemble",
            got=last.family,
            where="recipe",
        )
    data = last.data.model_copy(
        update={"sources": tuple(sources), "limit": None, "balance_sources": False, "topics": None}
    )
    changes: dict[str, object] = {"data": data}
    if starts_from_incumbent(last, settings):
        changes["model"] = last.model.model_copy(update={"base": incumbent, "keep_head": True})
    return last.model_copy(update=changes)


def starts_from_incumbent(last: Recipe, settings: RefreshSettings) -> bool:
    """Whether training goes on from the incumbent's weights.

    Raises:
        SettingsError: That is asked for, and its folder is no single model.
    """
    is_single = last.family == "pairs" and last.prior is None
    if settings.start == "incumbent" and not is_single:
        raise SettingsError(
            "training cannot start from this incumbent",
            wanted="a single model from pairs",
            got="a residual model" if last.family == "pairs" else last.family,
            where="start",
            fix="set start=base, and replay_share=all",
        )
    return settings.start != "base" and is_single
