"""What the audit command looks at beside the probes, on real files and a small real model."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.audit.planted import many

from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.pipeline.evaluate import Pairs
from rewardsmith.pipeline.further_parts import NOTHING_FURTHER, Further, further_parts
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.load import load_scorer

PAIRS = Pairs(many(24), train=many(8, start=50))


def lines(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def ask(further: Further, model: Path, **source: str):
    scorer = load_scorer(model, overlength="truncate")
    return further_parts(further, model=model, scorer=scorer, pairs=PAIRS, source=source)


def test_nothing_is_asked_for_by_default(tiny_reward_model):
    assert ask(NOTHING_FURTHER, tiny_reward_model) == []


def test_each_is_read_from_its_file(tiny_reward_model, tmp_path):
    rated = [
        {"prompt": f"p{prompt}", "response": f"r{number} " * number, "ratings": {"a": number, "b": -number}}
        for prompt in range(5)
        for number in range(1, 6)
    ]
    pairs = [{"prompt": f"q{number}", "chosen": f"yes {number}", "rejected": f"no {number}"} for number in range(10)]
    asked = Further(
        pressure=lines(tmp_path / "rated.jsonl", rated),
        fresh=lines(tmp_path / "fresh.jsonl", pairs),
        policy=str(tiny_reward_model),
    )
    found = {part.name: part for part in ask(asked, tiny_reward_model, rating="b")}
    assert list(found) == ["pressure", "shift", "lineage"]
    assert found["pressure"].data.rating == "b"
    assert found["pressure"].data.groups == 5
    assert found["shift"].data.fresh.n == 10
    assert found["shift"].data.distance.train == 16
    assert found["lineage"].findings[0].severity == "info"


def test_pairs_under_pressure_are_refused(tiny_reward_model, tmp_path):
    path = lines(tmp_path / "pairs.jsonl", [{"prompt": "q", "chosen": "yes", "rejected": "no"}])
    with pytest.raises(DataError, match="no rated candidates"):
        ask(Further(pressure=path), tiny_reward_model)


def test_what_belongs_to_a_search_is_refused_without_one(tiny_reward_model):
    with pytest.raises(SettingsError, match="--search"):
        Further(transfer=str(tiny_reward_model))
    with pytest.raises(SettingsError, match="--search"):
        Further(search_texts=1000)
    with pytest.raises(SettingsError, match="at least 600"):
        Further(search=True, search_texts=599)


def test_a_search_that_was_stopped_goes_on_where_it_was(tiny_reward_model, tmp_path):
    asked = Further(search=True, search_texts=700)

    def search(folder: str, tell: Callable[[str], object]):
        scorer = load_scorer(tiny_reward_model, overlength="truncate", cache=tmp_path / folder)
        assert isinstance(scorer, FastScorer)
        with contextlib.suppress(KeyboardInterrupt):
            (part,) = further_parts(asked, model=tiny_reward_model, scorer=scorer, pairs=PAIRS, source={}, tell=tell)
            return part, scorer.statistics
        return None, scorer.statistics

    told: list[str] = []
    whole, once = search("whole", told.append)
    assert whole is not None
    # Each look says what was spent before it: nothing at first, and never more than was allowed.
    spent = [int(re.findall(r"([0-9,]+) of 700 texts", line)[0].replace(",", "")) for line in told]
    assert spent[0] == 0
    assert spent == sorted(spent)
    assert spent[-1] < whole.data.texts <= 700

    def stop(line: str) -> None:
        if not line.endswith("; 0 of 700 texts so far"):
            raise KeyboardInterrupt

    stopped, before = search("stopped", stop)
    assert stopped is None
    assert before.computed > 0
    resumed, after = search("stopped", lambda _: None)
    assert resumed is not None
    assert resumed.data == whole.data
    assert before.computed + after.computed == once.computed
