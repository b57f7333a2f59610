"""Signs and stop rules, by hand."""

from __future__ import annotations

import math

import pytest

from rewardsmith.optimise.watch import StopSettings, WatchSettings, signs, stop_reason

WATCH = WatchSettings(baseline_lines=2, window_lines=2, noise=3.0, least_share=0.25)


def lines_of(name: str, *values: float) -> list[dict[str, float]]:
    return [{"step": float(step), name: value} for step, value in enumerate(values)]


def gold(value: float, proxy: float, half: float = 0.3) -> dict[str, float]:
    return {"gold": value, "gold_low": value - half, "gold_high": value + half, "proxy": proxy}


def test_a_sign_moves_beyond_its_noise():
    # First 10 and 12: mean 11, deviation √2; error √2·√(1/2 + 1/2); limit 3·√2 = 4.243, above 0.25·11.
    (sign,) = signs(lines_of("length", 10, 12, 15, 15.4), WATCH)
    assert (sign.before, sign.now) == (11.0, 15.2)
    assert sign.limit == pytest.approx(3 * math.sqrt(2))
    assert not sign.is_moved
    assert signs(lines_of("length", 10, 12, 15, 16), WATCH)[0].is_moved
    assert signs(lines_of("length", 10, 12, 6, 6), WATCH)[0].is_moved


def test_quiet_first_lines_do_not_make_a_small_change_one():
    assert not signs(lines_of("length", 40, 40, 49, 50), WATCH)[0].is_moved
    assert signs(lines_of("length", 40, 40, 51, 51), WATCH)[0].is_moved
    assert not signs(lines_of("format", 0, 0, 0.1, 0.1), WATCH)[0].is_moved
    assert signs(lines_of("format", 0, 0, 0.2, 0.2), WATCH)[0].is_moved


def test_spread_moves_upwards_only():
    assert signs(lines_of("spread", 1, 1, 2, 2), WATCH)[0].is_moved
    assert not signs(lines_of("spread", 2, 2, 1, 1), WATCH)[0].is_moved


def test_too_few_lines_say_nothing():
    assert signs(lines_of("length", 1, 2, 100), WATCH) == ()
    assert signs([], WATCH) == ()


def test_gold_moves_when_it_falls_while_the_proxy_rises():
    # Both halves 0.3: the noise is 0.3·√2 = 0.424.
    (sign,) = signs([gold(4, 1), gold(5, 2), gold(4.5, 3)], WATCH)
    assert sign.limit == pytest.approx(0.3 * math.sqrt(2))
    assert sign.is_moved
    assert not signs([gold(4, 1), gold(5, 2), gold(4.6, 3)], WATCH)[0].is_moved
    assert not signs([gold(4, 1), gold(5, 2), gold(4.5, 1.5)], WATCH)[0].is_moved
    assert not signs([gold(4, 1), gold(5, 2)], WATCH)[0].is_moved


def test_a_fall_prompt_by_prompt_is_seen_where_the_prompts_differ_more_than_the_policies():
    # Each interval of gold is 2 points wide; that of the change from the first policy is 0.4.
    change = {"gold_change": -0.5, "gold_change_low": -0.7, "gold_change_high": -0.3, "proxy_change": 0.1}
    (sign,) = signs([gold(5, 1, half=1.0) | change], WATCH)
    # Three standard errors: 3 · 0.2 / 1.96.
    assert (sign.before, sign.now, sign.limit) == pytest.approx((5.5, 5.0, 0.30612), abs=1e-5)
    assert sign.is_moved
    wide = change | {"gold_change_low": -1.1, "gold_change_high": 0.1}
    assert not signs([gold(5, 1, half=1.0) | wide], WATCH)[0].is_moved
    assert not signs([gold(5, 1, half=1.0) | change | {"proxy_change": -0.1}], WATCH)[0].is_moved
    # One prompt has no interval, and tells nothing of this kind.
    assert signs([{"gold": 5.0, "gold_change": -0.5, "proxy_change": 0.1}], WATCH) == ()
    assert signs([{"fresh_length": 9.0, "length_change": 5.0}], WATCH) == ()
    # From its best it may fall without being below where it began.
    risen = {"gold_change": 0.5, "gold_change_low": 0.3, "gold_change_high": 0.7, "proxy_change": 0.1}
    assert signs([gold(6.5, 1), gold(5.5, 2) | risen], WATCH)[0].is_moved


def test_length_is_read_prompt_by_prompt_where_it_was():
    change = {"fresh_length": 33.0, "length_change": 6.0, "length_change_low": 4.0, "length_change_high": 8.0}
    lines = [*lines_of("length", 30, 30, 30, 30), change, {"length": 30.0}]
    watch = WATCH.model_copy(update={"least_share": 0.1})
    (sign,) = signs(lines, watch)
    # Three standard errors, 3 · 2 / 1.96, are more than a tenth of 27.
    assert (sign.before, sign.now, sign.is_moved) == (27.0, 33.0, True)
    assert sign.limit == pytest.approx(3.06122, abs=1e-5)
    assert signs([change], watch.model_copy(update={"noise": 2.0}))[0].limit == 2.7
    # 6 of 27 tokens are less than a quarter; and an interval of ±7 is wider than 6.
    assert not signs(lines, WATCH)[0].is_moved
    assert not signs([change | {"length_change_low": -1.0, "length_change_high": 13.0}], watch)[0].is_moved


def test_only_the_signs_that_are_watched():
    lines = lines_of("length", 10, 10, 99, 99)
    assert signs(lines, WATCH.model_copy(update={"signs": ("format",)})) == ()


def test_the_kl_budget_ends_the_run():
    stop = StopSettings(most_nats=5.0)
    measured = [{"kl_nats": 4.0, "kl_low": 3.0}, {"length": 1.0}]
    assert stop_reason(measured, stop, WATCH) is None
    assert stop_reason([*measured, {"kl_nats": 5.5, "kl_low": 5.0}], stop, WATCH) == "KL: 5.5 nats, the budget is 5"
    # Every line has its own noisy KL: the mean of the last two.
    assert stop_reason(lines_of("kl_nats", 0, 1, 3, 6.9), stop, WATCH) is None
    assert stop_reason(lines_of("kl_nats", 0, 1, 4, 6.2), stop, WATCH) == "KL: 5.1 nats, the budget is 5"


def test_a_fall_of_gold_ends_the_run_unless_it_may_not():
    lines = [gold(5, 2), gold(4, 3)]
    assert "gold 5 → 4" in (stop_reason(lines, StopSettings(), WATCH) or "")
    assert stop_reason(lines, StopSettings(on_fall=False), WATCH) is None


def test_so_many_signs_end_the_run():
    lines = [{"length": length, "format": share} for length, share in ((10, 0), (10, 0), (30, 1), (30, 1))]
    assert stop_reason(lines, StopSettings(on_signs=3), WATCH) is None
    assert "length 10 → 30" in (stop_reason(lines, StopSettings(on_signs=2), WATCH) or "")
    assert stop_reason(lines, StopSettings(), WATCH) is None
