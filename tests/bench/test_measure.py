"""Arithmetic of the benchmarks: rows by hand, and the file of results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import measure


def test_a_ratio_is_that_of_the_medians_between_those_of_the_repeats():
    row = measure.ratio_row("speed", [10.0, 30.0, 20.0], [5.0, 5.0, 4.0], "times")

    assert row == {
        "name": "speed",
        "value": 4.0,  # 20 / 5
        "low": 2.0,  # 10 / 5
        "high": 6.0,  # 30 / 5
        "n": 3,
        "unit": "times",
        "ours": 20.0,
        "peer": 5.0,
    }


def test_a_ratio_needs_as_many_repeats_of_both_sides():
    with pytest.raises(ValueError, match="zip"):
        measure.ratio_row("speed", [1.0, 2.0], [1.0], "times")


def test_growth_compares_one_large_run_with_several_small_ones():
    row = measure.growth_row("growth", [12.0], [4.0, 6.0, 5.0], "times")

    assert (row["value"], row["low"], row["high"]) == (2.4, 2.0, 3.0)  # 12 / 5, 12 / 6, 12 / 4
    assert (row["n"], row["ours"], row["peer"]) == (1, 12.0, None)


@pytest.mark.parametrize(("value", "expected"), [(3381.44, 3381.0), (0.0123456, 0.01235), (2.5e-7, 2.5e-7), (0, 0)])
def test_four_digits_are_kept(value, expected):
    assert measure.rounded(value) == expected


def test_a_row_takes_the_place_of_an_older_one_of_its_name(tmp_path):
    out = tmp_path / "results" / "speed.json"
    measure.write_rows(out, [measure.row("a", 1, [1], "x"), measure.row("b", 2, [2], "x")])
    measure.write_rows(out, [measure.row("a", 3, [3], "x")])

    assert [(each["name"], each["value"]) for each in json.loads(out.read_text())] == [("b", 2), ("a", 3)]
    assert measure.known_row(out, "a") == measure.row("a", 3, [3], "x")
    assert measure.known_row(out, "c") is None
    assert measure.known_row(tmp_path / "none.json", "a") is None


def test_a_fresh_process_gives_its_last_line(tmp_path):
    script = tmp_path / "side.py"
    script.write_text(
        "import json, os, sys\nprint('other')\nprint(json.dumps([sys.argv[1:], os.environ['BENCH_X']]))\n"
    )

    assert measure.in_fresh_process(str(script), ["--n", 3], {"BENCH_X": "y"}) == [["--n", "3"], "y"]


def test_what_a_failed_process_said_is_shown(tmp_path, capfd):
    script = tmp_path / "side.py"
    script.write_text("raise ValueError('the reason')\n")

    with pytest.raises(SystemExit, match=r"side\.py .*failed with 1"):
        measure.in_fresh_process(str(script), ["x"])
    assert "the reason" in capfd.readouterr().err


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's count")
@pytest.mark.parametrize(("more_mb", "least", "most"), [(0, 5, 100), (300, 300, 400)])
def test_peak_memory_is_the_process_s_own_and_not_its_parent_s(tmp_path, more_mb, least, most):
    """`getrusage` of the child would say at least what this process holds."""
    held = b"x" * (600 * 2**20)
    script = tmp_path / "side.py"
    bench = str(Path(measure.__file__).parent)
    lines = ["import sys", f"sys.path.insert(0, {bench!r})", "import measure"]
    script.write_text("\n".join([*lines, f"more = b'x' * ({more_mb} * 2**20)", "print(measure.peak_mb())"]))

    assert least <= measure.in_fresh_process(str(script), []) <= most
    assert len(held) == 600 * 2**20
