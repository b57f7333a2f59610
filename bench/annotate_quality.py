"""What do the methods of label quality find, and gain?

    python bench/annotate_quality.py skill [--seeds N] [--out bench/results/annotate.json]
    python bench/annotate_quality.py flags [--seeds N] [--out bench/results/annotate.json]

`skill` makes one label of several votes by majority, by Dawid–Skene and by Bradley–Terry with rater strengths, for
panels of simulated raters of known skill (`simulated_raters.py`), where the truth is known; and on PandaLM's three
annotators, where it is not: there two of them make the label that the third, left out in turn, is asked about.
`flags` counts which planted habits are found, and how many honest raters are flagged.

Written down:

- `dawid-skene-minus-majority-PANEL`, `bradley-terry-minus-majority-PANEL`: accuracy of the one less that of the other,
  against the truth; the interval resamples the simulated projects.
- `dawid-skene-minus-majority-pandalm`: the same against the vote of the annotator left out; the interval resamples
  prompts.
- `planted-raters-found`, `honest-raters-flagged`: shares, with Wilson's intervals.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Sequence
from dataclasses import replace

import measure
import numpy as np
import real_data
from share import share_row
from simulated_raters import PLANTED, Habits, honest, simulate

from rewardsmith.annotate.quality.aggregate import Aggregate, Label, Method, aggregate
from rewardsmith.annotate.quality.items import Item, counted, items_of
from rewardsmith.annotate.quality.raters import measure_raters
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import paired_difference

OUT = measure.ROOT / "bench" / "results" / "annotate.json"
PANDALM = "pandalm-human-votes.jsonl.gz"
_METHODS: tuple[Method, ...] = ("dawid-skene", "bradley-terry")
_SIDES = {"chosen": "first", "rejected": "second", "tie": "tie"}


def panels() -> dict[str, tuple[dict[str, Habits], int | None]]:
    """Raters by panel, and how many of them vote on a task."""
    crowd = {f"r{number}": Habits(skill=0.5 + 0.5 * number) for number in range(12)}
    return {
        "alike": ({f"r{number}": Habits(skill=3.0) for number in range(5)}, None),
        "uneven": ({f"r{number}": Habits(skill=skill) for number, skill in enumerate((6.0, 4.0, 2.0, 1.0, 0.5))}, None),
        "two-of-five-good": ({f"r{number}": Habits(skill=6.0 if number < 2 else 0.2) for number in range(5)}, None),
        "crowd-of-twelve": (crowd, 3),
        "place-lovers": ({f"r{number}": Habits(skill=3.0, place=4.0 * (number < 2)) for number in range(5)}, None),
    }


def skill(seeds: int) -> list[measure.Row]:
    """Rows of every panel, and of PandaLM where it is."""
    rows = []
    for name, (raters, overlap) in panels().items():
        rows += _panel_rows(name, raters, overlap=overlap, seeds=seeds)
    path = real_data.FOLDER / PANDALM
    if not path.is_file():
        print(f"{PANDALM} is not there and left out")
        return rows
    return [*rows, *_pandalm_rows()]


def _panel_rows(name: str, raters: dict[str, Habits], *, overlap: int | None, seeds: int) -> list[measure.Row]:
    credits: dict[str, list[float]] = {"majority": [], **{method: [] for method in _METHODS}}
    projects: list[int] = []
    for seed in range(seeds):
        project = simulate(raters, n_tasks=300, overlap=overlap, seed=seed)
        items = items_of(counted(project.votes), project.tasks)
        projects += [seed] * len(items)
        for method in ("majority", *_METHODS):
            labels = aggregate(items, method).labels
            credits[method] += [_credit(label, project.better[label.item.task]) for label in labels]
    unit = f"accuracy, {len(raters)} simulated raters, {overlap or len(raters)} votes a task, {seeds} projects of 300"
    return [
        _difference_row(
            f"{method}-minus-majority-{name}",
            paired_difference(np.array(credits[method]), np.array(credits["majority"]), projects),
            ours=float(np.mean(credits[method])),
            peer=float(np.mean(credits["majority"])),
            unit=unit,
        )
        for method in _METHODS
    ]


def _credit(label: Label, better: str) -> float:
    """1 where the more probable side is the better one, ½ where both are as probable."""
    if abs(label.prob_first - 0.5) < 1e-9:
        return 0.5
    return float((label.prob_first > 0.5) == (better == "first"))


def _pandalm_rows() -> list[measure.Row]:
    with gzip.open(real_data.FOLDER / PANDALM, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    items = [
        Item(
            row["id"],
            row["prompt_id"],
            "overall",
            tuple(_SIDES[vote] for vote in row["votes"]),
            tuple(row["meta"]["annotator_ids"]),
        )
        for row in rows
    ]
    credits: dict[str, list[float]] = {"majority": [], "dawid-skene": []}
    groups: list[str] = []
    for rater in sorted({rater for item in items for rater in item.raters}):
        held = [item for item in items if rater in item.raters]
        said = [item.labels[item.raters.index(rater)] for item in held]
        others = [_without(item, rater) for item in held]
        groups += [item.group for item in held]
        for method in ("majority", "dawid-skene"):
            credits[method] += _agreeing(aggregate(others, method), said)
    ours, peer = np.array(credits["dawid-skene"]), np.array(credits["majority"])
    return [
        _difference_row(
            "dawid-skene-minus-majority-pandalm",
            paired_difference(ours, peer, groups),
            ours=float(ours.mean()),
            peer=float(peer.mean()),
            unit="agreement with the third annotator of the label made of two, PandaLM, each left out in turn",
        )
    ]


def _without(item: Item, rater: str) -> Item:
    kept = [place for place, name in enumerate(item.raters) if name != rater]
    return replace(
        item, labels=tuple(item.labels[place] for place in kept), raters=tuple(item.raters[place] for place in kept)
    )


def _agreeing(made: Aggregate, said: Sequence[str]) -> list[float]:
    """Share of the most probable labels (two where they are equally probable) that is what was said."""
    credits = []
    for label, word in zip(made.labels, said, strict=True):
        most = max(label.probabilities.values())
        best = [name for name, share in label.probabilities.items() if most - share < 1e-9]
        credits.append((word in best) / len(best))
    return credits


def _difference_row(name: str, difference: Estimate, *, ours: float, peer: float, unit: str) -> measure.Row:
    bounds = {key: measure.rounded(getattr(difference, key)) for key in ("value", "low", "high")}
    shown = {"n": difference.n, "unit": unit, "ours": measure.rounded(ours), "peer": measure.rounded(peer)}
    return {"name": name, **bounds, **shown}


def flags(seeds: int) -> list[measure.Row]:
    """Shares of planted raters found, and of honest ones flagged, over projects of several sizes."""
    found = planted = wrong = clean = 0
    for seed in range(seeds):
        longer_better = (0.5, 0.6, 0.7, 0.8)[seed % 4]
        plain = simulate(
            honest(8, seed=seed), n_tasks=200, overlap=3, longer_better=longer_better, gold=25, repeats=60, seed=seed
        )
        wrong += sum(bool(row.flags) for row in measure_raters(plain.votes, plain.tasks))
        clean += 8
        raters = honest(8, seed=seed) | {name: habits for name, (_, habits) in PLANTED.items()}
        mixed = simulate(
            raters, n_tasks=600, overlap=6, longer_better=longer_better, gold=25, repeats=60, seed=1000 + seed
        )
        for row in measure_raters(mixed.votes, mixed.tasks):
            kinds = {flag.kind for flag in row.flags}
            if row.rater in PLANTED:
                planted += 1
                found += PLANTED[row.rater][0] in kinds
            else:
                clean += 1
                wrong += bool(kinds)
    return [
        share_row("planted-raters-found", found, planted),
        share_row("honest-raters-flagged", wrong, clean),
    ]


def main() -> None:
    """Measure, print, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["skill", "flags"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=type(OUT), default=OUT)
    arguments = parser.parse_args()
    rows = skill(arguments.seeds) if arguments.what == "skill" else flags(arguments.seeds)
    measure.show(rows)
    measure.write_rows(arguments.out, rows)


if __name__ == "__main__":
    main()
