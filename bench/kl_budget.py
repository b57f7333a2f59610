"""Does the KL budget that is read off half of the prompts hold on the other half?

A trial halves the prompts at random. On one half the curve of gold against KL is fitted and the budget read off; it is
spent by the largest n of best-of-n that stays within it. The mean gold gain of that n on the other half is then held
against the predicted interval, and, beside it, against the interval of the curve, which is not made for that.
A trial whose budget is nought has nothing to predict and is only counted.

Two parts:

- `policy`: independent samples of the built-in language model on held-out prompts of the starter set, rated by its
  rubric, chosen by the reward model of `make demo`, which was trained on the other prompts.
- `ratings`: answers of many models with one annotator's rating (`alpaca-eval-responses`); a head on frozen MiniLM
  features that learns, anew for each trial, from a third of the prompts, with a quarter of the labels wrong. The
  candidates are no draws of one policy: the KL is selection nats.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import measure
import numpy as np
import share

from rewardsmith.core.conversation import response_text
from rewardsmith.figures.overoptimisation import overoptimisation_plot
from rewardsmith.figures.plots import Curve
from rewardsmith.numerics.best_of_n import best_of_n, best_of_n_nats, curve_estimates, size_grid
from rewardsmith.numerics.overoptimisation import fit_overoptimisation, predict_gain, size_for_nats
from rewardsmith.optimise.gold import RubricGold
from rewardsmith.optimise.load import load_criteria, load_prompts
from rewardsmith.optimise.policy.load import load_policy
from rewardsmith.optimise.policy.policy import Prompt, SamplingSettings
from rewardsmith.optimise.pressure import rate_groups
from rewardsmith.optimise.sample_store import iter_groups, write_samples
from rewardsmith.preferences.store import load_table
from rewardsmith.scoring.load import load_scorer

NAME = "kl-budget-coverage"
POLICY = "builtin:smollm2-135m-instruct"
STARTER = ("builtin:starter", "builtin:starter-rankings")
NOISE = 0.25

_FOLDER = measure.CACHE / "kl-budget"
_PROMPTS, _CANDIDATES, _MAX_TOKENS = 240, 20, 256


@dataclass(frozen=True, slots=True)
class Rated:
    """One prompt's candidates.

    Attributes:
        group: Prompt group.
        proxy: `[candidate]`, what selects.
        gold: `[candidate]`, what they are worth.
    """

    group: str
    proxy: np.ndarray
    gold: np.ndarray


@dataclass(frozen=True, slots=True)
class Trial:
    """What one halving showed.

    Attributes:
        part: `policy` or `ratings`.
        number: Of the trial.
        budget_nats: Read off the one half.
        is_open: It still rose at the largest n.
        n: What spends it.
        predicted: Gain by the curve, and both ends of the predicted interval.
        curve: Both ends of the curve's interval.
        gain: Mean gain of the other half.
    """

    part: str
    number: int
    budget_nats: float
    is_open: bool
    n: int
    predicted: tuple[float, float, float]
    curve: tuple[float, float]
    gain: float

    @property
    def is_spent(self) -> bool:
        """Whether there is a budget at all."""
        return self.n > 1

    @property
    def is_held(self) -> bool:
        """Whether the other half came out where it was predicted."""
        return self.predicted[1] <= self.gain <= self.predicted[2]

    @property
    def is_in_curve(self) -> bool:
        """Whether it came out within the interval of the curve."""
        return self.curve[0] <= self.gain <= self.curve[1]


def trial(fitted: Sequence[Rated], other: Sequence[Rated], *, part: str, number: int) -> Trial:
    """Read the budget off `fitted`, and spend it on `other`."""
    sizes = size_grid(min(len(each.gold) for each in fitted))
    kl = np.array([best_of_n_nats(n) for n in sizes])
    gains, groups = np.stack([_gains(each, sizes) for each in fitted]), [each.group for each in fitted]
    fit = fit_overoptimisation(kl, gains, groups, form="best-of-n", seed=number)
    # The floor of a rounded root must not cost the last n.
    n = min(size_for_nats(fit.budget_nats + 1e-9), sizes[-1])
    nats = best_of_n_nats(n)
    others = len({each.group for each in other})
    told = predict_gain(kl, gains, groups, at_nats=nats, form="best-of-n", new_groups=others)
    low, high = (float(np.interp(nats, fit.kl_nats, ends)) for ends in (fit.low, fit.high))
    gain = float(np.mean([_gains(each, (n,))[0] for each in other]))
    return Trial(part, number, fit.budget_nats, fit.is_open, n, (told.value, told.low, told.high), (low, high), gain)


def _gains(each: Rated, sizes: Sequence[int]) -> np.ndarray:
    return best_of_n(each.proxy, each.gold[:, None], sizes)[:, 0] - each.gold.mean()


def halves(rated: Sequence[Rated], number: int) -> tuple[list[Rated], list[Rated]]:
    """Two random halves of the prompt groups."""
    groups = sorted({each.group for each in rated})
    order = np.random.default_rng([11, number]).permutation(len(groups))
    first = {groups[place] for place in order[: len(groups) // 2]}
    return [each for each in rated if each.group in first], [each for each in rated if each.group not in first]


# ---- samples of a policy ----


def policy_trials(trials: int, *, prompts: int, n: int, max_new_tokens: int = 32) -> Iterator[Trial]:
    """Of the built-in language model; samples are kept and gone on with."""
    rated = sampled(prompts=prompts, n=n, max_new_tokens=max_new_tokens)
    for number in range(trials):
        yield trial(*halves(rated, number), part="policy", number=number)


def sampled(*, prompts: int, n: int, max_new_tokens: int) -> list[Rated]:
    """Samples with gold and reward."""
    demo = _demo()
    scorer = load_scorer(demo / "model")
    asked = heldout_prompts(demo / "data")[:prompts]
    settings = SamplingSettings(n=n, max_new_tokens=max_new_tokens)
    out = _FOLDER / f"samples-{len(asked)}x{n}x{max_new_tokens}"
    write_samples(load_policy(POLICY, settings), asked, out=out, settings=settings, prompts_at_once=2)
    found = rate_groups(list(iter_groups(out)), RubricGold(_criteria())).candidates
    rewards = scorer.score([each for some in found for each in some.conversations()]).rewards.astype(np.float64)
    ends = np.cumsum([len(some) for some in found])
    parts = np.split(rewards, ends[:-1])
    return [Rated(some.group, own, some.ratings) for some, own in zip(found, parts, strict=True)]


def heldout_prompts(folder: Path) -> list[Prompt]:
    """Prompts of the held-out side whose rubric is known, in their order."""
    known = _criteria()
    groups = {prompt: group for source in STARTER for prompt, group in load_prompts(source).prompts}
    heldout = dict.fromkeys(preference.prompt for preference in load_table(folder, "heldout"))
    return [(prompt, groups[prompt]) for prompt in heldout if prompt in known and prompt in groups]


def _criteria() -> dict[Any, Any]:
    return {prompt: each for source in STARTER for prompt, each in load_criteria(source).items()}


def _demo() -> Path:
    """The reward model of `make demo` with its data; made where it is not there."""
    folder = measure.ROOT / "runs" / "demo"
    if not (folder / "model" / "manifest.json").is_file():
        measure.in_fresh_process("-m", ["rewardsmith.cli.main", "run", "--out", folder, "--json"])
    return folder


# ---- answers of many models, with ratings ----


def rating_trials(trials: int, *, noise: float = NOISE) -> Iterator[Trial]:
    """A third of the prompts to learn from, and the halves of the rest."""
    ensembles = _experiment("ensembles")
    known = ensembles.load_candidates(_PROMPTS, _CANDIDATES, max_tokens=_MAX_TOKENS)
    for number in range(trials):
        yield trial(*halves(_learnt(known, number, noise), number), part="ratings", number=number)


def _learnt(known: Any, number: int, noise: float) -> list[Rated]:
    """Rewards of a head that learnt from other prompts."""
    ensembles, heads = _experiment("ensembles"), _experiment("head_bank")
    rng = np.random.default_rng([13, number])
    order = rng.permutation(len(known.prompts))
    train, rest = order[: len(order) // 3], order[len(order) // 3 :]
    pairs = ensembles.draw_pairs(known.gold, train, noise=noise, rng=rng).reshape(-1, 2)
    flat = known.features.reshape(-1, known.features.shape[-1])
    trained = heads.train_heads(flat, [heads.HeadPlan(number, number, pairs)])
    rewards = heads.score_heads(flat, trained)[0].reshape(known.gold.shape).astype(np.float64)
    return [Rated(known.prompts[place], rewards[place], known.gold[place]) for place in rest]


def _experiment(name: str) -> Any:
    folder = str(measure.ROOT / "experiments")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


# ---- picture ----


def picture() -> str:
    """Gold and reward against selection nats, for a reward that is the share of capital letters.

    Good answers have headings and names; the reward finds them, and then those that shout.
    """
    known = _experiment("ensembles").load_candidates(_PROMPTS, _CANDIDATES, max_tokens=_MAX_TOKENS)
    proxy = np.array([_capitals(response_text(each)) for each in known.conversations]).reshape(known.gold.shape)
    sizes = size_grid(_CANDIDATES)
    kl = np.array([best_of_n_nats(n) for n in sizes])
    scales = [np.sqrt(column.var(axis=1).mean()) for column in (known.gold, proxy)]
    table = np.stack([_scaled_gains(*each, scales, sizes) for each in zip(proxy, known.gold, strict=True)])
    fit = fit_overoptimisation(kl, table[..., 0], known.prompts, form="best-of-n")
    estimates = [curve_estimates(table[..., column], known.prompts) for column in (0, 1)]
    measured = {
        name: Curve(kl, *([getattr(one, end) for one in some] for end in ("value", "low", "high")))
        for name, some in zip(("gold", "reward, ÷ 5"), estimates, strict=True)
    }
    return overoptimisation_plot(
        measured,
        fitted=Curve(fit.kl_nats, fit.gain, fit.low, fit.high),
        budget_nats=fit.budget_nats,
        peak_nats=fit.peak_nats.value,
        title=f"A reward that counts capital letters: best of {sizes[0]} to {sizes[-1]}",
        x_label="selection nats",
        y_label="gain (SD within a prompt)",
    )


def _scaled_gains(proxy: np.ndarray, gold: np.ndarray, scales: Sequence[float], sizes: Sequence[int]) -> np.ndarray:
    """`[size, 2]`: gains of gold and of the reward; that of the reward is so large that a fifth of it is drawn."""
    columns = np.column_stack([gold / scales[0], proxy / scales[1] / 5])
    return best_of_n(proxy, columns, sizes) - columns.mean(axis=0)


def _capitals(text: str) -> float:
    return sum(letter.isupper() for letter in text) / (len(text) + 1)


# ---- results ----


def coverage_row(trials: Sequence[Trial]) -> measure.Row:
    """Share of the trials with a budget in which the other half came out where it was predicted.

    `ours` counts them, `peer` those within the interval of the curve; `parts` says it part by part.
    """
    spent = [each for each in trials if each.is_spent]
    row = share.share_row(NAME, sum(each.is_held for each in spent), len(spent))
    unit = "share of the halvings in which gold at the budget came out within the predicted interval"
    naive = sum(each.is_in_curve for each in spent)
    return row | {"unit": unit, "peer": naive, "parts": {name: _part(trials, name) for name in _names(trials)}}


def _names(trials: Sequence[Trial]) -> list[str]:
    return list(dict.fromkeys(each.part for each in trials))


def _part(trials: Sequence[Trial], name: str) -> dict[str, float]:
    own = [each for each in trials if each.part == name]
    spent = [each for each in own if each.is_spent]
    values = {
        "trials": len(own),
        "with_budget": len(spent),
        "held": sum(each.is_held for each in spent),
        "in_curve": sum(each.is_in_curve for each in spent),
        "open": sum(each.is_open for each in spent),
    }
    means = {
        "mean_budget_nats": [each.budget_nats for each in spent],
        "mean_predicted_gain": [each.predicted[0] for each in spent],
        "mean_gain": [each.gain for each in spent],
    }
    return values | {key: measure.rounded(float(np.mean(some))) for key, some in means.items() if some}


def keep(trials: Sequence[Trial], folder: Path = _FOLDER) -> list[Trial]:
    """Write the trials of a part down; those of all parts that are known."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _names(trials):
        own = [asdict(each) for each in trials if each.part == name]
        (folder / f"{name}.json").write_text(json.dumps(own, indent=1) + "\n", "utf-8")
    paths = [folder / f"{name}.json" for name in ("policy", "ratings")]
    return [_read(each) for path in paths if path.is_file() for each in json.loads(path.read_text("utf-8"))]


def _read(values: dict[str, Any]) -> Trial:
    return Trial(**{**values, "predicted": tuple(values["predicted"]), "curve": tuple(values["curve"])})
