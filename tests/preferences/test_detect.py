"""Detection of the layout."""

from __future__ import annotations

import pytest

from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.preferences.detect import detect, not_this_layout, unknown_layout
from rewardsmith.preferences.layouts import LAYOUTS

SHAPES = {name: layout.shape for name, layout in LAYOUTS.items()}
TURN = {"role": "assistant", "content": "x"}
TRANSCRIPT = "\n\nHuman: q\n\nAssistant: a"

CASES = {
    "pair": {"prompt": "q", "chosen": "a", "rejected": "b", "label": "tie"},
    "chosen-lists": {"prompt": "q", "chosen": ["a"], "rejected": ["b"], "subset": "Ties"},
    "explicit": {"prompt": "q", "chosen": [TURN], "rejected": [TURN]},
    "transcripts": {"chosen": TRANSCRIPT, "rejected": TRANSCRIPT},
    "implicit": {"chosen": "q a", "rejected": "q b"},
    "ranked": {"prompt": "q", "responses": ["a", "b"]},
    "helpsteer": {
        "prompt": "q",
        "response": "a",
        "helpfulness": 4,
        "correctness": 4,
        "coherence": 4,
        "complexity": 1,
        "verbosity": 1,
    },
    "rated": {"prompt": "q", "response": "a", "ratings": {"x": 1}},
    "ultrafeedback": {"instruction": "q", "completions": []},
    "summaries": {"info": {}, "summaries": [], "choice": 0},
    "shp": {"history": "q", "human_ref_A": "a", "human_ref_B": "b", "labels": 1},
    "stepwise": {"prompt": "q", "completions": ["a"], "labels": [True]},
    "steps": {"problem": "q", "steps": ["a"], "labels": [1]},
    "math-shepherd": {"input": "q", "label": "q", "task": "MATH"},
    "prm800k": {"labeler": "x", "question": {}, "label": {}},
    "unpaired": {"prompt": "q", "completion": "a", "label": True},
}


def test_every_layout_has_a_case() -> None:
    assert set(CASES) == set(LAYOUTS)


@pytest.mark.parametrize("name", CASES)
def test_found_from_the_columns(name: str) -> None:
    assert detect([CASES[name]], SHAPES, where="f") == name


def test_a_misspelt_column_names_the_nearest_layouts() -> None:
    with pytest.raises(DataError) as caught:
        detect([{"prompt": "q", "choosen": "a", "rejected": "b"}], SHAPES, where="f.jsonl")
    message = str(caught.value)
    assert message.startswith("f.jsonl: no known layout has these columns")
    assert "explicit: chosen, prompt, rejected" in message
    assert "got columns choosen, prompt, rejected" in message
    assert "\n" not in message


def test_mixed_layouts_are_named_with_their_counts() -> None:
    rows = [CASES["explicit"]] * 6 + [CASES["shp"]] * 4
    with pytest.raises(DataError, match=r"explicit \(6 of the first 10 rows\), shp \(4 of"):
        detect(rows, SHAPES, where="f")


def test_a_few_strangers_do_not_make_a_source_mixed() -> None:
    assert detect([CASES["explicit"]] * 9 + [CASES["shp"]], SHAPES, where="f") == "explicit"


def test_pairs_with_and_without_a_label_are_one_layout() -> None:
    assert detect([CASES["pair"], CASES["explicit"], CASES["explicit"]], SHAPES, where="f") == "explicit"


def test_an_unknown_layout_lists_the_valid_ones_nearest_first() -> None:
    error = unknown_layout("ranke", SHAPES, where="f")
    assert isinstance(error, SettingsError)
    assert "wanted one of ranked, " in str(error)


def test_a_named_layout_that_does_not_fit() -> None:
    error = not_this_layout("shp", [CASES["rated"]], SHAPES, where="f")
    assert "no row has the columns of layout 'shp'" in str(error)
    assert "got columns prompt, ratings, response" in str(error)
