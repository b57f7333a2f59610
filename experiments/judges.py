"""What is a small language model worth as a judge, and does it judge better after criticising itself?

SmolLM2-135M-Instruct (dequantised 4-bit weights), asked in this process about short human-labelled pairs (HH helpful)
and short pairs on which several GPT-4 annotators agree (AlpacaEval): pairwise in both orders and pointwise, by the
log-odds of the verdict, with and without a rubric; on some of the HH pairs in written verdicts, and with two rounds of
critique and revision. Beside each stands the floor: the longer answer wins. One pair a prompt, so that intervals
resample prompts. The network computes in bfloat16.

    python experiments/judges.py            # about 15 minutes on one core
    python experiments/judges.py --quick    # a minute: does it run?
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from study import FIGURES, RUNS, Row, Study, require_data, row, write_rows

from rewardsmith.audit.evaluation import to_json
from rewardsmith.audit.heldout.judged_pairs import judge_pairs
from rewardsmith.core.conversation import assistant, from_dicts, response_text, user
from rewardsmith.core.digest import digest_text
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.figures.style import INK, PALETTE, drawing, to_svg
from rewardsmith.models.causal_lm import CausalLm, load_causal_lm
from rewardsmith.numerics.intervals import share_bootstrap
from rewardsmith.scoring.families.judge.cache import ReplyCache
from rewardsmith.scoring.families.judge.local import LocalChat
from rewardsmith.scoring.families.judge.pairwise import PairwiseJudge
from rewardsmith.scoring.families.judge.pointwise import PointwiseJudge
from rewardsmith.scoring.families.judge.prompts import prompts_of
from rewardsmith.scoring.families.judge.questioner import Questioner
from rewardsmith.scoring.families.judge.settings import JudgeSettings, parse_judge

BASE = "builtin:smollm2-135m-instruct"
SOURCES = {
    "hh-helpful": "hh-rlhf-helpful-test-pairs.jsonl.gz",
    "alpaca": "alpaca-eval-multi-annotator-pairs.jsonl.gz",
}
MOST_CHARACTERS = 900
"""Of prompt and both answers: a question of some 400 tokens."""

ARMS: dict[str, dict[str, Any]] = {
    "pairwise": {"kind": "pairwise"},
    "pairwise, no rubric": {"kind": "pairwise", "rubric": ""},
    "pointwise": {"kind": "pointwise"},
    "pointwise, no rubric": {"kind": "pointwise", "rubric": ""},
    "pairwise, written": {"kind": "pairwise", "reading": "text", "max_reply_tokens": 48, "parse_retries": 1},
    "pairwise, critique": {"kind": "pairwise", "rounds": 2, "max_reply_tokens": 24},
}
WRITTEN, CRITIQUE = "pairwise, written", "pairwise, critique"
SLOW = {WRITTEN: 12, CRITIQUE: 24}
"""Arms that write, and so take many seconds a pair: of these so many pairs, of one source."""

SLOW_SOURCE = "hh-helpful"


def main() -> None:
    """Run, or go on; print the tables; write rows and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few pairs; nothing is written")
    quick = parser.parse_args().quick
    most = 3 if quick else 50
    study = Study("judges-quick" if quick else "judges")
    model = load_causal_lm(BASE)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    floors: dict[str, Estimate] = {}
    for source in SOURCES:
        pairs = load_pairs(source, most=most)
        floors[source] = longer_wins(pairs)
        for arm, values in ARMS.items():
            if arm not in SLOW or source == SLOW_SOURCE:
                some = pairs[: min(SLOW.get(arm, most), 1 if quick and arm in SLOW else most)]
                asked = prompts_of(_judge_settings(values)).digest[:12]
                settings = {"source": source, "arm": arm, **values, "pairs": len(some), "prompts": asked}
                found[source, arm] = study.run(settings, lambda v=values, s=some: measure(model, v, s))
    print_tables(found, floors)
    print(f"runs took {study.seconds:.0f} s")
    if not quick:
        write_rows(rows_of(found, floors))
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "judges.svg").write_text(figure(found, floors) + "\n", "utf-8")


# ---- data ----


def load_pairs(source: str, *, most: int) -> list[Preference]:
    """Short labelled pairs, one a prompt, in an order that depends on their names alone; of votes only unanimous."""
    (path,) = require_data(SOURCES[source])
    chosen: dict[str, Preference] = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for values in sorted(map(json.loads, stream), key=lambda each: digest_text(each["id"])):
            pair = _preference(values)
            if pair is not None:
                chosen.setdefault(pair.group, pair)
    return list(chosen.values())[:most]


def _preference(values: Mapping[str, Any]) -> Preference | None:
    prompt = values["prompt"]
    turns = (user(prompt),) if isinstance(prompt, str) else from_dicts(prompt)
    answers = (values["chosen"], values["rejected"])
    size = sum(len(turn.content) for turn in turns) + sum(map(len, answers))
    is_clear = values["label"] == "chosen" and set(values.get("votes") or ["chosen"]) == {"chosen"}
    if not is_clear or size > MOST_CHARACTERS:
        return None
    return Preference(
        prompt=turns,
        responses=tuple((assistant(answer),) for answer in answers),
        pairs=(Pair(0, 1),),
        id=values["id"],
        group=values["prompt_id"],
        source=values["source"],
    )


def longer_wins(pairs: Sequence[Preference]) -> Estimate:
    """Accuracy of the rule that the answer of more characters is the better one."""
    lengths = [[len(response_text(pair.conversation(side))) for side in (0, 1)] for pair in pairs]
    leads = [np.sign(chosen - rejected) for chosen, rejected in lengths]
    return share_bootstrap((1 + np.array(leads, dtype=np.float64)) / 2, [pair.group for pair in pairs])


# ---- measures ----


def measure(model: CausalLm, values: Mapping[str, Any], pairs: Sequence[Preference]) -> dict[str, Any]:
    """One arm on `pairs`; replies are kept, so that an interrupted arm goes on where it stopped."""
    settings = _judge_settings(values)
    cache = ReplyCache(RUNS / "judge-replies")
    chat = LocalChat(model, max_reply_tokens=settings.max_reply_tokens, precision="bf16", cache=cache)
    questioner = Questioner(settings, chat)
    judge = PairwiseJudge(questioner) if settings.kind == "pairwise" else PointwiseJudge(questioner)
    return to_json(judge_pairs(judge, pairs))


def _judge_settings(values: Mapping[str, Any]) -> JudgeSettings:
    backend = {"local": BASE, "precision": "bf16"}
    return parse_judge({"backend": backend, "no_verdict": "nan", **values}, where="experiment")


def estimate(result: Mapping[str, Any], name: str, *, number: int = 0) -> Estimate | None:
    """A figure of round `number`; `None` where the arm has none."""
    known = result["rounds"][number][name]
    if known is None:
        return None
    values: dict[str, Any] = {key: float("nan") if each is None else each for key, each in known.items()}
    return Estimate(**values)


# ---- what is shown ----


def print_tables(found: Mapping[tuple[str, str], Mapping[str, Any]], floors: Mapping[str, Estimate]) -> None:
    """Every arm, and every round of the critique."""
    names = ("accuracy", "debiased", "one_order", "inconsistency", "first_place", "ties")
    print(f"{'':36}{'no verdict':>11}" + "".join(f"{name:>28}" for name in names))
    for source, floor in floors.items():
        print(f"{source + ': the longer one wins':36}{'':11}{floor!s:>28}")
    for (source, arm), result in found.items():
        for number, each in enumerate(result["rounds"]):
            shown = [estimate(result, name, number=number) for name in names]
            label = f"{source}: {arm}" + (f" {number}" if number else "")
            print(
                f"{label:36}{each['no_verdict']:>11}" + "".join(f"{'' if one is None else one!s:>28}" for one in shown)
            )
            changes = [estimate(result, name, number=number) for name in ("change", "debiased_change")]
            if any(change is not None for change in changes):
                said = "".join(f"{'' if one is None else one!s:>28}" for one in changes)
                print(f"{'  against the first verdict':36}{'':11}{said}")


def rows_of(found: Mapping[tuple[str, str], Mapping[str, Any]], floors: Mapping[str, Estimate]) -> list[Row]:
    """Accuracy against the floor, leaning to a place, and what critique changes."""
    rows = []
    for source in SOURCES:
        peer = f"the longer one wins: {floors[source].value:.3f}"
        plain, rated = found[source, "pairwise"], found[source, "pointwise"]
        rows += [
            _row(f"judge-135m-pairwise-accuracy-{source}", estimate(plain, "accuracy"), "share", "both orders", peer),
            _row(f"judge-135m-debiased-accuracy-{source}", estimate(plain, "debiased"), "share", "log-odds", peer),
            _row(f"judge-135m-inconsistency-{source}", estimate(plain, "inconsistency"), "share", "both orders", "0"),
            _row(f"judge-135m-first-place-{source}", estimate(plain, "first_place"), "share", "both orders", "0.5"),
            _row(f"judge-135m-pointwise-accuracy-{source}", estimate(rated, "accuracy"), "share", "expectation", peer),
        ]
    critique = found[SLOW_SOURCE, CRITIQUE]
    last = len(critique["rounds"]) - 1
    sides = [estimate(critique, "debiased", number=number) for number in (last, 0)]
    ours, peer = (round(each.value, 4) if each is not None else None for each in sides)
    changed = estimate(critique, "debiased_change", number=last)
    name = f"judge-135m-critique-{last}-rounds-minus-none"
    return [*rows, _row(name, changed, "debiased accuracy", ours, peer)]


def _row(name: str, found: Estimate | None, unit: str, ours: Any, peer: Any) -> Row:
    assert found is not None
    return row(name, found.value, (found.low, found.high), n=found.n, unit=unit, ours=ours, peer=peer)


def figure(found: Mapping[tuple[str, str], Mapping[str, Any]], floors: Mapping[str, Estimate]) -> str:
    """Accuracy of every arm with its interval; and accuracy and inconsistency over the rounds of critique."""
    with drawing():
        drawn = Figure(figsize=(10.0, 4.2), layout="constrained")
        left, right = drawn.subplots(1, 2, width_ratios=(3, 2))
        arms = [arm for arm in ARMS if arm != CRITIQUE]
        for number, source in enumerate(SOURCES):
            for place, arm in enumerate(arms):
                one = estimate(found[source, arm], "accuracy") if (source, arm) in found else None
                if one is not None:
                    at = len(arms) - place + 0.15 - 0.3 * number
                    left.hlines(at, one.low, one.high, color=PALETTE[number], linewidth=2)
                    left.plot(one.value, at, "o", color=PALETTE[number], label=source if place == 0 else None)
            left.axvline(floors[source].value, color=PALETTE[number], linewidth=1, linestyle=(0, (4, 3)))
        _draw_rounds(right, found[SLOW_SOURCE, CRITIQUE])
        left.axvline(0.5, color=INK, linewidth=1)
        left.set_yticks([len(arms) - place for place in range(len(arms))], arms)
        left.set(title="Accuracy (dashed: longer wins)", xlabel="accuracy")
        right.set(title="Rounds of critique", xlabel=f"round ({SLOW_SOURCE})", ylabel="share of pairs", ylim=(0, 1.02))
        left.legend(loc="lower right")
        right.legend(loc="best", fontsize=8)
        said = "; ".join(f"{source} {arm} {estimate(each, 'accuracy')}" for (source, arm), each in found.items())
        return to_svg(drawn, f"SmolLM2-135M as a judge, accuracy: {said}.")


def _draw_rounds(axes: Any, result: Mapping[str, Any]) -> None:
    numbers = list(range(len(result["rounds"])))
    for name, colour in zip(("accuracy", "debiased", "inconsistency", "first_place"), PALETTE, strict=False):
        known = [estimate(result, name, number=number) for number in numbers]
        found = [each for each in known if each is not None]
        axes.plot(numbers, [each.value for each in found], color=colour, marker="o", label=name.replace("_", " "))
        axes.fill_between(
            numbers, [each.low for each in found], [each.high for each in found], color=colour, alpha=0.15
        )
    axes.set_xticks(numbers)


if __name__ == "__main__":
    main()
