"""Two responses and an index."""

from __future__ import annotations

import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.outcome import Reason

SHP = {
    "post_id": "qt3nxl",
    "domain": "askculinary_train",
    "upvote_ratio": 0.94,
    "history": "How do I peel garlic?",
    "c_root_id_A": "h1",
    "c_root_id_B": "h2",
    "created_at_utc_A": 1636822112,
    "created_at_utc_B": 1636822110,
    "score_A": 340,
    "score_B": 166,
    "human_ref_A": "Shake it.",
    "human_ref_B": "Slowly.",
    "labels": 1,
    "seconds_difference": 2.0,
    "score_ratio": 2.048,
}
SUMMARY = {
    "info": {"id": "t3_1", "post": "My cat left.", "title": "Cat", "subreddit": "cats", "site": None, "article": None},
    "summaries": [
        {"text": " A cat left.", "policy": "sup4", "note": "ok"},
        {"text": " Dogs.", "policy": "ref", "note": None},
    ],
    "choice": 1,
    "worker": "w1",
    "batch": "batch3",
    "split": "train",
    "extra": {"confidence": 7},
}


def test_shp_label_1_prefers_a(read_all) -> None:
    first, second = (result.outcome for result in read_all(SHP, SHP | {"labels": 0}))
    assert first.prompt == (user("How do I peel garlic?"),)
    assert first.responses == ((assistant("Shake it."),), (assistant("Slowly."),))
    assert second.responses == ((assistant("Slowly."),), (assistant("Shake it."),))
    assert first.pairs == second.pairs == (Pair(0, 1),)
    assert first.meta["score_ratio"] == 2.048
    assert first.group == second.group


def test_summaries(read_all) -> None:
    outcome = read_all(SUMMARY)[0].outcome
    assert outcome.prompt == (user("SUBREDDIT: r/cats\n\nTITLE: Cat\n\nPOST: My cat left.\n\nTL;DR:"),)
    assert outcome.responses == ((assistant("Dogs."),), (assistant("A cat left."),))
    assert outcome.meta["policies"] == ["ref", "sup4"]
    assert outcome.meta["post"] == "t3_1"
    assert outcome.meta["extra"] == {"confidence": 7}


def test_summaries_of_articles(read_all) -> None:
    info = {"id": "x", "post": None, "title": None, "subreddit": None, "site": "cnn", "article": "News."}
    assert read_all(SUMMARY | {"info": info})[0].outcome.prompt == (user("News.\n\nTL;DR:"),)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SHP | {"labels": 2}, Reason.WRONG_TYPE),
        (SHP | {"labels": None}, Reason.WRONG_TYPE),
        (SHP | {"human_ref_B": ""}, Reason.EMPTY_SIDE),
        (SUMMARY | {"choice": -1}, Reason.WRONG_TYPE),
        (SUMMARY | {"summaries": SUMMARY["summaries"][:1]}, Reason.WRONG_TYPE),
        (SUMMARY | {"info": {"post": ""}}, Reason.EMPTY_SIDE),
        (SUMMARY | {"info": "post"}, Reason.WRONG_TYPE),
    ],
)
def test_rejections(read_all, row, reason) -> None:
    assert read_all(row)[0].outcome.reason is reason
