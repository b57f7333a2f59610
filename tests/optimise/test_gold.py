"""Gold of each kind, against numbers that were there before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.optimise.gold import RubricGold, label_ratings
from rewardsmith.optimise.load import load_criteria, load_gold, load_prompts
from rewardsmith.preferences.load import iter_rows
from rewardsmith.preferences.rubric import Criteria, Weights
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.scoring.load import load_scorer


def _said(prompt: str, response: str) -> Conversation:
    return (user(prompt), assistant(response))


def _write(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_the_rubric_gives_the_points_of_the_built_in_set():
    source = "builtin:starter-rankings"
    gold = load_gold("rubric", source)
    rows = [row.values or {} for row in iter_rows(SourceSettings(path=source))]
    said = [_said(row["prompt"], response) for row in rows for response in row["responses"]]
    wanted = [points for row in rows for points in row["meta"]["points"]]
    np.testing.assert_allclose(gold.rate(said), wanted, atol=0.01)
    assert gold.identity["weights"]["facts"] == 2.0
    assert len(load_criteria(source)) == 79


def test_a_prompt_without_criteria_needs_a_default():
    prompt = (user("Name the capital of France."),)
    asks = {prompt: Criteria(facts=(("paris",),))}
    right, wrong = _said(prompt[0].content, "Paris."), _said(prompt[0].content, "Rome.")
    plain, facts = RubricGold(asks), RubricGold(asks, Weights(facts=7.0))
    # The fact alone tells them apart: 2 points, or 7.
    assert np.ptp(plain.rate([right, wrong])) == pytest.approx(2.0)
    assert facts.rate([right])[0] - facts.rate([wrong])[0] == pytest.approx(7.0)
    with pytest.raises(DataError, match="nobody says"):
        plain.rate([_said("Another?", "Yes.")])
    assert RubricGold(asks, default=Criteria()).rate([_said("Another?", "Yes.")])[0] > 0
    assert len({json.dumps(each.identity) for each in (plain, facts, RubricGold({}), RubricGold(asks))}) == 3


def test_another_reward_model(tiny_reward_model: Path):
    said = [_said("a", "b"), _said("a", "ccc")]
    gold = load_gold("model", str(tiny_reward_model))
    found = gold.rate(said)
    np.testing.assert_allclose(found, load_scorer(tiny_reward_model).score(said).rewards, atol=1e-6)
    assert found.dtype == np.float64
    assert gold.identity["gold"] == "reward-model"


def test_ratings_of_a_file(tmp_path: Path):
    rows = [
        {"prompt": "a", "response": text, "ratings": {"helpful": rating, "brief": 1}}
        for text, rating in (("x", 4), ("y", 2), ("y", 3))
    ]
    gold = load_gold("ratings", _write(tmp_path / "rated.jsonl", *rows), rating="helpful")
    # Two raters of one text: their mean.
    assert gold.rate([_said("a", "y"), _said("a", "x")]).tolist() == [2.5, 4.0]
    with pytest.raises(DataError, match="without a rating"):
        gold.rate([_said("a", "z")])


def test_labels_on_some_responses(tmp_path: Path):
    source = _write(tmp_path / "pairs.jsonl", {"prompt": "a", "chosen": "x", "rejected": "y"})
    found = load_gold("labels", source).rate([_said("a", "y"), _said("a", "z"), _said("a", "x")])
    np.testing.assert_array_equal(found, [0.0, np.nan, 1.0])


def test_comparisons_become_shares_of_wins():
    responses = tuple((assistant(text),) for text in "xyz")
    pairs = (Pair(0, 1), Pair(0, 2, prob_chosen=0.8), Pair(2, 1, prob_chosen=0.5, tie=True))
    found = label_ratings([Preference((user("a"),), responses, pairs, id="1", group="g", source="s")])
    # x: (1 + .8)/2; y: (0 + .5)/2; z: (.2 + .5)/2.
    wanted = {"x": 0.9, "y": 0.25, "z": 0.35}
    assert {key[-1].content: value for key, value in found.items()} == pytest.approx(wanted)


def test_what_is_no_gold(tmp_path: Path):
    with pytest.raises(SettingsError, match="rubric, model, ratings, labels"):
        load_gold("silver", "x")  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="no criteria"):
        load_gold("rubric", _write(tmp_path / "rows.jsonl", {"prompt": "a"}))


def test_prompts_of_files_of_any_kind(tmp_path: Path):
    turns = [{"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    rows = [
        {"prompt": "a", "chosen": "x", "rejected": "y", "prompt_id": "p"},
        {"messages": turns},
        {"prompt": [{"role": "user", "content": "a"}]},
        {"messages": [*turns, {"role": "user", "content": "d"}]},
    ]
    found = load_prompts(_write(tmp_path / "rows.jsonl", *rows))
    assert found.repeated == 1
    assert [prompt for prompt, _ in found.prompts] == [
        (user("a"),),
        (user("b"),),
        (user("b"), assistant("c"), user("d")),
    ]
    assert found.prompts[0][1] == "p"
    # One opening, one group.
    assert found.prompts[1][1] == found.prompts[2][1]
    for row in ({"text": "a"}, {"prompt": " "}, {"prompt": [turns[1]]}, {"prompt": "a", "tools": ["x"]}):
        with pytest.raises(DataError, match=r"rows\.jsonl:1"):
            load_prompts(_write(tmp_path / "rows.jsonl", row))
