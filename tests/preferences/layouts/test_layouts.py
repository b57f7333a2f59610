"""`layouts.read` as a whole, and the real files beside the project."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.preference import Preference
from rewardsmith.preferences.layouts import read
from rewardsmith.preferences.load import iter_rows
from rewardsmith.preferences.outcome import RawRow, Reason, Rejection
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.preferences.votes import prob_chosen

PLAIN = {"prompt": "q", "chosen": "a", "rejected": "b"}


def real(path: Path, **settings) -> tuple[Counter[str], list[Preference]]:
    """Outcomes by name, and the preferences; every line is accounted for exactly once."""
    source = SourceSettings(path=str(path), **settings)
    counts: Counter[str] = Counter()
    preferences, lines = [], []
    for result in read(iter_rows(source), source):
        if isinstance(result.outcome, Rejection):
            counts[result.outcome.reason] += 1
            lines.append(result.row.line)
        else:
            preferences.append(result.outcome)
            lines.extend(result.outcome.meta.get("lines", [result.row.line]))
    assert sorted(lines) == list(range(1, len(lines) + 1))
    counts["rows"] = len(lines)
    return counts, preferences


def test_strangers_are_unreadable_with_their_columns_named(read_all) -> None:
    results = read_all(*[PLAIN] * 9, {"history": "q", "labels": 1}, None)
    assert [type(result.outcome) for result in results[:9]] == [Preference] * 9
    assert results[9].outcome.reason is Reason.UNREADABLE
    assert results[9].outcome.detail == (
        "columns history, labels do not fit this source's layout, which has chosen, prompt, rejected"
    )
    assert results[10].outcome == Rejection(Reason.UNREADABLE, "not JSON")


def test_a_stranger_after_the_first_rows(read_all) -> None:
    results = read_all(*[PLAIN] * 70, {"chosen": "a", "rejected": "b"})
    assert results[70].outcome.reason is Reason.UNREADABLE


def test_a_named_layout_goes_before_detection(read_all) -> None:
    row = {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}
    assert len(read_all(row)[0].outcome.prompt[0].content) == 1
    assert read_all(row, layout="implicit")[0].outcome.prompt[0].content.startswith("Human:")


def test_bad_names(read_all) -> None:
    with pytest.raises(SettingsError, match="unknown layout 'explicite'; wanted one of explicit, "):
        read_all(PLAIN, layout="explicite")
    with pytest.raises(DataError, match="no row has the columns of layout 'shp'"):
        read_all(*[PLAIN] * 8, layout="shp")
    assert read_all(PLAIN, layout="shp")[0].outcome.reason is Reason.UNREADABLE
    with pytest.raises(DataError, match="no row could be read"):
        read_all(None)
    with pytest.raises(DataError, match="no rows"):
        read_all()


def test_rows_are_not_held_back() -> None:
    taken = []

    def endless():
        for line in range(1, 10**9):
            taken.append(line)
            yield RawRow(dict(PLAIN), "f.jsonl", line)

    results = read(endless(), SourceSettings(path="f.jsonl"))
    assert next(results).row.line == 1
    assert len(taken) <= 64


def test_ids_name_the_file_where_a_source_has_several() -> None:
    rows = [RawRow(PLAIN, "a/x.jsonl", 1), RawRow(PLAIN, "b/x.jsonl", 1)]
    assert [result.outcome.id for result in read(rows, SourceSettings(path="data"))] == [
        "data/a/x.jsonl:1",
        "data/b/x.jsonl:1",
    ]
    hub = [RawRow(PLAIN, "own/set:train", 3)]
    (result,) = read(hub, SourceSettings(path="own/set"))
    assert (result.outcome.id, result.outcome.source) == ("own/set:3", "own/set")


def test_nothing_of_a_row_is_changed(read_all) -> None:
    row = {**PLAIN, "meta": {"k": 1}, "votes": ["chosen"], "margin": None}
    copy = {**row, "meta": dict(row["meta"]), "votes": list(row["votes"])}
    read_all(row)
    assert row == copy


def test_hh_harmless_test_set(shared_data: Path) -> None:
    counts, preferences = real(shared_data / "hh-rlhf-harmless-base-test.jsonl.gz")
    assert counts == {"rows": 2312, Reason.DIFFERENT_PROMPTS: 5, Reason.EMPTY_SIDE: 4, Reason.WRONG_ROLES: 4}
    assert len(preferences) == 2299
    assert all("Assistant:" not in message.content for preference in preferences for message in preference.prompt)


@pytest.mark.parametrize(
    ("file", "rows", "ties", "groups"),
    [
        ("hh-rlhf-harmless-test-pairs", 2298, 0, 2165),
        ("pandalm-human-votes", 865, 87, 153),
        ("qa-feedback-human-pairs", 3000, 384, 500),
        ("autoj-human-pairs", 1296, 317, 1128),
        ("oasst-zh-human-ranked-pairs", 1803, 0, 750),
        ("webgpt-human-pairs", 898, 245, 898),
    ],
)
def test_real_pairs(shared_data: Path, file: str, rows: int, ties: int, groups: int) -> None:
    counts, preferences = real(shared_data / f"{file}.jsonl.gz")
    assert counts == {"rows": rows}
    assert sum(preference.pairs[0].tie for preference in preferences) == ties
    assert len({preference.group for preference in preferences}) == groups


def test_pandalm_votes(shared_data: Path) -> None:
    _, preferences = real(shared_data / "pandalm-human-votes.jsonl.gz")
    assert all(len(preference.votes) == len(preference.raters) == 3 for preference in preferences)
    assert Counter(vote for preference in preferences for vote in preference.votes) == {
        "chosen": 2256,
        "tie": 273,
        "rejected": 66,
    }
    assert all((prob_chosen(p.votes) or 0) > 0.5 for p in preferences if not p.pairs[0].tie)


def test_hh_group_is_the_opening_as_in_the_converted_file(shared_data: Path) -> None:
    """The converted file groups by opening turn too: its 2,165 groups are ours, but for rows that only we keep."""
    _, preferences = real(shared_data / "hh-rlhf-harmless-base-test.jsonl.gz")
    assert 2150 <= len({preference.group for preference in preferences}) <= 2166


def test_rated_files(shared_data: Path) -> None:
    counts, preferences = real(shared_data / "gsm8k-model-solutions.jsonl.gz")
    assert counts["rows"] == 4664
    assert all(pair.margin == 1.0 for preference in preferences for pair in preference.pairs)
    with pytest.raises(SettingsError, match="understandability, naturalness"):
        real(shared_data / "unieval-human-ratings.jsonl.gz")


def test_step_files_are_set_aside(shared_data: Path) -> None:
    counts, _ = real(shared_data / "prm800k-human-steps.jsonl.gz")
    assert counts == {"rows": 998, Reason.STEPWISE: 998}


@pytest.mark.parametrize("file", ["sycophancy-probes", "gsm8k-train-problems"])
def test_files_without_preferences(shared_data: Path, file: str) -> None:
    with pytest.raises(DataError, match="no known layout has these columns"):
        real(shared_data / f"{file}.jsonl.gz")


def test_alpaca_eval_responses(shared_data: Path) -> None:
    counts, preferences = real(
        shared_data / "alpaca-eval-responses.jsonl.gz", rating="alpaca_eval_gpt4:vs_text_davinci_003"
    )
    assert counts["rows"] == 64_119
    assert max(len(preference.responses) for preference in preferences) == 8
    assert all(preference.pairs for preference in preferences)
