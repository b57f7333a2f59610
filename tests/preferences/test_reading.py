"""The reader's running counts."""

from __future__ import annotations

from rewardsmith.core.preference import Preference
from rewardsmith.preferences.outcome import Rejection
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.settings import DataSettings, SourceSettings


def test_rows_outcomes_and_sources(write_rows):
    pairs = [{"prompt": f"q{n}", "chosen": "a", "rejected": "" if n == 2 else "b"} for n in range(4)]
    rated = [
        {"prompt_id": f"p{n // 3}", "prompt": f"p{n // 3}", "response": f"r{n % 3}", "ratings": {"good": n % 3}}
        for n in range(6)
    ]
    first, second = write_rows(pairs, "pairs.jsonl"), write_rows(rated, "rated.jsonl")
    sources = (SourceSettings(path=first), SourceSettings(path=second, name="ratings"))
    reader = Reader(DataSettings(sources=sources))
    judged = list(reader)
    assert reader.rows == 10
    assert dict(reader.read) == {first: 4, "ratings": 2}
    assert [type(each.outcome) for each in judged] == [Preference] * 2 + [Rejection] + [Preference] * 3
    assert judged[2].place == "pairs.jsonl:3"
    assert judged[-1].source == "ratings"


def test_what_went_out_of_kept_preferences_is_counted(make_preference, write_rows):
    # Ranks 1, 2, 2 make three pairs, one of them a tie, which goes; its responses stay, in the other two.
    ranking = {"prompt": "q", "responses": ["a", "b", "c"], "ranks": [1, 2, 2]}
    reader = Reader(DataSettings(sources=(SourceSettings(path=write_rows([ranking])),)))
    (judged,) = list(reader)
    assert isinstance(judged.outcome, Preference)
    assert judged.outcome.pairs == make_preference("q", "a", "b", "c").pairs
    assert (reader.merged_responses, reader.dropped_pairs) == (0, 1)
