"""How far may a reward be followed? Sample, rate by gold, score, fit the curve, write the KL budget down."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.evaluation import to_json
from rewardsmith.audit.family import settle
from rewardsmith.audit.store import PRESSURE_KIND, PRESSURE_NAME
from rewardsmith.audit.stress.pressure import Pressure, measure_pressure
from rewardsmith.audit.stress.pressure_findings import pressure_findings
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ArtefactError, SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.scores import Scorer
from rewardsmith.core.settings import Settings
from rewardsmith.core.store import (
    artefact_kind,
    is_current,
    read_manifest,
    require_replaceable,
    write_json,
    write_text,
    writing_artefact,
)
from rewardsmith.figures.markdown import render_markdown
from rewardsmith.figures.page import render_page
from rewardsmith.optimise.gold import Gold
from rewardsmith.optimise.load import load_gold, load_prompts
from rewardsmith.optimise.policy.candidates import CandidatePolicy
from rewardsmith.optimise.policy.load import load_policy
from rewardsmith.optimise.policy.policy import Policy, Prompt, SamplingSettings
from rewardsmith.optimise.pressure import RatedGroups, RlPressure, measure_rl, rate_groups, rl_findings
from rewardsmith.optimise.pressure_report import pressure_sections
from rewardsmith.optimise.sample_store import SAMPLES_NAME, iter_groups, prompts_digest, write_samples
from rewardsmith.optimise.samples import SampleGroup
from rewardsmith.optimise.settings import GoldSettings
from rewardsmith.preferences.load import format_of
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.remote import is_address

_SAMPLED = ("samples", "best-of")


class PressureSettings(Settings):
    """What is sampled, and what it is worth."""

    gold: GoldSettings
    """What responses are really worth."""

    sampling: SamplingSettings = SamplingSettings(n=64)
    """Of the initial policy: its best of n are looked at, for all n up to that many."""

    checkpoint_n: int = 8
    """Responses a prompt of each checkpoint."""

    prompts_at_once: int = 4
    """Sampled together; what a kill costs at most."""

    overlength: Overlength = "raise"
    """What happens to conversations that are too long for the reward model."""


def pressure_model(
    model: str,
    policy: str,
    *,
    out: Path,
    settings: PressureSettings,
    prompts: str | None = None,
    checkpoints: Sequence[str] = (),
    key_env: str | None = None,
) -> Manifest:
    """Measure the pressure that `model` bears, and write `out`: `pressure.json`, `report.html`, `report.md`.

    Samples are written down as they are drawn, in `<out>.work`; a killed run goes on there. Those that were drawn here
    stay in the artefact. A result that is there already, of the same everything, is not made again. The gate reads the
    artefact beside an audit of the same weights.

    Args:
        model: Reward model: a folder, a hub id, or a server's URL.
        policy: The initial policy: see `load_policy`. Samples, and candidates, are taken as they are.
        prompts: See `load_prompts`; those of the candidates where absent.
        checkpoints: Policies that were trained against the reward from `policy`, or samples of them.
        key_env: Of an endpoint: the environment variable with its key.

    Raises:
        SettingsError: There are no prompts, or checkpoints of what is no language model.
        DataError: Gold rates nothing, or log-probabilities of a checkpoint's samples are not known.
        ArtefactError: `out` holds something else, or another process writes it.
        RewardsmithError: A part cannot be loaded, or a prompt cannot be answered, rated or scored.
    """
    require_replaceable(out, PRESSURE_KIND)
    start = load_policy(policy, settings.sampling, key_env=key_env)
    asked = _prompts(start, prompts)
    scorer = load_scorer(model, overlength=settings.overlength)
    gold = load_gold(settings.gold.kind, settings.gold.source, rating=settings.gold.rating)
    config = {"model": model, "policy": policy, "prompts": prompts, "checkpoints": list(checkpoints)}
    config |= settings.model_dump(mode="json")
    config |= {"policy_identity": dict(start.identity), "gold_identity": dict(gold.identity)}
    config["checkpoint_identities"] = [dict(_checkpoint(each, policy, settings).identity) for each in checkpoints]
    parents = _parents(scorer, asked)
    if is_current(out, kind=PRESSURE_KIND, config=config, parents=parents):
        return read_manifest(out, PRESSURE_KIND)
    work = out.with_name(out.name + ".work")
    groups = _sampled(start, asked, work / "policy", settings.sampling, settings)
    rated = rate_groups(groups, gold)
    pressure = _best_of_n(scorer, rated, settings, is_drawn=_is_drawn(policy, start))
    rl = _rl(policy, checkpoints, asked, groups, scorer, gold, work=work, settings=settings)
    counts = _counts(pressure, rl, rated)
    manifest = Manifest(kind=PRESSURE_KIND, config=config, seed=settings.sampling.seed, parents=parents, counts=counts)
    _write(out, manifest, pressure, rl, samples=work / "policy" / SAMPLES_NAME)
    shutil.rmtree(work, ignore_errors=True)
    return read_manifest(out, PRESSURE_KIND)


def _prompts(policy: Policy, source: str | None) -> Sequence[Prompt]:
    if source is not None:
        found = load_prompts(source).prompts
    elif isinstance(policy, CandidatePolicy):
        found = policy.prompts
    else:
        raise SettingsError("no prompts", wanted="--prompts FILE", where="--prompts", fix="name a file of prompts")
    if not found:
        raise SettingsError("no prompts", wanted="at least one", where="--prompts")
    return found


def _parents(scorer: Scorer, prompts: Sequence[Prompt]) -> dict[str, str]:
    provenance = scorer.score([]).provenance
    known = {"model": provenance.model_digest, "template": provenance.template_digest}
    return known | {"prompts": prompts_digest(prompts)}


def _checkpoint(name: str, reference: str, settings: PressureSettings) -> Policy:
    """A trained policy, whose log-probabilities are held against those of the initial one."""
    if Path(name).is_dir() and _kind(Path(name)) in _SAMPLED:
        return load_policy(name, settings.sampling)
    if is_address(name) or (format_of(Path(name)) and not name.startswith("builtin:")):
        raise SettingsError(
            "a checkpoint without log-probabilities",
            wanted="a language model, or a folder of samples that were drawn with a reference",
            got=name,
            where="--checkpoint",
        )
    return load_policy(name, settings.sampling, reference=reference)


def _sampled(
    policy: Policy, prompts: Sequence[Prompt], out: Path, sampling: SamplingSettings, settings: PressureSettings
) -> list[SampleGroup]:
    """Candidates as they are; anything else is sampled, and written down."""
    if isinstance(policy, CandidatePolicy):
        return list(policy.sample(prompts, n=sampling.n, seed=sampling.seed))
    write_samples(policy, prompts, out=out, settings=sampling, prompts_at_once=settings.prompts_at_once)
    return list(iter_groups(out))


def _best_of_n(scorer: Scorer, rated: RatedGroups, settings: PressureSettings, *, is_drawn: bool) -> Pressure | Absent:
    return measure_pressure(
        scorer,
        rated.candidates,
        rating=settings.gold.rating or settings.gold.kind,
        max_groups=len(rated.candidates),
        max_candidates=settings.sampling.n,
        is_drawn=is_drawn,
        seed=settings.sampling.seed,
    )


def _rl(
    policy: str,
    checkpoints: Sequence[str],
    prompts: Sequence[Prompt],
    start: Sequence[SampleGroup],
    scorer: Scorer,
    gold: Gold,
    *,
    work: Path,
    settings: PressureSettings,
) -> RlPressure | Absent:
    if not checkpoints:
        return Absent("No policy that was trained against the reward was named.")
    sampling = settings.sampling.model_copy(update={"n": settings.checkpoint_n})
    measured = []
    for number, name in enumerate(checkpoints):
        trained = _checkpoint(name, policy, settings)
        measured.append((name, _sampled(trained, prompts, work / f"checkpoint-{number}", sampling, settings)))
    return measure_rl(start, measured, scorer, gold, seed=settings.sampling.seed)


def _is_drawn(name: str, policy: Policy) -> bool:
    """Whether responses are independent draws of one policy: sampled now, or samples that were written down."""
    if not isinstance(policy, CandidatePolicy):
        return True
    folder = Path(name)
    if not folder.is_dir() or (kind := _kind(folder)) is None:
        return False
    return "candidates" not in read_manifest(folder, kind).config.get("policy_identity", {"candidates": None})


def _kind(folder: Path) -> str | None:
    try:
        return artefact_kind(folder)
    except ArtefactError:
        return None


def _counts(pressure: Pressure | Absent, rl: RlPressure | Absent, rated: RatedGroups) -> dict[str, Any]:
    counts: dict[str, Any] = {"unrated": rated.unrated, "prompts": 0, "responses": 0}
    if isinstance(pressure, Pressure):
        counts |= {"prompts": pressure.groups, "responses": pressure.candidates}
        counts |= {"left_out": pressure.left_out, "unscored": pressure.unscored}
    if isinstance(rl, RlPressure):
        counts |= {"checkpoints": len(rl.points), "checkpoint_prompts": rl.prompts}
    return counts


def _write(
    out: Path, manifest: Manifest, pressure: Pressure | Absent, rl: RlPressure | Absent, *, samples: Path
) -> None:
    known = rl_findings(rl) if isinstance(rl, RlPressure) else []
    findings = settle([*pressure_findings(pressure), *known])
    sections = pressure_sections(pressure, rl, findings)
    facts = {"model": manifest.parents["model"][:12], "run": digest_json(manifest.config)[:12]}
    title = f"Optimisation pressure on {manifest.config['model']}"
    with writing_artefact(out, manifest) as draft:
        values = {"findings": findings, "best_of_n": pressure, "rl": rl, "gold": manifest.config["gold_identity"]}
        write_json(draft.folder / PRESSURE_NAME, to_json(values))
        write_text(draft.folder / "report.html", render_page(title, sections, facts=facts))
        write_text(draft.folder / "report.md", render_markdown(title, sections, facts=facts))
        if samples.is_file():
            shutil.copyfile(samples, draft.folder / SAMPLES_NAME)
