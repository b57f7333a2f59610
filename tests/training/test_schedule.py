"""An epoch is a permutation, whatever the cut; a step's content depends on the seed alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.training.schedule import FILLER, Cut, DeviceSteps, epoch_order, epoch_steps

cuts = st.builds(Cut, step_size=st.integers(1, 20), devices=st.integers(1, 3))


@given(lengths=st.lists(st.integers(1, 99), max_size=80), cut=cuts, seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_every_preference_once_and_as_many_steps_as_announced(lengths, cut, seed, epoch):
    steps = epoch_steps(lengths, cut, seed=seed, epoch=epoch)

    seen = [index for devices in steps for share in devices for index in share if index != FILLER]
    assert sorted(seen) == list(range(len(lengths)))
    assert len(steps) == cut.steps(len(lengths))
    assert all(len(devices) == cut.devices for devices in steps)
    assert all(share for devices in steps for share in devices)
    assert all(max(map(len, devices)) - min(map(len, devices)) <= 1 for devices in steps)


@given(lengths=st.lists(st.integers(1, 99), min_size=1, max_size=80), seed=st.integers(0, 5))
def test_a_step_holds_the_same_preferences_however_many_devices_share_it(lengths, seed):
    whole = epoch_steps(lengths, Cut(8), seed=seed, epoch=0)
    parts = epoch_steps(lengths, Cut(8, devices=3), seed=seed, epoch=0)

    shared = [sorted(i for share in devices for i in share if i != FILLER) for devices in parts]
    assert shared == [sorted(devices[0]) for devices in whole]


def test_a_step_is_dealt_out_from_the_longest_on():
    steps = epoch_steps([8, 7, 6, 5, 4, 3, 2, 1], Cut(8, devices=2), seed=0, epoch=0)

    assert steps == [[[0, 2, 4, 6], [1, 3, 5, 7]]]


def test_a_device_without_work_gets_a_filler():
    assert epoch_steps([5], Cut(8, devices=2), seed=0, epoch=0) == [[[0], [FILLER]]]


def test_the_order_changes_with_seed_and_with_epoch_only():
    first = epoch_order(50, seed=0, epoch=0).tolist()

    assert first == epoch_order(50, seed=0, epoch=0).tolist()
    assert first != epoch_order(50, seed=0, epoch=1).tolist()
    assert first != epoch_order(50, seed=1, epoch=0).tolist()


def test_the_sampler_follows_its_epoch_and_device():
    lengths = list(range(1, 14))
    cut = Cut(8, devices=2)
    sampler = DeviceSteps(lengths, cut, device=1, seed=3)
    sampler.set_epoch(2)

    assert list(sampler) == [devices[1] for devices in epoch_steps(lengths, cut, seed=3, epoch=2)]
    # 13 preferences: one full step of 8 and one of 5.
    assert len(sampler) == 2
