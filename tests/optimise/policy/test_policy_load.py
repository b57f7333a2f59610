"""What a name says about a policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rewardsmith.core.conversation import user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.optimise.policy.candidates import CandidatePolicy
from rewardsmith.optimise.policy.endpoint import EndpointPolicy
from rewardsmith.optimise.policy.load import iter_candidates, load_policy
from rewardsmith.optimise.policy.local import LocalPolicy
from rewardsmith.optimise.sample_store import group_line


def _write(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_candidates_in_each_form(tmp_path: Path):
    rows = [
        {"prompt": "one", "responses": ["a", "b"], "prompt_id": "p1"},
        {"prompt": "two", "response": "c"},
        {"messages": [{"role": "user", "content": "two"}, {"role": "assistant", "content": "d"}]},
        {"prompt": "one", "chosen": "e", "rejected": "f"},
    ]
    policy = load_policy(_write(tmp_path / "rows.jsonl", *rows))
    assert isinstance(policy, CandidatePolicy)
    found = list(policy.sample(policy.prompts, n=9, seed=0))
    assert [[sample.text for sample in group.samples] for group in found] == [["a", "b", "e", "f"], ["c", "d"]]
    assert found[0].group == "p1"
    (tmp_path / "samples.jsonl").write_bytes(b"".join(map(group_line, found)))
    assert list(iter_candidates(str(tmp_path / "samples.jsonl"))) == found


def test_rows_that_are_none_are_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"rows\.jsonl:2"):
        load_policy(_write(tmp_path / "rows.jsonl", {"prompt": "a", "response": "b"}, {"prompt": "a"}))
    with pytest.raises(DataError, match="no such file"):
        load_policy(str(tmp_path / "none.jsonl"))


def test_models_and_addresses(tiny: Any, tmp_path: Path):
    base = tiny.save_base(tmp_path / "base", "decoder")
    policy = load_policy(base, reference=base)
    assert isinstance(policy, LocalPolicy)
    assert policy.reference is policy.model
    assert len(next(policy.sample([((user("a"),), "g")], n=2, seed=0))) == 2
    assert isinstance(load_policy("http://127.0.0.1:9/v1#small"), EndpointPolicy)
    with pytest.raises(SettingsError, match="not named"):
        load_policy("http://127.0.0.1:9/v1")
    with pytest.raises(SettingsError, match="reference"):
        load_policy("http://127.0.0.1:9/v1#small", reference=base)
    with pytest.raises(SettingsError, match="key_env"):
        load_policy(base, key_env="KEY")
