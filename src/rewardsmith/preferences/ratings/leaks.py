"""Training ratings whose prompt repeats a held-out one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool

from rewardsmith.preferences.near_duplicates import build_index, search
from rewardsmith.preferences.ratings.rating import Rating
from rewardsmith.preferences.shingles import normalise, prompt_text


def leaks(
    ratings: Sequence[Rating], heldout: Bool[np.ndarray, " rating"], *, similarity: float | None
) -> Iterator[tuple[int, str]]:
    """The training ratings, by number, whose prompt is that of a held-out one, or nearly so, and how near it is.

    Args:
        heldout: The side of each rating.
        similarity: Jaccard similarity of word 3-grams from which on a prompt counts as a repeat; where absent, only
            equal prompts (case, spacing and outer punctuation aside) do.
    """
    sides: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
    for number, (rating, is_heldout) in enumerate(zip(ratings, heldout, strict=True)):
        sides[int(is_heldout)].setdefault(normalise(prompt_text(rating.prompt)), []).append(number)
    train, held = sides
    for text in train.keys() & held.keys():
        yield from ((number, "the same prompt is held out") for number in train[text])
    if similarity is None:
        return
    known, asked = list(held), [text for text in train if text not in held]
    index = build_index(lambda: iter([known]), similarity)
    for place, _, value in search(index, [asked], indexed_text=known.__getitem__):
        yield from ((number, f"similarity {value:.2f} to a held-out prompt") for number in train[asked[place]])
