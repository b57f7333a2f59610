"""Rows in pieces: the same lines as without pieces, each computed once, and nothing trusted that has changed."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ArtefactError, DataError, OverlengthError
from rewardsmith.pipeline.score import Asked, read_asked, scored_lines
from rewardsmith.pipeline.shards import Shard, join_shards, read_receipt, score_shard, write_shards
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.load import load_scorer

ANSWERS = ("4", "5", "four", "a long answer", "no")


def _rows() -> list[RawRow]:
    return [
        RawRow({"id": f"r{n}", "prompt": "2+2?", "responses": [text, "?"]}, "rows.jsonl", n + 1)
        for n, text in enumerate(ANSWERS)
    ]


@pytest.fixture(scope="module")
def scorer(tiny_reward_model: Path) -> FastScorer:
    loaded = load_scorer(tiny_reward_model, device="cpu")
    assert isinstance(loaded, FastScorer)
    return loaded


def _written(work: Path, rows: list[RawRow]) -> list[Shard]:
    return write_shards(work, read_asked(rows), max_rows=2, keeps_prompts=False)


def _values(lines: bytes) -> list[Any]:
    return [json.loads(line) for line in lines.splitlines()]


def test_shards_joined_are_what_scoring_without_them_gives(scorer: FastScorer, tmp_path: Path) -> None:
    shards = _written(tmp_path / "work", _rows())
    assert [len(shard.asked.read_bytes().splitlines()) for shard in shards] == [2, 2, 1]
    assert [score_shard(scorer, shard, overlength="raise") for shard in reversed(shards)] == [False] * 3
    receipts = join_shards(shards, tmp_path / "out.jsonl")
    assert [receipt.rows for receipt in receipts] == [2, 2, 1]
    whole = b"".join(scored_lines(scorer, _rows()))
    assert _values((tmp_path / "out.jsonl").read_bytes()) == _values(whole)


def test_what_is_done_is_not_done_again(scorer: FastScorer, tmp_path: Path) -> None:
    first, second, _ = _written(tmp_path, _rows())
    assert not score_shard(scorer, first, overlength="raise")
    asked = scorer.statistics.texts
    assert score_shard(scorer, first, overlength="raise")
    assert scorer.statistics.texts == asked
    assert read_receipt(second) is None
    # Cut again: the same rows are the same shards.
    assert score_shard(scorer, _written(tmp_path, _rows())[0], overlength="raise")


@pytest.mark.parametrize("change", ["rows", "rule", "results", "receipt", "torn receipt", "weights"])
def test_what_no_longer_holds_is_done_again(
    change: str, scorer: FastScorer, tiny: Any, tmp_path: Path, tiny_reward_model: Path
) -> None:
    shard = _written(tmp_path / "work", _rows())[0]
    score_shard(scorer, shard, overlength="raise")
    wanted = shard.scores.read_bytes()
    match change:
        case "rows":
            values = dict(_rows()[0].values or {})
            shard = _written(tmp_path / "work", [RawRow(values | {"prompt": "3+3?"}, "rows.jsonl", 1), *_rows()[1:]])[0]
        case "rule":
            assert not score_shard(scorer, shard, overlength="truncate")
        case "results":
            shard.scores.write_bytes(wanted[:-5])
        case "receipt":
            shard.done.unlink()
        case "torn receipt":
            shard.done.write_text(shard.done.read_text()[:-9])
        case _:
            folder = tmp_path / "other"
            shutil.copytree(tiny_reward_model, folder)
            from rewardsmith.models import checkpoint
            from rewardsmith.models.reward_model import RewardModel
            from rewardsmith.text.load import prepared

            checkpoint.save(
                RewardModel(tiny.llama(hidden_size=16)), prepared(tiny.decoder_tokenizer()), folder, max_tokens=200
            )
            scorer = load_scorer(folder, device="cpu")  # type: ignore[assignment]
    assert not score_shard(scorer, shard, overlength="raise")
    assert (shard.scores.read_bytes() == wanted) == (change not in ("rows", "weights"))
    assert score_shard(scorer, shard, overlength="raise")


def test_nothing_is_joined_that_is_not_whole(scorer: FastScorer, tmp_path: Path) -> None:
    shards, out = _written(tmp_path / "work", _rows()), tmp_path / "out.jsonl"
    for shard in shards[:2]:
        score_shard(scorer, shard, overlength="raise")
    with pytest.raises(ArtefactError, match="not done"):
        join_shards(shards, out)
    score_shard(scorer, shards[2], overlength="truncate")
    with pytest.raises(ArtefactError, match="model changed"):
        join_shards(shards, out)
    score_shard(scorer, shards[2], overlength="raise")
    shards[1].scores.write_bytes(b"{}\n{}\n")
    with pytest.raises(ArtefactError, match="results have changed"):
        join_shards(shards, out)
    assert not out.exists()


def test_an_overlong_row_is_named_and_leaves_no_receipt(scorer: FastScorer, tmp_path: Path) -> None:
    shard = _written(tmp_path, [_rows()[0], RawRow({"prompt": "p", "response": "x" * 300}, "rows.jsonl", 7)])[0]
    with pytest.raises(OverlengthError, match=r"rows\.jsonl:7: .*--truncate"):
        score_shard(scorer, shard, overlength="raise")
    assert (shard.scores.exists(), shard.done.exists()) == (False, False)


def test_a_bad_row_is_named_before_anything_is_scored(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl:9"):
        _written(tmp_path, [*_rows(), RawRow({"prompt": "no response"}, "rows.jsonl", 9)])
    with pytest.raises(DataError, match=r"rows\.jsonl:3: the row cannot be written as JSON"):
        _written(tmp_path, [RawRow({"id": 1 << 70, "prompt": "p", "response": "r"}, "rows.jsonl", 3)])


PROMPTS = st.lists(st.sampled_from("abc"), max_size=30)
IDS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(prompts=PROMPTS, max_rows=st.integers(1, 7), keeps=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_in_one_shard_in_order(prompts: list[str], max_rows: int, keeps: bool, tmp_path: Path) -> None:
    rows = [Asked(n, "f", {"reward": (user(text), assistant(str(n)))}) for n, text in enumerate(prompts)]
    shards = write_shards(tmp_path, rows, max_rows=max_rows, keeps_prompts=keeps)
    pieces = [[orjson.loads(line) for line in shard.asked.read_bytes().splitlines()] for shard in shards]
    assert [row["id"] for piece in pieces for row in piece] == list(range(len(prompts)))
    assert all(len(piece) >= max_rows for piece in pieces[:-1])
    said = [[row["conversations"]["reward"][0][1] for row in piece] for piece in pieces]
    if keeps:
        assert all(one[-1] != other[0] for one, other in pairwise(said))
    else:
        assert all(len(piece) <= max_rows for piece in pieces)


@given(value=IDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_id_comes_out_as_it_does_without_shards(value: Any, scorer: FastScorer, tmp_path: Path) -> None:
    row = RawRow({"id": value, "prompt": "2+2?", "response": "4"}, "rows.jsonl", 1)
    (shard,) = _written(tmp_path, [row])
    score_shard(scorer, shard, overlength="raise")
    assert shard.scores.read_bytes() == b"".join(scored_lines(scorer, [row]))
