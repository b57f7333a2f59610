"""Made pairs and weights by length in a prepared artefact: the training side alone, counted, marked, the same again."""

from __future__ import annotations

import numpy as np
import pytest
from tests.preferences.test_prepare import row, settings_for

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import verify_artefact
from rewardsmith.preferences.layouts.rows import MADE
from rewardsmith.preferences.length_balance import PairLengths, side_weights
from rewardsmith.preferences.prepare import prepare
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.preferences.store import KIND, load_judged, load_table

ANSWER = "There are many ways to see it, and about {} of them fit into one room without any trouble at all."


def rows(count: int) -> list[dict]:
    """Two answers of different lengths; the longer one wins in three of four."""
    made = []
    for number in range(count):
        long, short = ANSWER.format(number), f"It is {number} of them, which is all there is to be said about it now."
        sides = (short, long) if number % 4 == 0 else (long, short)
        made.append(row(number, chosen=sides[0], rejected=sides[1]))
    return made


def folders(tmp_path, write_rows, byte_encoder, **values):
    path = write_rows(rows(60))
    prepare(settings_for(path), tmp_path / "plain", byte_encoder)
    manifest = prepare(settings_for(path, **values), tmp_path / "more", byte_encoder)
    return tmp_path / "plain", tmp_path / "more", manifest


def test_made_pairs_stand_behind_the_judged_ones_of_the_training_side(tmp_path, write_rows, byte_encoder):
    plain, more, manifest = folders(
        tmp_path, write_rows, byte_encoder, augment_other_answers=0.5, augment_cut_answers=0.5
    )
    before, after = load_table(plain, "train"), load_table(more, "train")

    assert list(after)[: len(before)] == list(before) == list(load_judged(more))
    assert list(load_table(more, "heldout")) == list(load_table(plain, "heldout"))
    made = list(after)[len(before) :]
    counts = manifest.counts["made_pairs"]
    assert len(made) == counts["other_answer"] + counts["cut_answer"] > 20
    assert (counts["not_possible"], counts["unusable"]) == (0, 0)
    assert manifest.counts["kept_train"] == len(before)
    assert manifest.counts["train"]["preferences"] == len(after)
    assert manifest.counts["overlap"] == {"groups": 0, "prompts": 0, "near_duplicates": 0}
    assert verify_artefact(more, KIND) == manifest

    by_id = {preference.id: (index, preference) for index, preference in enumerate(before)}
    assert len(set(after.ids)) == len(after)
    for index, pair in enumerate(made, len(before)):
        place, source = by_id[pair.meta[MADE]["from"]]
        assert after.place(index) == before.place(place)
        assert (pair.prompt, pair.group, pair.source) == (source.prompt, source.group, source.source)
        assert pair.responses[0] == source.responses[0]
        encoded = after.encoded(index)
        ids = [[*encoded.prefix.tolist(), *tail.tolist()] for tail in encoded.tails]
        assert ids == [each.tolist() for each in byte_encoder.encode([pair.conversation(0), pair.conversation(1)])]


def test_a_made_pair_that_is_too_long_is_counted_and_left_out(tmp_path, write_rows, byte_encoder):
    given = rows(40)
    for number, each in enumerate(given):
        each["prompt"] += " and why" * (number % 2 * 25)
        each["chosen"] = each["chosen"] + " so" * (80 - number % 2 * 70)
    manifest = prepare(
        settings_for(write_rows(given), augment_other_answers=1.0, max_tokens=460), tmp_path / "out", byte_encoder
    )

    counts = manifest.counts["made_pairs"]
    assert manifest.counts["kept_train"] == counts["other_answer"] + counts["unusable"]
    assert min(counts["other_answer"], counts["unusable"]) > 0
    assert load_table(tmp_path / "out", "train").longest.max() <= 460


def test_weights_by_length(tmp_path, write_rows, byte_encoder):
    plain, more, manifest = folders(tmp_path, write_rows, byte_encoder, balance_length=True)
    before, after = load_table(plain, "train"), load_table(more, "train")

    assert [preference.responses for preference in after] == [preference.responses for preference in before]
    assert list(load_table(more, "heldout")) == list(load_table(plain, "heldout"))
    counts = manifest.counts["length_balance"]
    assert counts["pairs"]["longer"] > 2 * counts["pairs"]["shorter"] > 0
    assert counts["pairs"]["longer"] + counts["pairs"]["shorter"] + counts["pairs"]["neither"] == len(after)
    assert counts["weight_before"] == {side: counts["pairs"][side] for side in ("longer", "shorter")}
    assert 0 < counts["weight_after_of_each"] <= counts["pairs"]["shorter"]
    sides = {"longer": 0.0, "shorter": 0.0}
    for preference in after:
        (pair,) = preference.pairs
        chosen, rejected = (len(preference.responses[k][0].content) for k in (pair.chosen, pair.rejected))
        sides["longer" if chosen > rejected else "shorter"] += pair.weight
    assert sides["longer"] == pytest.approx(sides["shorter"]) == pytest.approx(counts["weight_after_of_each"])


def test_balance_takes_made_pairs_of_another_prompt_with_it(tmp_path, write_rows, byte_encoder):
    _, more, _ = folders(tmp_path, write_rows, byte_encoder, balance_length=True, augment_other_answers=1.0)
    table = load_table(more, "train")
    gaps, weights = [], []
    for index in range(len(table)):
        row = table.encoded(index)
        (pair,) = row.pairs
        gaps.append(len(row.tails[pair.chosen]) - len(row.tails[pair.rejected]))
        weights.append(pair.weight)
    sides = side_weights(PairLengths(np.array(gaps), np.array(weights)))
    np.testing.assert_allclose(sides.longer, sides.shorter)
    assert any(preference.meta.get(MADE) for preference in table)


def test_the_same_settings_give_the_same_files(tmp_path, write_rows, byte_encoder):
    path = write_rows(rows(40))
    settings = settings_for(path, augment_other_answers=0.7, balance_length=True)
    first, second = (prepare(settings, tmp_path / name, byte_encoder) for name in ("a", "b"))
    assert first.files == second.files


def test_without_the_settings_nothing_is_there(tmp_path, write_rows, byte_encoder):
    manifest = prepare(settings_for(write_rows(rows(20))), tmp_path / "out", byte_encoder)
    assert not {"made_pairs", "length_balance"} & manifest.counts.keys()


def test_balance_and_cut_answers_are_not_taken_together():
    with pytest.raises(SettingsError, match="balance_length"):
        parse_settings(DataSettings, {"balance_length": True, "augment_cut_answers": 0.1}, where="recipe.yaml")


def test_a_row_cannot_call_itself_made(tmp_path, write_rows, byte_encoder):
    path = write_rows([each | {MADE: {"kind": "x"}, "meta": {MADE: 1, "kept": 2}} for each in rows(30)])
    prepare(settings_for(path), tmp_path / "out", byte_encoder)
    assert all(preference.meta == {"kept": 2} for preference in load_table(tmp_path / "out", "train"))
