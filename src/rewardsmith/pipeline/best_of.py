"""Best-of-n for a file of prompts: sampled, scored, picked, and written down prompt by prompt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.progress import track
from rewardsmith.core.scores import Relative, Scorer, Scores, joined
from rewardsmith.core.store import is_current, read_manifest, require_replaceable, write_json, writing_artefact
from rewardsmith.optimise.best_of import BestOfSettings, best_of, summarise
from rewardsmith.optimise.load import load_prompts
from rewardsmith.optimise.policy.candidates import CandidatePolicy
from rewardsmith.optimise.policy.load import load_policy
from rewardsmith.optimise.policy.policy import Policy, Prompt
from rewardsmith.optimise.resumable_store import ResumableLines, done, resuming
from rewardsmith.optimise.sample_store import iter_lines, prompts_digest
from rewardsmith.optimise.samples import SampleGroup
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.load import load_scorer

KIND = "best-of"
LINES_NAME = "best_of.jsonl"
SUMMARY_NAME = "summary.json"


def best_of_file(
    policy: str,
    model: str,
    prompts: str | None,
    *,
    out: Path,
    settings: BestOfSettings,
    overlength: Overlength = "raise",
    key_env: str | None = None,
    reference: str | None = None,
) -> Manifest:
    """Sample, score and pick for every prompt; `out` gets `best_of.jsonl`, `summary.json` and a manifest.

    A run that is killed keeps the prompts that it has done beside `out`; the same command goes on from there, and ends
    with the same files. A result that is there already, of the same everything, is not made again.

    Args:
        policy: See `load_policy`.
        model: Reward model: a folder, a hub id, or a server's URL.
        prompts: See `load_prompts`; those of the candidates where absent.
        overlength: What happens to conversations that are too long for the reward model.
        key_env: Of an endpoint: the environment variable with its key.
        reference: Of a language model: whose log-probabilities are written down too.

    Raises:
        SettingsError: There are no prompts.
        ArtefactError: `out` holds something else, or another process writes it.
        RewardsmithError: A part of it cannot be loaded, or a prompt cannot be answered or scored.
    """
    require_replaceable(out, KIND)
    loaded = load_policy(policy, settings.sampling, key_env=key_env, reference=reference)
    asked = load_prompts(prompts).prompts if prompts is not None else _own_prompts(loaded)
    scorer = load_scorer(model, overlength=overlength)
    config = {"policy": policy, "model": model, "prompts": prompts, "reference": reference, "overlength": overlength}
    return run_best_of(loaded, scorer, asked, out=out, settings=settings, config=config)


def run_best_of(
    policy: Policy,
    scorer: Scorer,
    prompts: Sequence[Prompt],
    *,
    out: Path,
    settings: BestOfSettings,
    config: dict[str, Any] | None = None,
) -> Manifest:
    """`best_of_file` of what is loaded already.

    Args:
        config: What else the manifest should say.
    """
    require_replaceable(out, KIND)
    config = {**(config or {}), "policy_identity": dict(policy.identity), **settings.model_dump(mode="json")}
    parents = _parents(scorer, prompts)
    if is_current(out, kind=KIND, config=config, parents=parents):
        # It may have been killed just before this.
        done(out)
        return read_manifest(out, KIND)
    chunk = settings.prompts_at_once
    with resuming(out, {"config": config, "parents": parents}, chunk=chunk) as lines:
        _go_on(policy, scorer, prompts, lines, settings)
        is_drawn = not isinstance(policy, CandidatePolicy)
        summary = summarise((values for _, values in iter_lines(lines.path)), settings, is_drawn=is_drawn).to_dict()
        counts = {key: value for key, value in summary.items() if isinstance(value, int)}
        manifest = Manifest(kind=KIND, config=config, seed=settings.sampling.seed, parents=parents, counts=counts)
        with writing_artefact(out, manifest) as draft:
            shutil.copyfile(lines.path, draft.folder / LINES_NAME)
            write_json(draft.folder / SUMMARY_NAME, summary)
        done(out)
    return read_manifest(out, KIND)


def _go_on(
    policy: Policy, scorer: Scorer, prompts: Sequence[Prompt], lines: ResumableLines, settings: BestOfSettings
) -> None:
    chunk, sampling = settings.prompts_at_once, settings.sampling
    starts = range(min(lines.known, len(prompts)), len(prompts), chunk)
    for start in track(starts, "best of n, some prompts at a time"):
        some = prompts[start : start + chunk]
        groups = list(policy.sample(some, n=sampling.n, seed=sampling.seed))
        found = zip(groups, _scored(scorer, groups), strict=True)
        lines.add([orjson.dumps(best_of(group, scores, settings)) + b"\n" for group, scores in found])


def _scored(scorer: Scorer, groups: Sequence[SampleGroup]) -> Iterator[Scores]:
    """The scores of each group; all at once, where a reward does not depend on its company."""
    if isinstance(scorer, Relative):
        for group in groups:
            yield joined(list(scorer.score_by_prompt(group.conversations())))
        return
    scores = scorer.score([each for group in groups for each in group.conversations()])
    start = 0
    for group in groups:
        yield scores.take(slice(start, start + len(group)))
        start += len(group)


def _own_prompts(policy: Policy) -> Sequence[Prompt]:
    if not isinstance(policy, CandidatePolicy):
        raise SettingsError("no prompts", wanted="--prompts FILE", where="--prompts", fix="name a file of prompts")
    return policy.prompts


def _parents(scorer: Scorer, prompts: Sequence[Prompt]) -> dict[str, str]:
    if not prompts:
        raise SettingsError("no prompts", wanted="at least one", where="--prompts")
    provenance = scorer.score([]).provenance
    return {
        "model": provenance.model_digest,
        "template": provenance.template_digest,
        "prompts": prompts_digest(prompts),
    }
