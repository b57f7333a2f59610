"""The first half of a round: responses, drift, and the pairs that people should label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.scores import Scorer
from rewardsmith.core.store import read_manifest
from rewardsmith.optimise.load import load_prompts
from rewardsmith.optimise.policy.load import iter_candidates, load_policy
from rewardsmith.optimise.policy.policy import Prompt, SamplingSettings
from rewardsmith.optimise.sample_store import KIND as SAMPLES_KIND
from rewardsmith.optimise.sample_store import iter_groups, write_samples
from rewardsmith.optimise.samples import SampleGroup
from rewardsmith.pipeline.refresh_round import CANDIDATES, DRIFT, TO_LABEL, WORK, Round
from rewardsmith.refresh.asked import asked_of
from rewardsmith.refresh.candidates import Candidates, conversations_of, from_groups, from_traffic, joined
from rewardsmith.refresh.choose import choose
from rewardsmith.refresh.drift import Side, drift_json, measure_drift
from rewardsmith.refresh.pool import features_of, pair_features, pool_of, read_pool
from rewardsmith.refresh.replay import conversations_of as old_conversations
from rewardsmith.refresh.store import (
    TO_LABEL_KIND,
    current,
    read_candidates,
    write_candidates,
    write_to_label,
    write_values,
)
from rewardsmith.serve.drift import Reference, load_reference
from rewardsmith.serve.traffic import read_traffic

DRIFT_KIND = "drift"
DRIFT_NAME = "drift.json"

_MOST_COMPARED = 1000
_MOST_KNOWN = 500


def gather(round_: Round) -> Manifest:
    """The responses that could be labelled, as they are now: a log goes on growing, the round does not.

    Raises:
        DataError: There is no response.
        RewardsmithError: They cannot be read, or the policy cannot answer.
    """
    out, settings = round_.folder / CANDIDATES, round_.settings
    manifest = Manifest(
        kind=SAMPLES_KIND, config={"refresh": True}, seed=settings.seed, parents={"round": round_.digest}
    )
    if current(out, manifest):
        return read_manifest(out, SAMPLES_KIND)
    candidates = _found(round_)
    if not candidates.groups:
        raise DataError(
            "nothing to choose from", wanted="responses", got=candidates.counts, where="--traffic or --samples"
        )
    return write_candidates(out, candidates, manifest)


def find_drift(round_: Round) -> Manifest:
    """How far the responses lie from what the incumbent was judged on: `drift.json`."""
    out, candidates = round_.folder / DRIFT, read_manifest(round_.folder / CANDIDATES, SAMPLES_KIND)
    parents = {"candidates": candidates.digest, "model": round_.provenance.model_digest}
    manifest = Manifest(kind=DRIFT_KIND, config={"most": _MOST_COMPARED}, seed=round_.settings.seed, parents=parents)
    if current(out, manifest):
        return read_manifest(out, DRIFT_KIND)
    scorer = round_.load_scorer()
    live = _live(round_, scorer)
    reference, source = _reference(round_, scorer)
    drifts = measure_drift(live, reference, source=source, seed=round_.settings.seed)
    values = drift_json(drifts)
    counts = {"live": len(live.rewards), "reference": len(reference.rewards), "drifted": values["drifted"]}
    return write_values(out, DRIFT_NAME, values, manifest.model_copy(update={"counts": counts}))


def ask(round_: Round) -> Manifest:
    """The pairs to label: `pairs.jsonl`, each with its `id`, `why`, and `acquisition` value.

    Raises:
        DataError: No prompt has two responses.
        SettingsError: The incumbent lacks what the choice needs.
    """
    out, settings = round_.folder / TO_LABEL, round_.settings
    found = read_manifest(round_.folder / CANDIDATES, SAMPLES_KIND)
    # Old labels are no parent: questions that people work on do not change because a file of labels has grown.
    parents = {"candidates": found.digest, "model": round_.provenance.model_digest}
    config = {**settings.choose.model_dump(mode="json"), "round": round_.digest}
    manifest = Manifest(kind=TO_LABEL_KIND, config=config, seed=settings.seed, parents=parents)
    if current(out, manifest):
        return read_manifest(out, TO_LABEL_KIND)
    groups = read_candidates(round_.folder / CANDIDATES, SAMPLES_KIND).groups
    chosen = settings.choose
    pool = pool_of(groups, per_prompt=chosen.pairs_per_prompt, most=chosen.most_considered, seed=settings.seed)
    if not len(pool):
        raise DataError(
            "no prompt has two different responses, so there is no pair to label",
            got=found.counts,
            where=str(round_.folder / CANDIDATES),
            fix="name a --policy that writes a second response",
        )
    wants_features = chosen.by not in ("random", "margin", "disagreement")
    scorer = round_.load_scorer()
    reading = read_pool(pool, scorer, with_features=chosen.by != "random")
    known = _known_features(round_, scorer) if wants_features else None
    picked = choose(pool, reading, chosen, known=known, seed=settings.seed)
    asked = asked_of(pool, reading, picked)
    counts = {
        "considered": len(pool),
        "asked": len(asked),
        "without_reward": int(np.isnan(reading.rewards).any(1).sum()),
    }
    by = {name: sum(each.by == name for each in asked) for name in sorted({each.by for each in asked})}
    return write_to_label(out, asked, manifest.model_copy(update={"counts": counts | {"by": by}}))


def _found(round_: Round) -> Candidates:
    inputs, settings = round_.inputs, round_.settings
    if inputs.prompts is not None:
        return from_groups(_written(round_, load_prompts(inputs.prompts).prompts, settings.sample.n, "answers"))
    if inputs.samples is not None:
        candidates = from_groups(iter_candidates(inputs.samples))
    else:
        candidates = from_traffic(
            read_traffic(Path(str(inputs.traffic))),
            model_digest=round_.provenance.model_digest,
            most_prompts=settings.choose.most_considered,
            seed=settings.seed,
        )
    if inputs.policy is None:
        return candidates
    lone = [(group.prompt, group.group) for group in candidates.lone]
    missing = max(1, settings.sample.n - 1)
    return joined(candidates, _written(round_, lone, missing, "second") if lone else ())


def _written(round_: Round, prompts: Sequence[Prompt], n: int, name: str) -> Sequence[SampleGroup]:
    """What the policy writes; kept in the work folder, so that a kill costs a few prompts."""
    settings = round_.settings
    sampling = SamplingSettings(
        n=n, seed=settings.seed, max_new_tokens=settings.sample.max_new_tokens, temperature=settings.sample.temperature
    )
    folder = round_.folder / WORK / name
    write_samples(load_policy(str(round_.inputs.policy), sampling), prompts, out=folder, settings=sampling)
    return list(iter_groups(folder))


def _live(round_: Round, scorer: Scorer) -> Side:
    """Candidates by lot; those that the incumbent served have their rewards with them."""
    found = list(conversations_of(read_candidates(round_.folder / CANDIDATES, SAMPLES_KIND)))
    places = np.random.default_rng(round_.settings.seed).permutation(len(found))[:_MOST_COMPARED]
    drawn = [found[place] for place in sorted(places.tolist())]
    served = np.array([np.nan if reward is None else reward for _, reward in drawn])
    return _side(scorer, [conversation for conversation, _ in drawn], served=served)


def _reference(round_: Round, scorer: Scorer) -> tuple[Side, str]:
    """What the incumbent was judged on: held-out pairs, else the rewards that an evaluation left beside it."""
    old = old_conversations(round_.old.heldout(), most=_MOST_COMPARED)
    if old:
        return _side(scorer, old), "held-out pairs" if round_.old.folder else "old labels"
    beside: Reference | None = load_reference(round_.incumbent, round_.provenance.model_digest)
    if beside is None:
        return Side((), np.empty(0)), "none"
    return Side((), beside.rewards.astype(np.float64)), beside.source


def _side(scorer: Scorer, conversations: Sequence[Conversation], *, served: np.ndarray | None = None) -> Side:
    """Rewards as they were served, where they all were; else they are made now."""
    if served is not None and np.isfinite(served).all() and len(served):
        return Side(conversations, served, None, features_of(scorer, conversations))
    scores = scorer.score(conversations)
    spread = None if scores.spread is None else scores.spread.astype(np.float64)
    return Side(conversations, scores.rewards.astype(np.float64), spread, features_of(scorer, conversations))


def _known_features(round_: Round, scorer: Scorer) -> np.ndarray | None:
    """Features of old training pairs, some of them by lot: what the choice keeps away from."""
    train = round_.old.train() or round_.old.read()
    if not train:
        return None
    places = np.random.default_rng(round_.settings.seed).permutation(len(train))[:_MOST_KNOWN]
    sides = []
    for place in sorted(places.tolist()):
        preference = train[place]
        pair = preference.pairs[0]
        sides += [preference.conversation(pair.chosen), preference.conversation(pair.rejected)]
    rewards = scorer.score(sides).rewards.astype(np.float64).reshape(-1, 2)
    return pair_features(scorer, sides, np.arange(len(sides)).reshape(-1, 2), rewards)
