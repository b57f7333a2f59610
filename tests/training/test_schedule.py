"""An epoch is a permutation, whatever the cut; a step's content depends on the seed alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.training.schedule import FILLER, Cut, DeviceBatches, epoch_batches, epoch_order

cuts = st.builds(
    Cut,
    batch_size=st.integers(1, 5),
    accumulation=st.integers(1, 4),
    devices=st.integers(1, 3),
    sort_by_length=st.booleans(),
)


@given(lengths=st.lists(st.integers(1, 99), max_size=80), cut=cuts, seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_every_preference_once_and_as_many_batches_as_announced(lengths, cut, seed, epoch):
    batches = epoch_batches(lengths, cut, seed=seed, epoch=epoch)

    seen = [index for devices in batches for share in devices for index in share if index != FILLER]
    assert sorted(seen) == list(range(len(lengths)))
    assert len(batches) == cut.micro_batches(len(lengths))
    assert all(len(devices) == cut.devices for devices in batches)
    assert all(1 <= len(share) <= cut.batch_size for devices in batches for share in devices)


@given(lengths=st.lists(st.integers(1, 99), min_size=1, max_size=80), seed=st.integers(0, 5))
def test_a_step_holds_the_same_preferences_however_it_is_cut(lengths, seed):
    whole = epoch_batches(lengths, Cut(8, 1, sort_by_length=False), seed=seed, epoch=0)
    cut = Cut(2, 2, devices=2)
    parts = epoch_batches(lengths, cut, seed=seed, epoch=0)

    steps = [
        sorted(i for d in parts[s * 2 : s * 2 + 2] for share in d for i in share if i != FILLER)
        for s in range(cut.steps(len(lengths)))
    ]
    assert steps == [sorted(devices[0]) for devices in whole]


def test_a_step_is_sorted_by_length_and_shared_side_by_side():
    # One step of eight with lengths 8..1: sorted, cut in four shares of two, devices beside each other.
    batches = epoch_batches([8, 7, 6, 5, 4, 3, 2, 1], Cut(2, 2, devices=2), seed=0, epoch=0)

    assert batches == [[[7, 6], [5, 4]], [[3, 2], [1, 0]]]


def test_a_device_without_work_gets_a_filler():
    assert epoch_batches([5], Cut(4, 2, devices=2), seed=0, epoch=0) == [[[0], [FILLER]]]


def test_the_order_changes_with_seed_and_with_epoch_only():
    first = epoch_order(50, seed=0, epoch=0).tolist()

    assert first == epoch_order(50, seed=0, epoch=0).tolist()
    assert first != epoch_order(50, seed=0, epoch=1).tolist()
    assert first != epoch_order(50, seed=1, epoch=0).tolist()


def test_the_sampler_follows_its_epoch_and_device():
    lengths = list(range(1, 14))
    cut = Cut(2, 2, devices=2)
    sampler = DeviceBatches(lengths, cut, device=1, seed=3)
    sampler.set_epoch(2)

    assert list(sampler) == [devices[1] for devices in epoch_batches(lengths, cut, seed=3, epoch=2)]
    # 13 preferences: one full step of 8 (2 micro-batches) and 5 left, which two devices take 2 at a time in 2.
    assert len(sampler) == 4
