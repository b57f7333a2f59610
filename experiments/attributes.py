"""Do linear heads on a small frozen encoder predict ratings by attribute, and more than length does?

`unieval` (human ratings, five sources of other scales) and `just-eval` (GPT-4's). One head an attribute, shared by the
sources that rate it, ratings standardised by source; MiniLM features, mean over tokens. Five folds over prompt groups,
scales and λ from the training folds alone; every rating is predicted once by heads that have not seen its prompt. The
peer is the same regression on the length of the response and its logarithm.

    python experiments/attributes.py            # about 4 minutes on one core, of which features take 2, once
    python experiments/attributes.py --quick    # half a minute: does it run?
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import rankdata
from study import FIGURES, Row, Study, frozen_features, require_data, row, write_rows

from rewardsmith.core.conversation import response_text
from rewardsmith.core.finding import Estimate
from rewardsmith.figures.style import PALETTE, drawing, to_svg
from rewardsmith.numerics.association import spearman
from rewardsmith.numerics.intervals import draw_counts, encode_groups, from_samples
from rewardsmith.numerics.regression import fit_ridge
from rewardsmith.preferences.load import iter_rows
from rewardsmith.preferences.ratings.rating import Rating
from rewardsmith.preferences.ratings.reading import read_ratings
from rewardsmith.preferences.ratings.scales import attributes_in, scales_of, targets
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.training.attribute_report import within_prompts

FILES = ("unieval-human-ratings.jsonl.gz", "just-eval-multi-attribute-ratings.jsonl.gz")
FOLDS = 5
L2 = (10.0, 100.0, 1000.0, 10_000.0, 100_000.0)
DRAWS = 400
PREDICTORS = ("heads", "length")

Cell = tuple[str, str]
"""Source and attribute."""


def main() -> None:
    """Run, or go on; print the table; write the row and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="every twelfth prompt group; nothing is written")
    quick = parser.parse_args().quick
    ratings = load(12 if quick else 1)
    features = frozen_features(
        [each.conversation for each in ratings],
        base="builtin:minilm-l6",
        max_tokens=64 if quick else 256,
        pooling="mean",
    )
    study = Study("attributes-quick" if quick else "attributes")
    names = attributes_in(scales_of(ratings, {}))
    runs = [
        study.run({"attribute": name, "ratings": len(ratings)}, lambda n=name: predict(ratings, features, n))
        for name in names
    ]
    cells = {cell: values for name, run in zip(names, runs, strict=True) for cell, values in _cells(ratings, name, run)}
    rows = report(ratings, cells)
    print(f"runs took {study.seconds:.0f} s")
    if not quick:
        write_rows(rows)
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "attributes.svg").write_text(figure(ratings, cells) + "\n", "utf-8")


def load(every: int) -> list[Rating]:
    """The ratings of both files, or those of every so manieth prompt group."""
    found = [
        judged.outcome
        for path in require_data(*FILES)
        for source in [SourceSettings(path=str(path))]
        for judged in read_ratings(iter_rows(source), source)
        if isinstance(judged.outcome, Rating)
    ]
    groups = sorted({each.group for each in found})[::every]
    kept = set(groups)
    return [each for each in found if each.group in kept]


def predict(ratings: Sequence[Rating], features: np.ndarray, name: str) -> dict[str, list[float | None]]:
    """Out-of-fold predictions of one attribute, by the heads and by length; null for ratings without it."""
    codes, n_groups = encode_groups(np.zeros(len(ratings)), [each.group for each in ratings])
    fold_of = (np.random.default_rng(0).permutation(n_groups) % FOLDS)[codes]
    lengths = np.array([len(response_text(each.response)) for each in ratings], np.float64)
    inputs = {"heads": features.astype(np.float64), "length": np.column_stack([lengths, np.log1p(lengths)])}
    found = {key: np.full(len(ratings), np.nan) for key in PREDICTORS}
    for fold in range(FOLDS):
        train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        scales = scales_of([ratings[index] for index in train.tolist()], {})
        wanted = targets(ratings, [name], scales)[:, 0]
        asked = test[np.isfinite(wanted[test])]
        for key, x in inputs.items():
            strengths = L2 if key == "heads" else (1.0,)
            head = fit_ridge(x[train], wanted[train], codes[train], l2=strengths)
            found[key][asked] = head(x[asked])
    return {key: [None if np.isnan(value) else float(value) for value in values] for key, values in found.items()}


def _cells(
    ratings: Sequence[Rating], name: str, run: Mapping[str, Sequence[float | None]]
) -> list[tuple[Cell, dict[str, Any]]]:
    """For each source that rates the attribute: rows, predictions and ratings."""
    known = [index for index, value in enumerate(run["heads"]) if value is not None]
    cells = []
    for source in sorted({ratings[index].source for index in known}):
        rows = np.array([index for index in known if ratings[index].source == source])
        values = {key: np.array([run[key][index] for index in rows], np.float64) for key in PREDICTORS}
        truth = np.array([ratings[index].ratings[name] for index in rows])
        cells.append(((source, name), {"rows": rows, "truth": truth, **values}))
    return cells


# ---- report ----


def report(ratings: Sequence[Rating], cells: Mapping[Cell, Mapping[str, Any]]) -> list[Row]:
    """Print the table; the row that is kept."""
    print(f"{'source':28}{'attribute':18}{'n':>6}{'heads: Spearman':>26}{'length alone':>26}{'within prompts':>26}")
    for (source, name), cell in cells.items():
        shown = "".join(f"{_text(each):>26}" for each in (*_spearmans(ratings, cell), _accuracy(ratings, cell)))
        print(f"{source.removesuffix(' via UniEval'):28}{name:18}{len(cell['rows']):6}{shown}")
    gains, ours, peer = mean_gain(ratings, cells)
    print(f"mean over {len(cells)} of source and attribute: heads {ours:.3f}, length {peer:.3f}, gain {_text(gains)}")
    return [
        row(
            "attribute-heads-minus-length-spearman",
            gains.value,
            (gains.low, gains.high),
            n=gains.n,
            unit=f"Spearman with held-out ratings, mean of {len(cells)} of source and attribute; heads (ours), "
            "length (peer)",
            ours=float(f"{ours:.4g}"),
            peer=float(f"{peer:.4g}"),
        )
    ]


def mean_gain(ratings: Sequence[Rating], cells: Mapping[Cell, Mapping[str, Any]]) -> tuple[Estimate, float, float]:
    """Mean over cells of ρ(heads) − ρ(length), with its interval over prompt groups, and the two means."""
    codes, n_groups = encode_groups(np.zeros(len(ratings)), [each.group for each in ratings])
    whole = [_rhos(cell, np.ones(len(cell["rows"]), np.int64)) for cell in cells.values()]
    samples = [
        np.nanmean([_gap(_rhos(cell, counts[codes[cell["rows"]]])) for cell in cells.values()])
        for chunk in draw_counts(n_groups, draws=DRAWS, seed=0)
        for counts in chunk
    ]
    ours, peer = np.nanmean(whole, axis=0)
    gain = from_samples(float(ours - peer), np.array(samples), n=len(ratings), groups=n_groups)
    return gain, float(ours), float(peer)


def _rhos(cell: Mapping[str, Any], counts: np.ndarray) -> tuple[float, float]:
    drawn = np.repeat(np.arange(len(counts)), counts)
    if len(drawn) < 3 or np.ptp(cell["truth"][drawn]) == 0:
        return float("nan"), float("nan")
    truth = rankdata(cell["truth"][drawn])
    heads, length = (float(np.corrcoef(rankdata(cell[key][drawn]), truth)[0, 1]) for key in PREDICTORS)
    return heads, length


def _gap(rhos: tuple[float, float]) -> float:
    return rhos[0] - rhos[1]


def _spearmans(ratings: Sequence[Rating], cell: Mapping[str, Any]) -> list[Estimate]:
    groups = [ratings[index].group for index in cell["rows"]]
    return [spearman(cell[key], cell["truth"], groups) for key in PREDICTORS]


def _accuracy(ratings: Sequence[Rating], cell: Mapping[str, Any]) -> Estimate:
    return within_prompts([ratings[row] for row in cell["rows"]], predicted=cell["heads"], targets=cell["truth"])


def _text(estimate: Estimate) -> str:
    return "none" if not estimate.n else f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


# ---- figure ----


def figure(ratings: Sequence[Rating], cells: Mapping[Cell, Mapping[str, Any]]) -> str:
    """Spearman's correlation with its interval, a row a source and attribute."""
    with drawing():
        picture = Figure(figsize=(8.6, 0.34 * len(cells) + 1.4))
        axes = picture.subplots()
        places = np.arange(len(cells))[::-1]
        found = [_spearmans(ratings, cell) for cell in cells.values()]
        for number, (label, colour) in enumerate(zip(("heads", "length alone"), PALETTE, strict=False)):
            each = [pair[number] for pair in found]
            values = np.array([estimate.value for estimate in each])
            ends = np.array([[e.value - e.low for e in each], [e.high - e.value for e in each]])
            axes.errorbar(values, places - 0.22 * number, xerr=ends, fmt="o", color=colour, ms=4, lw=1, label=label)
        labels = [f"{name} ({source.removesuffix(' via UniEval')})" for source, name in cells]
        axes.set_yticks(places - 0.11, labels, fontsize=8)
        axes.axvline(0, color=PALETTE[3], lw=0.8)
        axes.set_xlabel("Spearman's correlation with held-out ratings")
        axes.legend(loc="lower right")
        return to_svg(picture, "Correlation with held-out ratings by source and attribute: heads, and length alone.")


if __name__ == "__main__":
    main()
