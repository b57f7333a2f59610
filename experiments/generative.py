"""Does a reward model gain by writing a rationale before it scores? And what does a DPO policy's own reward know?

Generative: the built-in LM with LoRA in its last quarter learns from built-in rankings, once for each choice of α,
rationale length and readout, and is asked about pairs of other prompts. Rationales in training are the rubric's
sentences, in the test the model's own. The rubric also made most of the labels (votes of simulated raters on its
points), so that a rationale of it is as good as rationales get.

Implicit: the same LM after some steps of DPO on built-in pairs (TRL) against itself before, on the same test pairs.

Intervals resample prompts. Every label is synthetic. Seconds are the processor's, on one core.

    python experiments/generative.py            # about 18 minutes on one core
    python experiments/generative.py --quick    # two minutes: does it run?
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from matplotlib.figure import Figure
from peft import LoraConfig, TaskType
from study import FIGURES, RUNS, Row, Study, row, write_rows
from trl import DPOConfig, DPOTrainer

from rewardsmith.core.conversation import Conversation, response_text, to_dicts
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer
from rewardsmith.figures.style import PALETTE, drawing, to_svg
from rewardsmith.models.builtin import resolve
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.models.settings import ModelSettings
from rewardsmith.numerics.intervals import paired_difference, share_bootstrap
from rewardsmith.preferences.prepare import prepare
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.store import load_table
from rewardsmith.scoring.families.implicit import ImplicitScorer
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.generative import train_generative
from rewardsmith.training.generative_settings import GenerativeSettings
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings

BASE = "builtin:smollm2-135m-instruct"
LONG, SHORT = 32, 16
PLAIN = "no rationale, head"
ARMS: dict[str, dict[str, Any]] = {
    PLAIN: {"max_tokens": 0, "alpha": 0.0},
    "16 tokens, head": {"max_tokens": SHORT},
    "32 tokens, head": {"max_tokens": LONG},
    "32 tokens, verdict": {"max_tokens": LONG, "score_from": "verdict"},
    "32 tokens, head, α = 0": {"max_tokens": LONG, "alpha": 0.0},
}
QUICK_ARMS = (PLAIN, "16 tokens, head", "32 tokens, verdict")
BETA = 0.1


def main() -> None:
    """Run, or go on; print the tables; write rows and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few prompts and three arms; no rows")
    quick = parser.parse_args().quick
    study = Study("generative-quick" if quick else "generative")
    prompts, pairs = (8, 4) if quick else (44, 48)
    rankings = prepared("starter-rankings", limit=prompts, heldout_share=0.06)
    starter = prepared("starter", limit=None, heldout_share=0.25)
    test = list(load_table(starter, "heldout"))[: 8 if quick else None]
    found = {
        name: study.run({"arm": name, "prompts": prompts} | ARMS[name], lambda n=name: measure(n, rankings, test))
        for name in (QUICK_ARMS if quick else ARMS)
    }
    some = list(load_table(starter, "train"))[:pairs]
    implicit = study.run({"implicit": pairs, "beta": BETA}, lambda: measure_implicit(some, test))
    rows = [*report(found), *report_implicit(implicit)]
    print(f"runs took {study.seconds:.0f} s")
    if not quick:
        write_rows(rows)
        FIGURES.mkdir(parents=True, exist_ok=True)
        (FIGURES / "generative.svg").write_text(figure(found) + "\n", "utf-8")


# ---- data ----


def prepared(name: str, *, limit: int | None, heldout_share: float) -> Path:
    """The preferences artefact of a built-in set, made once."""
    folder = RUNS / f"generative-{name}-{limit}-{heldout_share}"
    if not folder.is_dir():
        source = SourceSettings(path=f"builtin:{name}", max_responses=4)
        settings = DataSettings(sources=(source,), heldout_share=heldout_share, limit=limit, max_tokens=256)
        prepare(settings, folder, ConversationEncoder(load_tokenizer(resolve(BASE))))
    return folder


def credits_of(scorer: Scorer, heldout: list[Preference]) -> dict[str, Any]:
    """One credit a pair: 1 where the chosen response has the higher reward, ½ where both are equal."""
    everything = [p.conversation(k) for p in heldout for k in range(len(p.responses))]
    # A response stands in several pairs.
    texts = list(dict.fromkeys(everything))
    started = time.process_time()
    scores = scorer.score(texts)
    seconds = time.process_time() - started
    known = dict(zip(texts, scores.rewards.tolist(), strict=True))
    credits, groups = [], []
    for preference in heldout:
        own = [known[preference.conversation(k)] for k in range(len(preference.responses))]
        for pair in preference.pairs:
            credits.append(0.5 * (np.sign(own[pair.chosen] - own[pair.rejected]) + 1.0))
            groups.append(preference.group)
    written = list(scores.rationales or ())
    return {
        "credits": credits,
        "groups": groups,
        "texts": len(texts),
        "score_s": round(seconds, 2),
        "rationales": written[:3],
        "distinct_rationales": len(set(written)),
    }


# ---- generative ----


def measure(name: str, data: Path, test: list[Preference]) -> dict[str, Any]:
    """Train one arm, score the test pairs with what it wrote itself, and remove the model."""
    out = RUNS / "generative-model"
    shutil.rmtree(out, ignore_errors=True)
    recipe = Recipe(
        name="generative",
        model=ModelSettings(base=BASE, trainable="lora", lora_blocks="last_quarter"),
        training=TrainingSettings(
            epochs=2, learning_rate=1e-3, batch_size=2, evaluate_every_epochs=100, save_every_steps=1000
        ),
        generative=GenerativeSettings.model_validate(ARMS[name]),
    )
    started = time.process_time()
    manifest = train_generative(recipe, data, out)
    seconds = time.process_time() - started
    found = credits_of(load_scorer(out, overlength="truncate"), test)
    shutil.rmtree(out, ignore_errors=True)
    return found | {"train_s": round(seconds, 1), "train_pairs": manifest.counts["pairs"]}


def report(found: dict[str, dict[str, Any]]) -> list[Row]:
    """Print accuracy, cost, and what rationales add; give the rows."""
    print(f"\n{'arm':26} {'accuracy [95%]':24} {'against the plain one':26} {'training':>9} {'scoring':>13}")
    plain = found[PLAIN]
    for name, each in found.items():
        share, gain = accuracy(each), difference(each, plain)
        print(
            f"{name:26} {_shown(share):24} {_shown(gain) if each is not plain else '':26} "
            f"{each['train_s']:7.0f} s {1000 * each['score_s'] / each['texts']:6.0f} ms/text"
        )
    first = next(iter(found.values()))
    print(f"n = {len(first['credits'])} test pairs of {len(set(first['groups']))} prompts")
    for name, each in found.items():
        if any(each["rationales"]):
            print(f"{name} ({each['distinct_rationales']} different): {each['rationales'][0]!r}")
    best = "32 tokens, head"
    if best not in found:
        return []
    gain = difference(found[best], plain)
    sides = {"ours": round(accuracy(found[best]).value, 3), "peer": round(accuracy(plain).value, 3)}
    interval = (gain.low, gain.high)
    return [row("generative-minus-plain-head", gain.value, interval, n=gain.n, unit="accuracy, pairs", **sides)]


def accuracy(found: dict[str, Any]) -> Estimate:
    """Share of the test pairs in the right order."""
    return share_bootstrap(np.array(found["credits"]), found["groups"])


def difference(found: dict[str, Any], other: dict[str, Any]) -> Estimate:
    """Accuracy of the one minus that of the other, on the same pairs."""
    return paired_difference(np.array(found["credits"]), np.array(other["credits"]), found["groups"])


def figure(found: dict[str, dict[str, Any]]) -> str:
    """Accuracy of each arm with its interval."""
    with drawing():
        canvas = Figure(figsize=(6.4, 0.5 * len(found) + 1.2))
        axes = canvas.add_subplot()
        for place, each in enumerate(found.values()):
            share = accuracy(each)
            axes.plot([share.low, share.high], [place, place], color=PALETTE[0])
            axes.plot([share.value], [place], "o", color=PALETTE[0])
        axes.axvline(0.5, color="grey", linewidth=0.8)
        axes.set_yticks(range(len(found)), list(found))
        axes.invert_yaxis()
        axes.set_xlabel("accuracy on built-in pairs of other prompts (synthetic), 95% over prompts")
        said = "; ".join(f"{name} {accuracy(each).value:.2f}" for name, each in found.items())
        return to_svg(canvas, f"Accuracy on built-in pairs of other prompts: {said}.")


# ---- implicit ----


def measure_implicit(pairs: list[Preference], test: list[Preference]) -> dict[str, Any]:
    """The implicit reward of the LM against itself, and of a LoRA that DPO trained on some pairs."""
    itself = load_causal_lm(BASE)
    own = ImplicitScorer(itself, itself, beta=BETA).score([p.conversation(0) for p in test[:4]])
    started = time.process_time()
    policy = load_causal_lm(train_dpo(pairs, RUNS / "generative-dpo"))
    seconds = time.process_time() - started
    found = {"itself": float(np.abs(own.rewards).max()), "train_s": round(seconds, 1), "train_pairs": len(pairs)}
    for normalise in ("none", "per_token"):
        scorer = ImplicitScorer(policy, itself, beta=BETA, normalise=normalise)
        found[normalise] = credits_of(scorer, test)
    lengths = [[len(response_text(response)) for response in p.responses] for p in test]
    found["longer"] = [
        0.5 * (np.sign(own[pair.chosen] - own[pair.rejected]) + 1.0)
        for p, own in zip(test, lengths, strict=True)
        for pair in p.pairs
    ]
    return found


def train_dpo(preferences: list[Preference], out: Path) -> Path:
    """A LoRA adapter from one epoch of TRL's DPO on the pairs; its reference is the LM without the adapter."""
    shutil.rmtree(out, ignore_errors=True)
    torch.manual_seed(0)
    arguments = DPOConfig(
        output_dir=str(out),
        beta=BETA,
        learning_rate=3e-4,
        num_train_epochs=1,
        per_device_train_batch_size=2,
        max_length=256,
        lr_scheduler_type="constant",
        bf16=False,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        logging_steps=5,
        report_to="none",
        disable_tqdm=True,
        gradient_checkpointing=False,
    )
    trainer = DPOTrainer(
        model=resolve(BASE),
        args=arguments,
        train_dataset=Dataset.from_list([row_of(each) for each in preferences]),
        processing_class=load_tokenizer(resolve(BASE)),
        peft_config=LoraConfig(task_type=TaskType.CAUSAL_LM, r=16, lora_alpha=32, target_modules="all-linear"),
    )
    trainer.train()
    trainer.save_model(str(out))
    return out


def row_of(preference: Preference) -> dict[str, Any]:
    """The first pair of a preference as TRL wants it."""
    pair = preference.pairs[0]
    sides: dict[str, Conversation] = {
        "prompt": preference.prompt,
        "chosen": preference.responses[pair.chosen],
        "rejected": preference.responses[pair.rejected],
    }
    return {name: to_dicts(turns) for name, turns in sides.items()}


def report_implicit(found: dict[str, Any]) -> list[Row]:
    """Print what the implicit rewards are worth, beside length; give the row."""
    print(f"\nimplicit reward of the LM against itself: largest size {found['itself']:.1e}")
    groups = found["none"]["groups"]
    print(f"DPO on {found['train_pairs']} pairs in {found['train_s']:.0f} s; n = {len(groups)} test pairs")
    for name in ("none", "per_token"):
        cost = 1000 * found[name]["score_s"] / found[name]["texts"]
        print(f"  implicit, normalise {name}: {_shown(accuracy(found[name]))}  {cost:.0f} ms/text")
    longer = {"credits": found["longer"], "groups": groups}
    print(f"  longer wins: {_shown(accuracy(longer))}")
    gain = difference(found["none"], longer)
    sides = {"ours": round(accuracy(found["none"]).value, 3), "peer": round(accuracy(longer).value, 3)}
    interval = (gain.low, gain.high)
    return [row("implicit-minus-longer-wins", gain.value, interval, n=gain.n, unit="accuracy, pairs", **sides)]


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


if __name__ == "__main__":
    main()
