from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.scoring.families.judge.endpoint import Endpoint

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.models.cache import cache_folder
from rewardsmith.scoring.families.judge.load import keeps_paid_replies, load
from rewardsmith.scoring.families.judge.pairwise import PairwiseJudge
from rewardsmith.scoring.families.judge.pointwise import PointwiseJudge
from rewardsmith.scoring.families.judge.settings import JudgeSettings, LocalBackend, RemoteBackend, parse_judge
from rewardsmith.scoring.families.spec import read_spec, write_spec
from rewardsmith.scoring.options import ScoringOptions

PAIR = [(user("q"), assistant("good")), (user("q"), assistant("bad"))]


def _load(folder: Path, options: ScoringOptions | None = None) -> PairwiseJudge | PointwiseJudge:
    spec = read_spec(folder)
    assert spec is not None
    return load(folder, spec, options or ScoringOptions())


def test_a_remote_judge_from_its_folder(served: Endpoint, tmp_path: Path):
    write_spec(tmp_path / "judge", "judge", {"kind": "pairwise", "backend": {"url": served.url + "/", "model": "m"}})
    judge = _load(tmp_path / "judge", ScoringOptions(cache=tmp_path / "cache"))
    assert isinstance(judge, PairwiseJudge)
    np.testing.assert_array_equal(judge.score(PAIR).rewards, [1, 0])
    again = _load(tmp_path / "judge", ScoringOptions(cache=tmp_path / "cache"))
    np.testing.assert_array_equal(again.score(PAIR).rewards, [1, 0])
    assert (again.usage.requests, again.usage.cached) == (0, 2)
    assert again.provenance == judge.provenance


def test_paid_replies_are_kept_where_no_cache_is_named(
    served: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    write_spec(tmp_path, "judge", {"kind": "pointwise", "backend": {"url": served.url, "model": "m"}})
    for _ in range(2):
        _load(tmp_path).score(PAIR)
    assert len(served.bodies) == 2
    assert len(list((cache_folder() / "judge-replies").rglob("*.json"))) == 2


def test_a_local_judge_lies_beside_its_file(tiny_lm_folder: Path, tmp_path: Path):
    (tmp_path / "lm").symlink_to(tiny_lm_folder)
    write_spec(tmp_path, "judge", {"kind": "pointwise", "backend": {"local": "lm"}})
    judge = _load(tmp_path)
    rewards = judge.score(PAIR).rewards
    assert ((rewards >= 1) & (rewards <= 9)).all()
    assert judge.questioner.settings.reads == "log_odds"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "pairwise"}, "names no model"),
        ({"kind": "pairwise", "backend": {"url": "http://x/v1", "local": "y"}}, "names no model"),
        ({"kind": "pairwise", "backend": {"url": "http://x/v1"}}, "model"),
        ({"kind": "pairwise", "backend": {"url": "ftp://x/v1", "model": "m"}}, "wanted a URL"),
        ({"kind": "pairwise", "backend": {"url": "http://u:p@x/v1", "model": "m"}}, "no user, key"),
        ({"kind": "pairwise", "backend": {"url": "http://x/v1?key=1", "model": "m"}}, "no user, key"),
        ({"kind": "pairwise", "backend": {"url": "http://x/v1", "model": "m", "api_key": "k"}}, "api_key"),
        ({"kind": "pairwise", "backend": {"url": "http://x/v1", "model": "m", "max_cost": 1}}, "prompt_price"),
        ({"kind": "pairwise", "backend": {"url": "http://x/v1", "model": "m"}, "reading": "log_odds"}, "local models"),
        ({"kind": "pointwise", "backend": {"local": "y"}, "scale": [5, 5]}, "must rise"),
        ({"kind": "pointwise", "backend": {"local": "y"}, "rubrik": ""}, "did you mean 'rubric'"),
        ({"kind": "best", "backend": {"local": "y"}}, "kind"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(values: dict[str, Any], said: str):
    with pytest.raises(SettingsError, match=said) as caught:
        parse_judge(values, where="scorer.json")
    assert "scorer.json" in str(caught.value)


def test_a_key_that_is_not_set_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    backend = {"url": "http://127.0.0.1:1/v1", "model": "m", "key_env": "NO_SUCH_KEY"}
    write_spec(tmp_path, "judge", {"kind": "pointwise", "backend": backend})
    with pytest.raises(SettingsError, match="NO_SUCH_KEY"):
        _load(tmp_path)


def test_a_reward_model_is_no_judge(tiny_reward_model: Path, tmp_path: Path):
    write_spec(tmp_path, "judge", {"kind": "pointwise", "backend": {"local": str(tiny_reward_model)}})
    with pytest.raises(ModelError):
        _load(tmp_path)


def test_only_an_endpoint_keeps_its_replies_by_itself(tmp_path: Path):
    write_spec(tmp_path / "a", "judge", {"kind": "pointwise", "backend": {"url": "http://x/v1", "model": "m"}})
    write_spec(tmp_path / "b", "judge", {"kind": "pointwise", "backend": {"local": "y"}})
    write_spec(tmp_path / "c", "ensemble", {"backend": {"url": "http://x/v1"}})
    assert [keeps_paid_replies(tmp_path / name) for name in "abcd"] == [True, False, False, False]


def test_settings_survive_the_file(tmp_path: Path):
    settings = parse_judge(
        {"kind": "pointwise", "backend": {"local": "y", "precision": "bf16"}, "scale": [1, 5]}, where="test"
    )
    write_spec(tmp_path, "judge", settings.model_dump(mode="json"))
    values = json.loads((tmp_path / "scorer.json").read_text())
    assert parse_judge({key: value for key, value in values.items() if key != "family"}, where="test") == settings


@pytest.mark.parametrize("kind", [JudgeSettings, RemoteBackend, LocalBackend])
def test_every_key_is_in_the_page_with_its_meaning(kind: type[JudgeSettings | RemoteBackend | LocalBackend]):
    page = (Path(__file__).parents[4] / "docs" / "families" / "judge.md").read_text()
    for name, field in kind.model_fields.items():
        assert field.description
        assert any(
            line.startswith(f"| `{name}` |") and " ".join(field.description.split()) in line
            for line in page.splitlines()
        ), name
