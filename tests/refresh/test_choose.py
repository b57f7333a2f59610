"""Which pairs are asked about, and why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.optimise.samples import Sample, SampleGroup
from rewardsmith.refresh.choose import LOT, choose
from rewardsmith.refresh.pool import Pool, Reading, features_of, pool_of, read_pool
from rewardsmith.refresh.settings import ChooseSettings


def pool(n: int) -> Pool:
    return Pool((), np.arange(2 * n).reshape(n, 2), tuple(f"g{number}" for number in range(n)))


def reading(margins: list[float], members: np.ndarray | None = None, features: np.ndarray | None = None) -> Reading:
    rewards = np.column_stack([margins, np.zeros(len(margins))])
    full = None if members is None else np.stack([members, np.zeros_like(members)], axis=2)
    return Reading(rewards, full, features)


def chosen(settings: ChooseSettings, some: Reading, *, known: np.ndarray | None = None) -> list[int]:
    return [one.pair for one in choose(pool(len(some.rewards)), some, settings, known=known, seed=0)]


def test_the_smallest_margin_comes_first_and_says_why():
    some = reading([3.0, -0.5, 2.0, 1.0])
    found = choose(pool(4), some, ChooseSettings(pairs=2, by="margin", lot_share=0), known=None, seed=0)
    assert [one.pair for one in found] == [1, 3]
    assert [one.value for one in found] == [-0.5, -1.0]
    # Of four pairs, three have a larger margin: the share that comes later.
    assert found[0].why == "The model can hardly tell: its rewards differ by 0.50, less than for 75% of the pairs."


def test_disagreement_needs_members_and_finds_the_contradicted_pair():
    members = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0]])
    settings = ChooseSettings(pairs=1, by="disagreement", lot_share=0)
    assert chosen(settings, reading([1.0, 0.0, 1.0], members)) == [1]
    with pytest.raises(SettingsError, match="disagreement"):
        chosen(settings, reading([1.0, 0.0, 1.0]))


def test_distance_and_diversity_keep_away_from_what_is_known():
    features = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 3.0], [5.0, 0.1]])
    known = np.array([[0.0, 0.1]])
    some = reading([1.0] * 4, features=features)
    far = ChooseSettings(pairs=2, by="distance", lot_share=0, closeness=0.9)
    # The second farthest lies beside the farthest, and is passed over for another direction.
    assert chosen(far, some, known=known) == [1, 2]
    found = choose(pool(4), some, ChooseSettings(pairs=2, by="diversity", lot_share=0), known=known, seed=0)
    assert [one.pair for one in found] == [1, 2]
    # From (0, .1) to (5, 0): √25.01; from (0, 3) to (0, .1): 2.9.
    assert [one.value for one in found] == pytest.approx([25.01**0.5, 2.9])
    with pytest.raises(SettingsError, match="features"):
        chosen(ChooseSettings(pairs=2, by="diversity"), reading([1.0] * 4), known=known)


def test_mixed_takes_what_there_is_and_refuses_weights_of_what_is_not():
    members = np.array([[2.0, 1.0, 1.0], [2.0, -1.0, 1.0]])
    some = reading([2.0, 0.0, 1.0], members)
    found = choose(pool(3), some, ChooseSettings(pairs=1, lot_share=0), known=None, seed=0)
    # First in both parts: ranks 1 and 1.
    assert [(one.pair, one.value, one.by) for one in found] == [(1, 1.0, "mixed")]
    with pytest.raises(SettingsError, match="distance"):
        chosen(ChooseSettings(pairs=1, weights={"distance": 1.0}), some)
    with pytest.raises(ValueError, match="mixed"):
        ChooseSettings(by="margin", weights={"margin": 1.0})


@given(st.integers(2, 40), st.integers(1, 50), st.floats(0, 1))
def test_as_many_as_asked_none_twice_and_the_lots_share(n: int, wanted: int, share: float):
    some = reading(np.random.default_rng(n).normal(size=n).tolist())
    found = choose(pool(n), some, ChooseSettings(pairs=wanted, by="margin", lot_share=share), known=None, seed=1)
    assert len(found) == len({one.pair for one in found}) == min(n, wanted)
    assert sum(one.by == LOT for one in found) == round(share * len(found))


def test_pairs_without_a_reward_are_never_asked_about():
    some = reading([1.0, float("nan"), 2.0])
    assert sorted(chosen(ChooseSettings(pairs=3, by="random"), some)) == [0, 2]


class Length:
    """Rewards the length, and shows it."""

    def score(self, conversations):
        return Scores(self.features(conversations)[:, 0], Provenance("m", "t"))

    def features(self, conversations):
        return np.array([[len(each[-1].content), 1.0] for each in conversations], dtype=np.float32)


def test_a_pool_draws_pairs_of_one_prompt_and_reads_them_whichever_way_round():
    texts = ("a", "bb", "cccc")
    groups = [SampleGroup((user(f"p{number}"),), f"g{number}", tuple(map(Sample, texts))) for number in range(20)]
    found = pool_of(groups, per_prompt=2, most=30, seed=0)
    assert len(found) == 30
    assert len(set(found.groups)) <= 20
    sides = [[found.conversations[side] for side in pair] for pair in found.pairs.tolist()]
    assert all(one[:-1] == other[:-1] and one != other for one, other in sides)
    assert {len(one[-1].content) > len(other[-1].content) for one, other in sides} == {True, False}
    read = read_pool(found, Length(), with_features=True)
    assert read.features is not None
    # Longer less shorter, whichever stands first.
    assert read.features[:, 0] == pytest.approx(np.abs(read.margin))
    assert (read.features[:, 1] == 0).all()
    assert pool_of(groups[:1], per_prompt=9, most=99, seed=0).pairs.shape == (3, 2)
    assert len(pool_of([SampleGroup((user("p"),), "g", (Sample("a"), Sample("a")))], per_prompt=1, most=9, seed=0)) == 0


def test_features_of_an_ensemble_are_its_first_members():
    class Several:
        members = (object(), Length())

        def score(self, conversations):
            return Length().score(conversations)

    asked = [(user("p"), assistant("abc"))]
    assert features_of(Several(), asked).tolist() == [[3.0, 1.0]]
