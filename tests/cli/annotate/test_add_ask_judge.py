"""`annotate add`, `ask` and `judge`, as a user calls them one after the other."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.scoring.families.judge.endpoint import Endpoint, endpoint, fair

from rewardsmith.annotate.answers import PairAnswer
from rewardsmith.annotate.store import open_store
from rewardsmith.annotate.votes import NewVote


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "labels.sqlite"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [
        {"id": f"p{n}", "prompt": f"question {n}?", "chosen": f"good good {n}", "rejected": f"bad {'x' * n}"}
        for n in range(6)
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"prompt": "q", "chosen": "a", "rejected": "a"}]))
    return path


@pytest.fixture
def project(cli: Callable, db: Path, pairs: Path) -> str:
    assert cli("annotate", "create", "demo", "--db", db).code == 0
    added = cli("annotate", "add", "demo", pairs, "--db", db, "--json")
    assert added.code == 0, added.err
    told = json.loads(added.out)
    assert (told["new"], told["known"], told["gold"], list(told["read"].values())) == (6, 0, 0, ["explicit"])
    assert [(each["reason"], each["count"]) for each in told["left"]] == [("identical-responses", 1)]
    return "demo"


def test_added_twice_nothing_is_new_and_what_is_left_out_is_told(cli: Callable, db: Path, pairs: Path, project: str):
    again = cli("annotate", "add", project, pairs, "--db", db)
    assert again.code == 0
    assert "0 new tasks in demo, 6 known before" in again.out
    assert "identical-responses" in again.out
    assert "pairs.jsonl:7" in again.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing.jsonl"], 3, "no such file"),
        (["{pairs}", "--set", "gould=true"], 2, "did you mean 'gold'"),
        (["{pairs}", "--from", "traffic"], 3, "no line of a traffic log"),
    ],
)
def test_what_cannot_be_added_is_said_and_changes_nothing(
    cli: Callable, db: Path, pairs: Path, project: str, arguments: list[str], code: int, said: str
):
    outcome = cli("annotate", "add", project, *[each.format(pairs=pairs) for each in arguments], "--db", db)
    assert (outcome.code, len(outcome.err.strip().splitlines())) == (code, 1)
    assert said in outcome.err
    with contextlib.closing(open_store(db)) as store:
        assert len(store.tasks(project)) == 6


def test_a_project_that_is_not_there_is_said(cli: Callable, db: Path, pairs: Path):
    outcome = cli("annotate", "add", "nowhere", pairs, "--db", db)
    assert outcome.code == 3
    assert "no such project" in outcome.err


def test_a_model_says_what_is_asked_next(cli: Callable, db: Path, project: str, tiny_reward_model: Path):
    from rewardsmith.scoring.load import load_scorer

    told = cli("annotate", "ask", project, "--db", db, "--model", tiny_reward_model, "--by", "margin", "--json")
    assert told.code == 0, told.err
    asked = json.loads(told.out)
    assert (asked["asked"], sum(region["n_tasks"] for region in asked["coverage"])) == (6, 6)
    with contextlib.closing(open_store(db)) as store:
        tasks = store.tasks(project)
        rater = store.add_rater(project, "Ada")
        offer = store.next_task(project, rater.id)
    # The tasks stand in the order of what the model itself says of their pairs.
    scorer = load_scorer(tiny_reward_model)
    margins = {}
    for task in tasks:
        first, second = scorer.score([task.conversation(0), task.conversation(1)]).rewards
        margins[task.id] = abs(float(first - second))
    assert asked["next"][0]["task"] == min(margins, key=margins.__getitem__)
    assert offer is not None
    assert offer.task.id == asked["next"][0]["task"]
    assert offer.task.why == asked["next"][0]["why"]


def test_without_a_model_tasks_that_cover_the_prompts_come_first(cli: Callable, db: Path, project: str):
    table = cli("annotate", "ask", project, "--db", db, "--by", "diversity")
    assert table.code == 0, table.err
    assert "The first of 6 tasks, by diversity" in table.out
    assert "Regions of prompts" in table.out
    refused = cli("annotate", "ask", project, "--db", db, "--by", "disagreement")
    assert refused.code == 2
    assert "at least two models" in refused.err


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    with endpoint(fair) as running:
        yield running


def test_a_judge_votes_beside_people_and_its_votes_say_so(
    cli: Callable, db: Path, project: str, tmp_path: Path, served: Endpoint
):
    folder = tmp_path / "fair"
    made = cli("judge", "--kind", "pairwise", "--base-url", served.url, "--model", "m", "--out", folder)
    assert made.code == 0, made.err
    with contextlib.closing(open_store(db)) as store:
        ada = store.add_rater(project, "Ada").id
        for side in ("first", "second"):
            offer = store.next_task(project, ada)
            assert offer is not None
            store.cast(project, NewVote(f"vote-{side}", offer.task.id, ada, PairAnswer(side)))
    two = cli("annotate", "judge", project, folder, "--db", db, "--most", 2, "--json")
    assert two.code == 0, two.err
    told = json.loads(two.out)
    # The answers that say `good` stand first: the judge agrees with one of Ada's two votes, on the tasks of hers.
    assert (told["votes"], told["skips"], told["left"], told["consistent"]) == (2, 0, 0, 1.0)
    assert (told["others"]["value"], told["others"]["n"]) == (0.5, 2)
    assert told["rater"].startswith("fair-")
    rest = cli("annotate", "judge", project, folder, "--db", db)
    assert rest.code == 0, rest.err
    assert "4 (0 skipped" in rest.out
    assert len(served.bodies) == 12
    assert json.loads(cli("annotate", "judge", project, folder, "--db", db, "--json").out)["votes"] == 0
    with contextlib.closing(open_store(db)) as store:
        judged = store.votes(project, origin="judge")
        assert len(judged) == 6
        assert all(vote.answer == PairAnswer("first") for vote in judged)
        # A person is still offered what the judge has voted on.
        assert store.next_task(project, store.add_rater(project, "Ben").id) is not None


def test_what_is_no_judge_and_a_name_that_a_person_has_are_refused(
    cli: Callable, db: Path, project: str, tiny_reward_model: Path, tmp_path: Path, served: Endpoint
):
    outcome = cli("annotate", "judge", project, tiny_reward_model, "--db", db)
    assert (outcome.code, "not a judge" in outcome.err) == (4, True)
    folder = tmp_path / "fair"
    cli("judge", "--kind", "pairwise", "--base-url", served.url, "--model", "m", "--out", folder)
    with contextlib.closing(open_store(db)) as store:
        store.add_rater(project, "Ada")
    outcome = cli("annotate", "judge", project, folder, "--db", db, "--name", "Ada")
    assert (outcome.code, "a person has that name" in outcome.err) == (2, True)
    assert served.bodies == []
