"""Does a model that judges steps find the errors, and does it choose better solutions than one that judges outcomes?

Linear heads on frozen states of a language model at the end of each step, computed once and kept:

- PRM: from step labels of PRM800K (people), BIG-Bench-Mistake (people, Dyck by program) and PRMBench (errors made by a
  model), held out by problem; MR-GSM8K is for tests only.
- ORM, same traces: from one label a trace, its final answer where that is known, else whether no step is bad.
- ORM, GSM8K: from the correctness of sampled GSM8K solutions to other problems than those that it chooses for.

Tested: the accuracy and AUROC of single steps, the first error (ProcessBench's F1, the threshold from training traces),
and best of 4 on GSM8K problems with four sampled solutions each, beside a vote on the answer, chance and the best.

    python experiments/process.py            # about 12 minutes on one core, nearly all of it states, each set once
    python experiments/process.py --quick    # a minute: does it run?

Subsets (`process_data.FULL`), since SmolLM2 reads some hundred tokens a second on a core. Intervals resample problems.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from process_data import FULL, MAX_TOKENS, QUICK, Solved, gsm8k_solutions, step_sets
from process_report import figure, report
from sklearn.linear_model import LogisticRegression
from study import FIGURES, RUNS, Study, write_rows

from rewardsmith.core.conversation import to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.models.builtin import resolve
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.steps.load import build_step_model
from rewardsmith.numerics.steps import (
    aggregate,
    fit_threshold,
    locate_first_error,
    probabilities_of,
    step_auroc,
)
from rewardsmith.preferences.keys import group_hash
from rewardsmith.preferences.steps.encoding import encode_traces
from rewardsmith.preferences.steps.targets import trace_targets
from rewardsmith.preferences.steps.trace import StepTrace, first_error
from rewardsmith.scoring.step_passes import StepPasses
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.text.steps import StepEncoder
from rewardsmith.training.precision import resolve_precision

BASE = "builtin:smollm2-135m-instruct"
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True, slots=True)
class Head:
    """A linear head on standardised states."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    bias: float
    threshold: float

    def logits(self, states: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The logit of each step of each trace."""
        return [((each - self.mean) / self.scale) @ self.weight + self.bias for each in states]


def main() -> None:
    """Run, or go on; print the tables; write rows and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few problems; nothing is written")
    parser.add_argument("--base", default=BASE, help="the frozen model")
    args = parser.parse_args()
    sizes = QUICK if args.quick else FULL
    reader = StateReader(args.base)
    train, heldout = step_sets(sizes, reader.encoder)
    solved = {side: gsm8k_solutions(side, sizes) for side in ("train", "test")}
    study = Study("process-quick" if args.quick else "process")
    settings = {"base": args.base, "sizes": [getattr(sizes, name) for name in sizes.__slots__]}
    result = study.run(settings, lambda: measure(reader, train, heldout, solved))
    rows = report(result)
    print(f"runs took {study.seconds:.0f} s")
    if not args.quick:
        write_rows(rows)
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "process.svg").write_text(figure(result) + "\n", "utf-8")


# ---- states ----


class StateReader:
    """States of the frozen model at the end of each step, computed once and kept."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.encoder = ConversationEncoder(load_tokenizer(resolve(base)), max_tokens=MAX_TOKENS)
        self._passes: StepPasses | None = None

    def states(self, traces: Sequence[StepTrace]) -> list[np.ndarray]:
        """`[step, hidden]` of each trace; a problem that is too long is cut from the left."""
        texts = [[to_dicts(each.prompt), list(each.steps)] for each in traces]
        path = RUNS / f"steps-{digest_json([self.base, MAX_TOKENS, texts])[:16]}.npy"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".partial")
            with draft.open("wb") as stream:
                np.save(stream, np.concatenate(self._computed(traces)))
            draft.replace(path)
        return np.split(np.load(path), np.cumsum([len(each.steps) for each in traces])[:-1])

    def _computed(self, traces: Sequence[StepTrace]) -> list[np.ndarray]:
        if self._passes is None:
            model = build_step_model(ModelSettings(base=self.base, trainable="head"), seed=0)
            bf16 = resolve_precision("auto") == "bf16"
            self._passes = StepPasses(model, pad_id=self.encoder.pad_id, uses_bf16=bf16)
        encoded = encode_traces(traces, StepEncoder(self.encoder), max_tokens=None, policy="raise")
        known = [each for each in encoded if each is not None]
        before = self._passes.computed_tokens
        found = self._passes.features([each.input_ids for each in known], [each.places for each in known])
        total = sum(len(each.input_ids) for each in known)
        print(f"states: {len(traces)} traces, {total} tokens, {self._passes.computed_tokens - before} computed")
        return found


# ---- heads ----


def fit_head(states: Sequence[np.ndarray], traces: Sequence[StepTrace], targets: Sequence[np.ndarray]) -> Head:
    """A logistic regression; its L2 strength has the highest AUROC on a fifth of the problems, which are then used too.

    The threshold for the first error is fitted on that fifth, by the head that has not seen it.
    """
    is_inner = np.array([group_hash(each.group, "inner") % 5 == 0 for each in traces])
    inner, rest = np.flatnonzero(is_inner), np.flatnonzero(~is_inner)
    candidates = [regress(states, targets, rest, strength=strength) for strength in STRENGTHS]
    found = [[head.logits([states[n]])[0] for n in inner] for head in candidates]
    wanted = np.concatenate([targets[n] for n in inner]) if len(inner) else np.empty(0)
    values = [step_auroc(np.concatenate(each), wanted) if len(inner) else 0.5 for each in found]
    best = int(np.nanargmax(np.nan_to_num(values, nan=0.0)))
    judged = [
        (found[best][k], gold) for k, n in enumerate(inner) if (gold := first_error(traces[n].labels)) is not None
    ]
    threshold = 0.5
    if judged:
        threshold = fit_threshold([probabilities_of(each) for each, _ in judged], [gold for _, gold in judged])
    whole = regress(states, targets, np.arange(len(traces)), strength=STRENGTHS[best])
    return replace(whole, threshold=threshold)


def regress(
    states: Sequence[np.ndarray], targets: Sequence[np.ndarray], numbers: np.ndarray, *, strength: float
) -> Head:
    """The head with the least loss on the labelled steps of some traces."""
    x, y = np.concatenate([states[n] for n in numbers]), np.concatenate([targets[n] for n in numbers])
    x, y = x[~np.isnan(y)].astype(np.float64), y[~np.isnan(y)]
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    fitted = LogisticRegression(C=strength, max_iter=400).fit((x - mean) / scale, y > 0.5)
    return Head(mean, scale, fitted.coef_[0], float(fitted.intercept_[0]), 0.5)


def one_label(trace: StepTrace) -> StepTrace:
    """The trace with an outcome: its own, or where that is not known, whether no step is bad."""
    return trace if trace.final_correct is not None else replace(trace, final_correct=-1 not in trace.labels)


# ---- measures ----


def measure(
    reader: StateReader,
    train: dict[str, list[StepTrace]],
    heldout: dict[str, list[StepTrace]],
    solved: dict[str, Solved],
) -> dict[str, Any]:
    """Everything that the report needs, as plain numbers."""
    traces = [each for some in train.values() for each in some]
    states = [each for some in train.values() for each in reader.states(some)]
    prm = fit_head(states, traces, [trace_targets(each, target="steps", neutral="good") for each in traces])
    outcome = [trace_targets(one_label(each), target="outcome", neutral="good") for each in traces]
    orm_same = fit_head(states, traces, outcome)
    own = list(solved["train"].traces)
    orm_own = fit_head(reader.states(own), own, [trace_targets(each, target="outcome", neutral="good") for each in own])
    tests = {name: judged_steps(some, prm, prm.logits(reader.states(some))) for name, some in heldout.items()}
    test = solved["test"]
    states = reader.states(test.traces)
    heads = {"prm": prm.logits(states), "orm same": orm_same.logits(states), "orm gsm8k": orm_own.logits(states)}
    return {
        "train_traces": len(traces),
        "train_labels": int(sum(label is not None for each in traces for label in each.labels)),
        "orm_traces": len(own),
        "threshold": prm.threshold,
        "tests": tests,
        "best_of_4": best_of_4(test, heads),
        "auroc_of_solutions": solution_aurocs(test, heads),
        "problems": [each.group for each in test.traces[::4]],
    }


def judged_steps(traces: Sequence[StepTrace], head: Head, logits: Sequence[np.ndarray]) -> dict[str, Any]:
    """What the estimates of one test set are made from."""
    targets = [trace_targets(each, target="steps", neutral="good") for each in traces]
    known = [~np.isnan(each) for each in targets]
    flat, wanted = (
        np.concatenate([each[mask] for each, mask in zip(some, known, strict=True)]) for some in (logits, targets)
    )
    predicted = [locate_first_error(probabilities_of(each), head.threshold) for each in logits]
    return {
        "logits": np.round(flat, 4).tolist(),
        "labels": wanted.astype(int).tolist(),
        "step_groups": [each.group for each, mask in zip(traces, known, strict=True) for _ in range(mask.sum())],
        "predicted": predicted,
        "gold": [first_error(each.labels) for each in traces],
        "groups": [each.group for each in traces],
    }


def best_of_4(solved: Solved, heads: dict[str, list[np.ndarray]]) -> dict[str, list[float]]:
    """For each method the credit of each problem: whether the solution that it picks is right; ties share."""
    right = np.array([float(bool(each.final_correct)) for each in solved.traces]).reshape(-1, 4)
    scores = {
        "prm product": [aggregate(each, "product") for each in heads["prm"]],
        "prm minimum": [aggregate(each, "minimum") for each in heads["prm"]],
        "prm last": [aggregate(each, "last") for each in heads["prm"]],
        "orm same": [each[-1] for each in heads["orm same"]],
        "orm gsm8k": [each[-1] for each in heads["orm gsm8k"]],
        "majority": votes(solved.answers),
        "random": [0.0] * right.size,
    }
    credits = {}
    for name, values in scores.items():
        table = np.array(values).reshape(-1, 4)
        is_best = table == table.max(axis=1, keepdims=True)
        credits[name] = ((right * is_best).sum(axis=1) / is_best.sum(axis=1)).tolist()
    return credits | {"oracle": right.max(axis=1).tolist()}


def votes(answers: Sequence[str]) -> list[float]:
    """How many of its problem's four solutions give each solution's answer."""
    return [
        float(Counter(answers[first : first + 4])[answers[first + k]])
        for first in range(0, len(answers), 4)
        for k in range(4)
    ]


def solution_aurocs(solved: Solved, heads: dict[str, list[np.ndarray]]) -> dict[str, float]:
    """How well each head tells right solutions from wrong ones over all problems."""
    right = np.array([float(bool(each.final_correct)) for each in solved.traces])
    scores = {
        "prm product": [aggregate(each, "product") for each in heads["prm"]],
        "orm same": [each[-1] for each in heads["orm same"]],
        "orm gsm8k": [each[-1] for each in heads["orm gsm8k"]],
    }
    return {name: round(step_auroc(np.array(each, np.float64), right), 4) for name, each in scores.items()}


if __name__ == "__main__":
    main()
