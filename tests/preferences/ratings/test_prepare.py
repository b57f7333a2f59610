"""From rated files to an artefact: every response is found where it belongs, and nothing leaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rewardsmith.core.errors import ArtefactError, DataError, OverlengthError, SettingsError
from rewardsmith.core.store import verify_artefact
from rewardsmith.preferences.keys import group_hash
from rewardsmith.preferences.ratings.prepare import prepare_ratings
from rewardsmith.preferences.ratings.store import KIND, load_ratings, scales_in
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.store import load_table
from rewardsmith.text.encoder import ConversationEncoder

SHARE = 0.3
Write = Callable[..., str]


def row(number: int, *, group: str | None = None, **values: Any) -> dict[str, Any]:
    own = {"prompt_id": group or f"g{number}", "prompt": f"{number}?", "response": f"{number}!"}
    return own | {"ratings": {"tone": number % 5, "errors": number % 3}, "source": f"s{number % 2}"} | values


def is_heldout(group: str) -> bool:
    return group_hash(group, "rewardsmith") < SHARE * 2**64


def settings_for(path: str, **values: Any) -> DataSettings:
    return DataSettings(sources=(SourceSettings(path=path),), heldout_share=SHARE, **values)


def test_an_artefact_of_ratings(write_rows: Write, byte_encoder: ConversationEncoder, tmp_path: Path):
    groups = [name for name in (f"n{k}" for k in range(50)) if is_heldout(name)][:1]
    train = [name for name in (f"n{k}" for k in range(50)) if not is_heldout(name)][:2]
    long = "which of the many words that stand in this prompt are the same as in the other one {}"
    extra = [
        row(7),
        row(7, ratings={"tone": 4.0}),
        row(201, response=" "),
        row(202, ratings={"depth": 1}),
        row(203, response="x" * 600),
        row(301, group=groups[0], prompt=long.format("a")),
        row(302, group=train[0], prompt=long.format("b")),
        row(303, group=train[1], prompt=long.format("A") + "!"),
    ]
    path = write_rows([*(row(number) for number in range(80)), *extra, "{broken"])

    manifest = prepare_ratings(settings_for(path), tmp_path / "out", byte_encoder, attributes=["tone", "-errors"])

    counts = manifest.counts
    assert verify_artefact(tmp_path / "out", KIND) == manifest
    assert counts["reasons"] == {
        "empty-side": 1,
        "exact-duplicate": 1,
        "near-heldout-prompt": 2,
        "too-long": 1,
        "unreadable": 2,
    }
    assert counts["read"] == 89 == sum(counts[key] for key in ("kept_train", "kept_heldout", "set_aside", "rejected"))
    assert (counts["set_aside"], counts["rejected"]) == (3, 4)
    sides = {side: load_ratings(tmp_path / "out", side) for side in ("train", "heldout")}
    assert {side: len(found) for side, found in sides.items()} == {
        "train": counts["kept_train"],
        "heldout": counts["kept_heldout"],
    }
    for side, found in sides.items():
        assert {is_heldout(each.group) for each in found} == {side == "heldout"}
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert {each["line"] for each in rejected} == {83, 84, 85, 89}


def test_ratings_come_back_as_they_were(write_rows: Write, byte_encoder: ConversationEncoder, tmp_path: Path):
    def prompt(number: int) -> list[dict[str, str]]:
        return [{"role": "system", "content": "kurz & bündig"}, {"role": "user", "content": f"{number}?"}]

    path = write_rows([row(k, prompt=prompt(k), ratings={"tone": k / 7, "b": None}) for k in range(20)])

    prepare_ratings(settings_for(path), tmp_path / "out", byte_encoder)
    found = [*load_ratings(tmp_path / "out", "train"), *load_ratings(tmp_path / "out", "heldout")]

    assert len(found) == 20
    assert all(each.prompt[0].content == "kurz & bündig" for each in found)
    assert all(each.ratings == {"tone": int(each.prompt[1].content[:-1]) / 7} for each in found)
    with pytest.raises(ArtefactError, match="wanted preferences"):
        load_table(tmp_path / "out", "train")


def test_scales_are_those_of_the_training_side(write_rows: Write, byte_encoder: ConversationEncoder, tmp_path: Path):
    """Held-out ratings a hundred times larger leave no trace."""
    rows = [row(k, ratings={"tone": (k % 5) * (100 if is_heldout(f"g{k}") else 1)}, source="s") for k in range(60)]

    manifest = prepare_ratings(settings_for(write_rows(rows)), tmp_path / "out", byte_encoder, attributes=["-tone"])

    scale = scales_in(manifest, where="out")["s"]["tone"]
    assert (scale.lowest, scale.highest, scale.sign) == (0, 4, -1)
    assert scale.n == manifest.counts["kept_train"]


@pytest.mark.parametrize("bad", [{"ties": "keep"}, {"limit": 5}, {"soft_labels": True}])
def test_settings_about_pairs_are_refused(
    bad: dict[str, Any], write_rows: Write, byte_encoder: ConversationEncoder, tmp_path: Path
):
    with pytest.raises(SettingsError, match=f"data.{next(iter(bad))}: this setting is about pairs"):
        prepare_ratings(settings_for(write_rows([row(1)]), **bad), tmp_path / "out", byte_encoder)


def test_an_attribute_that_no_row_carries(write_rows: Write, byte_encoder: ConversationEncoder, tmp_path: Path):
    path = write_rows([row(number) for number in range(30)])

    with pytest.raises(DataError, match=r"attribute 'depth'.*errors"):
        prepare_ratings(settings_for(path), tmp_path / "out", byte_encoder, attributes=["tone", "errors", "depth"])
    assert not (tmp_path / "out").exists()


def test_too_long_can_stop_the_preparation(write_rows: Write, byte_encoder: ConversationEncoder, tmp_path: Path):
    path = write_rows([*(row(number) for number in range(30)), row(31, response="x" * 600)])

    with pytest.raises(OverlengthError, match=r"rows\.jsonl:31"):
        prepare_ratings(settings_for(path, overlength="raise"), tmp_path / "out", byte_encoder)
    cut = prepare_ratings(settings_for(path, overlength="truncate"), tmp_path / "cut", byte_encoder)
    assert cut.counts["reasons"] == {}


def test_real_ratings(shared_data: Path, byte_encoder: ConversationEncoder, tmp_path: Path):
    """UniEval: six attributes, four sources of other scales."""
    settings = settings_for(str(shared_data / "unieval-human-ratings.jsonl.gz"), overlength="truncate")

    manifest = prepare_ratings(settings, tmp_path / "out", byte_encoder)

    scales = scales_in(manifest, where="out")
    assert manifest.counts["read"] == 2890
    assert len(scales) == 5
    assert 1 <= scales["USR-TopicalChat via UniEval"]["naturalness"].highest <= 3
    assert 3 < scales["SFRES via UniEval"]["naturalness"].highest <= 6
    assert manifest.counts["attributes"]["consistency"]["train"] < 474
