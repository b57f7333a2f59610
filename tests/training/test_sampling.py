"""Hard sampling: what an epoch draws, where it knows it from, and that an interruption changes nothing."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from tests.training.test_resume import assert_same_run, interrupted, lines, trained
from tests.training.toy import toy_table, toy_trainer

from rewardsmith.training import checkpoint
from rewardsmith.training.sampling import HardSampling
from rewardsmith.training.schedule import Cut, DeviceSteps, near_order

HARD = {"sampling": "hard", "sampling_temperature": 0.5}


def test_a_draw_goes_by_the_weights():
    # e^0 : e^−1 : e^−2 with a temperature of 2; the same for 0, 2, 4 as for 10, 12, 14.
    sizes = np.tile(np.array([0.0, 2.0, 4.0], np.float32), 4000)
    order = near_order(sizes, temperature=2.0, seed=3, epoch=1)

    counts = np.bincount(order % 3) / len(order)
    expected = np.exp([0.0, -1.0, -2.0])
    assert len(order) == len(sizes)
    assert counts == pytest.approx(expected / expected.sum(), abs=0.015)
    assert (near_order(sizes + 10, temperature=2.0, seed=3, epoch=1) == order).all()


def test_a_draw_is_decided_by_seed_and_epoch():
    sizes = np.linspace(0, 3, 50)
    first = near_order(sizes, temperature=1.0, seed=0, epoch=1).tolist()

    assert first == near_order(sizes, temperature=1.0, seed=0, epoch=1).tolist()
    assert first != near_order(sizes, temperature=1.0, seed=0, epoch=2).tolist()
    assert first != near_order(sizes, temperature=1.0, seed=1, epoch=1).tolist()


def test_rewards_far_apart_do_not_underflow_to_nothing():
    order = near_order(np.array([1e5, 2e5, 3e5]), temperature=0.1, seed=0, epoch=1)

    assert order.tolist() == [0, 0, 0]


def test_what_was_seen_is_the_mean_over_a_preferences_pairs():
    sampling = HardSampling(4, temperature=1.0)
    sampling.see(np.array([2, -1, 0]), np.array([0, 0, 2]), np.array([-1.0, 3.0, -0.5]), step=7)

    assert sampling.sizes[[0, 2]].tolist() == [0.5, 2.0]
    assert np.isnan(sampling.sizes[[1, 3]]).all()
    assert sampling.seen_at.tolist() == [7, -1, 7, -1]


def test_the_first_epoch_is_a_permutation_and_the_next_goes_by_what_was_fixed():
    sampling = HardSampling(3, temperature=0.1)
    sampling.begin(0)
    assert sampling.order(seed=0) is None

    sampling.see(np.array([0, 1, 2]), np.array([0, 1, 2]), np.array([9.0, 0.0, 9.0]), step=0)
    assert sampling.order(seed=0) is None, "an epoch under way stays as it was"
    sampling.begin(1)
    sampling.see(np.array([0]), np.array([0]), np.array([0.0]), step=1)
    sampling.begin(1)
    order = sampling.order(seed=0)
    assert order is not None
    assert order.tolist() == [1, 1, 1]


def test_what_was_never_seen_counts_as_undecided():
    sampling = HardSampling(2, temperature=0.1)
    sampling.see(np.array([0]), np.array([0]), np.array([9.0]), step=0)
    sampling.begin(1)

    order = sampling.order(seed=0)
    assert order is not None
    assert order.tolist() == [1, 1]


def test_the_state_survives_the_disk(tmp_path):
    sampling = HardSampling(5, temperature=0.3)
    sampling.see(np.array([4, 1]), np.array([0, 1]), np.array([0.1, 0.7]), step=2)
    sampling.begin(1)
    sampling.see(np.array([1]), np.array([0]), np.array([0.2]), step=3)
    checkpoint.save_arrays(tmp_path / "sampling.npz", sampling.saved())

    other = HardSampling(5, temperature=0.3)
    other.restore(checkpoint.load_arrays(tmp_path / "sampling.npz"))
    other.begin(1)

    first, second = sampling.saved(), other.saved()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value)
    assert other.order(seed=0).tolist() == sampling.order(seed=0).tolist()  # pyright: ignore


def test_steps_are_dealt_out_from_the_drawn_order():
    class Drawn:
        def begin(self, epoch: int) -> None:
            self.epoch = epoch

        def order(self, *, seed: int) -> np.ndarray:
            return np.array([2, 2, self.epoch, seed])

    sampler = DeviceSteps([5, 6, 7, 8], Cut(3), device=0, seed=3, orders=Drawn())
    sampler.set_epoch(1)

    assert list(sampler) == [[2, 2, 1], [3]]


def test_one_epoch_is_that_of_uniform_sampling(tmp_path):
    assert_same_run(trained(tmp_path / "uniform", epochs=1), trained(tmp_path / "hard", epochs=1, **HARD))


def test_a_single_epoch_says_that_nothing_is_drawn(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        toy_trainer(tmp_path, toy_table(4), epochs=1, **HARD)
        toy_trainer(tmp_path, toy_table(4), epochs=2, **HARD)

    assert [record.getMessage() for record in caplog.records if "sampling: hard" in record.getMessage()] == [
        "training.sampling: hard draws from the second epoch on, but training.epochs is 1; it is uniform"
    ]


def test_later_epochs_take_what_is_near_more_often(tmp_path):
    trainer = toy_trainer(tmp_path, toy_table(60), epochs=3, batch_size=8, log_every_steps=100, **HARD)
    trainer.train()

    sampling = trainer.sampling
    assert not np.isnan(sampling.sizes).any()
    drawn = sampling.order(seed=0)
    assert sampling.fixed[drawn].mean() < 0.9 * sampling.fixed.mean()
    # 60 draws an epoch, whatever they hit.
    (line,) = [each for each in trainer.state.log_history if "loss" in each]
    assert line["pairs"] == 180


def test_the_sizes_are_the_rewards_of_the_step(tmp_path):
    table = toy_table(6, responses=3)
    trainer = toy_trainer(tmp_path, table, epochs=1, batch_size=6, learning_rate=1e-9, token_budget=30, **HARD)
    expected = []
    with torch.no_grad():
        for index in range(len(table)):
            row = table.encoded(index)
            ids = [torch.tensor([[*row.prefix.tolist(), *tail.tolist()]]) for tail in row.tails]
            rewards = [trainer.model(one, torch.ones_like(one)).item() for one in ids]
            expected.append(np.mean([abs(rewards[pair.chosen] - rewards[pair.rejected]) for pair in row.pairs]))

    trainer.train()

    assert trainer.sampling.sizes.tolist() == pytest.approx(expected, abs=1e-6)


# 22 preferences in steps of 4: 6 steps an epoch, 15 in 2.5 epochs; checkpoints at 3, 6, 9, 12, 15.
@pytest.mark.parametrize("step", [5, 7, 11, 13])
def test_a_resumed_run_ends_like_one_that_was_never_interrupted(tmp_path, step):
    whole = trained(tmp_path / "whole", **HARD)
    interrupted(tmp_path / "cut", step, **HARD)

    resumed = trained(tmp_path / "cut", **HARD)

    assert_same_run(whole, resumed)
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")
    uniform = trained(tmp_path / "uniform")
    assert not torch.equal(uniform.model.network.score.weight, whole.model.network.score.weight)


def test_a_checkpoint_without_its_draws_is_not_whole(tmp_path):
    interrupted(tmp_path, 8, **HARD)
    file = tmp_path / "checkpoint-6" / "sampling.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))

    assert "sampling.npz" in str(checkpoint.fault(tmp_path / "checkpoint-6"))
