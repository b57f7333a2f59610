"""Adapters stored together; the ensemble that `by: adapters` trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.models.adapted import adapted, save_base
from tests.training.toy import write_base, write_data

from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.store import verify_artefact
from rewardsmith.models import checkpoint
from rewardsmith.models.settings import ModelSettings
from rewardsmith.numerics.combination import Standard
from rewardsmith.preferences.store import load_table
from rewardsmith.scoring.families.adapters import AdapterEnsembleScorer
from rewardsmith.scoring.families.reference_set import reference_set
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.adapters import adapter_model, write_adapter_ensemble
from rewardsmith.training.ensemble import train_ensemble
from rewardsmith.training.ensemble_settings import EnsembleSettings
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings

STANDARD = Standard(np.zeros(2), np.ones(2))


@pytest.fixture(scope="module")
def members(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two reward-model folders with an adapter, one without, and one on another base."""
    folder = tmp_path_factory.mktemp("members")
    bases = [save_base(tiny, folder / f"base-{number}", "decoder", seed=number) for number in range(2)]
    asked: list[tuple[str, dict[str, Any]]] = [
        (bases[0], {}),
        (bases[0], {}),
        (bases[0], {"trainable": "head", "lora_blocks": None}),
        (bases[1], {}),
    ]
    folders = []
    for seed, (base, options) in enumerate(asked):
        folders.append(folder / f"model-{seed}")
        checkpoint.save(adapted(base, seed=seed, **options), load_tokenizer(base), folders[-1], base=base)
    return folders


def test_adapters_go_into_the_last_quarter_where_nothing_else_is_said() -> None:
    whole = ModelSettings(base="b", pooling="mean")
    assert adapter_model(whole) == ModelSettings(base="b", pooling="mean", trainable="lora", lora_blocks="last_quarter")
    chosen = ModelSettings(trainable="lora", lora_blocks=2, lora_rank=4)
    assert adapter_model(chosen) == chosen


def test_only_adapters_and_heads_are_stored(members: list[Path], tmp_path: Path) -> None:
    write_adapter_ensemble(members[:2], tmp_path, standard=STANDARD)
    for number in range(2):
        names = list(load_file(tmp_path / "members" / str(number) / "adapter_model.safetensors"))
        assert all("lora_" in name or "score" in name for name in names)
        assert all(".layers.3." in name for name in names if "lora_" in name)
    assert not list(tmp_path.rglob("model.safetensors"))


def test_adapter_folders_are_members_too(members: list[Path], tmp_path: Path) -> None:
    write_adapter_ensemble([each / "adapter" for each in members[:2]], tmp_path / "one", standard=STANDARD)
    stored = [tmp_path / "one" / "members" / str(number) for number in range(2)]
    write_adapter_ensemble(stored, tmp_path / "two", standard=STANDARD)
    files = [
        sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*")) for name in ("one", "two")
    ]
    assert files[0] == files[1]


def test_an_ensemble_by_adapters_is_trained_and_scored_over_one_backbone(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    data = write_data(tmp_path / "data", base)
    training = TrainingSettings(epochs=2, learning_rate=1e-2, batch_size=8, precision="float32", bootstrap=True)
    recipe = Recipe(
        model=ModelSettings(base=str(base), lora_rank=2),
        training=training,
        ensemble=EnsembleSettings(members=3, by="adapters", rule="worst"),
    )
    manifest = train_ensemble(recipe, data, tmp_path / "out")

    assert verify_artefact(tmp_path / "out", "reward-model") == manifest
    assert not [name for name in manifest.files if name.endswith("/model.safetensors")]
    scorer = load_scorer(tmp_path / "out")
    assert isinstance(scorer, AdapterEnsembleScorer)
    assert (scorer.rule, scorer.model.entries) == ("worst", (0, 1, 1))
    known = reference_set(load_table(data, "train"))
    scores = scorer.score(known.conversations)
    assert scores.members is not None
    assert scores.members.mean(axis=1) == pytest.approx([0, 0, 0], abs=1e-5)
    assert scores.rewards == pytest.approx(scores.members.min(axis=0), abs=1e-6)
    assert np.corrcoef(scores.members).max(initial=0, where=~np.eye(3, dtype=bool)) < 1 - 1e-6
    table = load_table(data, "heldout")
    margins = [np.subtract(*scorer.score([each.conversation(k) for k in (0, 1)]).rewards) for each in table]
    right = [
        margin > 0 if each.pairs[0].chosen == 0 else margin < 0 for margin, each in zip(margins, table, strict=True)
    ]
    assert manifest.counts["heldout"]["accuracy"] == pytest.approx(np.mean(right))
    assert [each["seed"] for each in manifest.counts["members"]] == [0, 1, 2]


def test_members_that_do_not_go_together_are_refused(members: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no adapter.*trainable: lora"):
        write_adapter_ensemble([members[0], members[2]], tmp_path, standard=STANDARD)
    with pytest.raises(ModelError, match="members of different bases"):
        write_adapter_ensemble([members[0], members[3]], tmp_path, standard=STANDARD)
    with pytest.raises(ModelError, match="standard of other members"):
        write_adapter_ensemble(members[:1], tmp_path, standard=STANDARD)
    with pytest.raises(SettingsError, match="weight"):
        write_adapter_ensemble(members[:2], tmp_path, standard=STANDARD, rule="penalised", weight=-1.0)
    assert not list(tmp_path.iterdir())
