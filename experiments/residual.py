"""Does a prior save labels? A residual on top of it against a plain model, from 125 to 2,000 pairs.

`alpaca-eval-responses`: pairs of two models' answers to one prompt, of which one annotator rated one above the
reference and the other below. On these pairs the longer answer wins about four times in five, so a prior of length is
right; the same prior turned around (a length penalty) is as wrong. Both are measured, the pairs on which the prior is
wrong by themselves too. On pairs of short answers a second prior is tried: the mean log-probability of a token under
the built-in language model. It reads a few hundred tokens a second here, hence only up to 500 pairs.

A linear Bradley–Terry model of frozen MiniLM features is fitted in each run (not the trainer: the whole grid takes two
minutes): f = w·features, with the prior as an offset, w under a ridge penalty that is chosen in five folds of the
training prompts. Five seeds draw the training pairs (2,000 are nearly all there are, so there the seeds differ
little); the held-out prompts are the same throughout. Intervals resample seeds and held-out prompts.

    python experiments/residual.py            # about 15 minutes on one core: features 6, log-probabilities 6, once
    python experiments/residual.py --quick    # a minute: does it run?
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from offset_fit import choose_variance, fit
from study import FIGURES, Row, Study, frozen_features, require_data, row, write_rows

from rewardsmith.audit.heldout.words import fit_words
from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.digest import digest_json
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.figures.style import PALETTE, drawing, to_svg
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.numerics.intervals import DRAWS, draw_counts, from_samples, share_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy
from rewardsmith.scoring.priors.length import length_prior
from rewardsmith.scoring.priors.log_probability import LogProbabilityPrior
from rewardsmith.text.encoder import ConversationEncoder

RATING = "alpaca_eval_gpt4:vs_text_davinci_003"
PAIRS_A_PROMPT = 5
SHORT_CHARS = 350
HELDOUT_SHARE = 0.25
SEEDS = 5
LM = "builtin:smollm2-135m-instruct"
LM_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Way:
    """How the reward is put together.

    Attributes:
        said: For the table.
        prior: Name of the prior; absent in the plain model.
        sign: The prior is multiplied by this.
        learns_scale: Its scale is fitted along with f, without a penalty; 1 otherwise.
    """

    said: str
    prior: str | None = None
    sign: float = 1.0
    learns_scale: bool = False


PLAIN = "plain"
LENGTH_WAYS = {
    PLAIN: Way("plain model"),
    "longer": Way("length, scale 1", "length"),
    "shorter": Way("length penalty (wrong), scale 1", "length", -1.0),
    "learned": Way("length of either sign, scale learnt", "length", 1.0, True),
}
LIKELY_WAYS = {
    PLAIN: Way("plain model"),
    "longer": Way("length, scale 1", "length"),
    "likely": Way("log-probability, scale 1", "log-probability"),
    "likely learned": Way("log-probability, scale learnt", "log-probability", 1.0, True),
}


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of answers, the better one first.

    Attributes:
        name: `all` answers, or `short` ones.
        preferences: One pair each.
        features: `[pair, feature]`, better minus worse, each feature with variance 1 over the answers.
        priors: Name → `[pair]`, prior of the better minus that of the worse.
        heldout: `[pair]`, on which side of the split.
    """

    name: str
    preferences: tuple[Preference, ...]
    features: np.ndarray
    priors: Mapping[str, np.ndarray]
    heldout: np.ndarray

    @property
    def groups(self) -> np.ndarray:
        """The prompt of each pair."""
        return np.array([each.group for each in self.preferences])


def main() -> None:
    """Run, or go on; print the tables; write the row and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few prompts, one seed; nothing is written")
    quick = parser.parse_args().quick
    study = Study("residual-quick" if quick else "residual")
    everything = load_pairs("all", study, prompts=30 if quick else None, max_tokens=64 if quick else 256)
    short = load_pairs("short", study, prompts=8 if quick else None, max_tokens=64 if quick else 256)
    sizes = {"all": (25, 50) if quick else (125, 250, 500, 1000, 2000), "short": (8,) if quick else (125, 250, 500)}
    rows: list[Row] = []
    shown = {}
    for pairs, ways in ((everything, LENGTH_WAYS), (short, LIKELY_WAYS)):
        runs = {n: run_seeds(study, pairs, ways, n=n, seeds=1 if quick else SEEDS) for n in sizes[pairs.name]}
        prior = "length" if pairs is everything else "log-probability"
        shown[pairs.name] = report(pairs, ways, runs, prior=prior)
        rows += [gain_row(pairs, runs)] if pairs is everything else []
    print(f"\nruns took {study.seconds:.0f} s, features of new answers not counted")
    if not quick:
        write_rows(rows)
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "residual.svg").write_text(figure(shown["all"]) + "\n", "utf-8")


# ---- data ----


def load_pairs(name: str, study: Study, *, prompts: int | None, max_tokens: int) -> Pairs:
    """Up to five pairs a prompt without an answer in common, drawn at random."""
    preferences = draw_pairs(read_answers(most_chars=SHORT_CHARS if name == "short" else None), prompts=prompts)
    conversations = [each.conversation(number) for each in preferences for number in (0, 1)]
    features = frozen_features(conversations, base="builtin:minilm-l6", max_tokens=max_tokens, pooling="mean")
    spread = features.std(axis=0)
    # Two of MiniLM's features are the same for every text.
    features = features[:, spread > 0] / spread[spread > 0]
    values = {"length": length_prior(conversations, shape="log", scale=100.0)}
    if name == "short":
        values["log-probability"] = log_probabilities(study, conversations)
    names = sorted({each.group for each in preferences})
    held = set(np.random.default_rng(0).permutation(names)[: round(HELDOUT_SHARE * len(names))].tolist())
    return Pairs(
        name,
        tuple(preferences),
        (features[::2] - features[1::2]).astype(np.float64),
        {key: (each[::2] - each[1::2]).astype(np.float64) for key, each in values.items()},
        np.array([each.group in held for each in preferences]),
    )


def read_answers(*, most_chars: int | None) -> dict[str, list[dict[str, Any]]]:
    """The rated answers to each prompt."""
    (path,) = require_data("alpaca-eval-responses.jsonl.gz")
    rated: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for each in map(json.loads, stream):
            fits = most_chars is None or max(len(each["response"]), len(each["prompt"])) <= most_chars
            if RATING in each["ratings"] and each["response"].strip() and fits:
                rated.setdefault(each["prompt_id"], []).append(each)
    return rated


def draw_pairs(rated: Mapping[str, list[dict[str, Any]]], *, prompts: int | None) -> list[Preference]:
    """An answer that was rated above the reference and one below it, each used once."""
    drawn = []
    for number, name in enumerate(sorted(rated)[:prompts]):
        rng = np.random.default_rng([0, number])
        answers = [rated[name][index] for index in rng.permutation(len(rated[name]))]
        above = [each for each in answers if each["ratings"][RATING] > 0.5]
        below = [each for each in answers if each["ratings"][RATING] < 0.5]
        for better, worse in list(zip(above, below, strict=False))[:PAIRS_A_PROMPT]:
            responses = tuple((assistant(each["response"]),) for each in (better, worse))
            turns = (user(better["prompt"]),)
            drawn.append(Preference(turns, responses, (Pair(0, 1),), f"{name}-{len(drawn)}", name, "alpaca-eval"))
    return drawn


def log_probabilities(study: Study, conversations: Sequence[Conversation]) -> np.ndarray:
    """Nats a token, in bfloat16, some answers at a time so that a run that was stopped goes on."""
    prior: LogProbabilityPrior | None = None
    found: list[float] = []
    for start in range(0, len(conversations), LM_AT_ONCE):
        some = conversations[start : start + LM_AT_ONCE]

        def compute(asked: Sequence[Conversation] = some) -> dict[str, Any]:
            nonlocal prior
            prior = prior or _language_model()
            with torch.autocast("cpu", torch.bfloat16):
                return {"values": [round(float(value), 5) for value in prior(asked)]}

        found += study.run({"log-probability": LM, "texts": digest_json([list(map(list, c)) for c in some])}, compute)[
            "values"
        ]
    return np.array(found)


def _language_model() -> LogProbabilityPrior:
    lm = load_causal_lm(LM)
    return LogProbabilityPrior(lm.network, ConversationEncoder(lm.tokenizer))


# ---- one run ----


def run_seeds(study: Study, pairs: Pairs, ways: Mapping[str, Way], *, n: int, seeds: int) -> list[dict[str, Any]]:
    """What each way makes of the held-out pairs after `n` pairs, one result a seed."""
    size = {"pairs": pairs.name, "of": len(pairs.preferences), "n": n, "ways": sorted(ways)}
    return [
        study.run(
            {**size, "seed": seed}, lambda s=seed: {key: one_run(pairs, way, n=n, seed=s) for key, way in ways.items()}
        )
        for seed in range(seeds)
    ]


def one_run(pairs: Pairs, way: Way, *, n: int, seed: int) -> dict[str, Any]:
    """Margins of the reward on the held-out pairs, and the scale that the prior has in it."""
    order = np.random.default_rng([1, seed]).permutation(np.flatnonzero(~pairs.heldout))[:n]
    prior = np.zeros(len(pairs.groups)) if way.prior is None else way.sign * pairs.priors[way.prior]
    variance = choose_variance(pairs.features[order], prior[order], pairs.groups[order], way.learns_scale)
    weights, scale = fit(pairs.features[order], prior[order], variance=variance, learns_scale=way.learns_scale)
    margins = pairs.features[pairs.heldout] @ weights + scale * prior[pairs.heldout]
    return {"margins": np.round(margins, 4).tolist(), "scale": round(scale, 4), "variance": variance}


# ---- report ----


def report(
    pairs: Pairs, ways: Mapping[str, Way], runs: Mapping[int, list[dict[str, Any]]], *, prior: str
) -> dict[str, dict[str, dict[int, Estimate]]]:
    """Print accuracy on all held-out pairs, and on those where the prior is wrong; what was printed."""
    wrong = pairs.priors[prior][pairs.heldout] < 0
    groups = pairs.groups[pairs.heldout]
    print_floors(pairs, prior)
    shown: dict[str, dict[str, dict[int, Estimate]]] = {}
    masks = {"all": np.ones(len(wrong), bool), f"{prior} wrong": wrong, f"{prior} right": ~wrong}
    for name, mask in masks.items():
        print(f"\n{name}: accuracy on {mask.sum()} held-out pairs, by number of training pairs")
        shown[name] = {}
        for key, way in ways.items():
            credits = {n: credits_of(some, key)[:, mask] for n, some in runs.items()}
            shown[name][key] = {n: seed_bootstrap(each, groups[mask]) for n, each in credits.items()}
            print(f"{way.said:38}" + "  ".join(f"{n:>5}: {_percent(each)}" for n, each in shown[name][key].items()))
        for key in list(ways)[1:] if name == "all" else ():
            gains = {n: seed_bootstrap(credits_of(s, key) - credits_of(s, PLAIN), groups) for n, s in runs.items()}
            print(
                f"{'  minus plain: ' + ways[key].said:52}" + "  ".join(f"{n}: {_percent(e)}" for n, e in gains.items())
            )
    for key, way in ways.items():
        if way.learns_scale:
            print(
                f"{way.said}: "
                + ", ".join(f"{n}: {np.mean([r[key]['scale'] for r in s]):.2f}" for n, s in runs.items())
            )
    return shown


def print_floors(pairs: Pairs, prior: str) -> None:
    """What needs no model, or no features."""
    heldout = [each for each, held in zip(pairs.preferences, pairs.heldout, strict=True) if held]
    train = [each for each, held in zip(pairs.preferences, pairs.heldout, strict=True) if not held]
    groups = pairs.groups[pairs.heldout]
    length = pairs.priors["length"][pairs.heldout]
    floors = {"longer wins": length, "shorter wins": -length, prior: pairs.priors[prior][pairs.heldout]}
    floors["bag of words on all training pairs"] = fit_words(heldout, train).margin
    prompts = len(set(groups))
    print(f"\n=== {pairs.name} answers: {len(train)} training pairs, {len(heldout)} held-out of {prompts} prompts")
    for name, margins in floors.items():
        print(f"{name:38}{_percent(share_bootstrap(pair_accuracy(margins), groups))}")


def credits_of(runs: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    """`[seed, pair]`."""
    return np.stack([pair_accuracy(np.array(run[key]["margins"])) for run in runs])


def seed_bootstrap(values: np.ndarray, groups: np.ndarray) -> Estimate:
    """Mean of `[seed, pair]` values; each draw resamples the seeds and, by itself, the prompt groups.

    A single prompt says nothing of how prompts vary, so it has no interval.
    """
    names, codes = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(values), len(names)))
    np.add.at(sums.T, codes, values.T)
    sizes = np.bincount(codes)
    (drawn,) = draw_counts(len(names), draws=DRAWS, seed=0)
    (seeds,) = draw_counts(len(values), draws=DRAWS, seed=1)
    samples = np.einsum("ds,sg,dg->d", seeds, sums, drawn) / (len(values) * (drawn @ sizes))
    samples = samples if len(names) > 1 else samples[:0]
    return from_samples(float(values.mean()), samples, n=values.shape[1], groups=len(names))


def gain_row(pairs: Pairs, runs: Mapping[int, list[dict[str, Any]]]) -> Row:
    """The residual on the length prior, scale 1, minus the plain model, at the smallest number of pairs."""
    n = min(runs)
    groups = pairs.groups[pairs.heldout]
    ours, peer = (credits_of(runs[n], key) for key in ("longer", PLAIN))
    gain = seed_bootstrap(100 * (ours - peer), groups)
    return row(
        f"residual-gain-at-{n}-pairs",
        gain.value,
        (gain.low, gain.high),
        n=gain.groups,
        unit="points of held-out accuracy: residual on a length prior of scale 1 (ours) minus the plain model (peer)",
        ours=round(100 * float(ours.mean()), 2),
        peer=round(100 * float(peer.mean()), 2),
    )


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


# ---- figure ----


def figure(shown: Mapping[str, Mapping[str, Mapping[int, Estimate]]]) -> str:
    """Accuracy by number of pairs: all held-out pairs, and those where the longer answer is the worse one."""
    titles = {"all": "All held-out pairs", "length wrong": "Pairs whose longer answer is the worse one"}
    with drawing():
        picture = Figure(figsize=(9.6, 4.2))
        for axes, (name, title) in zip(picture.subplots(1, 2), titles.items(), strict=True):
            for (key, way), colour in zip(LENGTH_WAYS.items(), PALETTE, strict=False):
                points = shown[name][key]
                values, low, high = ([100 * getattr(e, k) for e in points.values()] for k in ("value", "low", "high"))
                axes.plot(list(points), values, color=colour, marker="o", markersize=3.5, label=way.said)
                axes.fill_between(list(points), low, high, color=colour, alpha=0.15, linewidth=0)
            axes.set_xscale("log", base=2, subs=[])
            axes.set_xticks(list(points), [str(n) for n in points])
            axes.set_title(title)
            axes.set_xlabel("training pairs")
            axes.set_ylabel("accuracy, %")
            if name == "all":
                axes.legend(loc="lower right")
        return to_svg(picture, "Accuracy of residual and plain models by number of training pairs.")


if __name__ == "__main__":
    main()
