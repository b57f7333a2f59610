"""Policies, verdicts and report cards on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from rewardsmith.audit.store import load_findings
from rewardsmith.core.errors import ArtefactError, SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.settings import dump_yaml, parse_settings, parse_yaml
from rewardsmith.core.store import (
    artefact_kind,
    load_settings,
    read_manifest,
    write_json,
    write_text,
    writing_artefact,
)
from rewardsmith.gate.card import card_json, render_card
from rewardsmith.gate.evidence import Evidence
from rewardsmith.gate.model_card import render_model_card
from rewardsmith.gate.policy import Policy
from rewardsmith.gate.verdict import Verdict, as_json
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.scoring.families.spec import read_spec
from rewardsmith.scoring.load import load_scorer

KIND = "verdict"
CARD_KIND = "report-card"
PAGE_NAME = "card.html"
POLICIES = ("research", "rerank", "optimise")
"""The policies that come with rewardsmith, from the weakest use to the strongest."""


def load_policy(name: str) -> Policy:
    """A policy that comes with rewardsmith, by name, or a YAML file, by path.

    Raises:
        SettingsError: There is no such policy, or the file has an unknown key or a bad value.
    """
    if name in POLICIES:
        text = files("rewardsmith.gate").joinpath("policies", f"{name}.yaml").read_text("utf-8")
        return parse_settings(Policy, parse_yaml(text, where=name), where=name)
    if not Path(name).is_file():
        raise SettingsError(
            "no such policy", wanted=f"a YAML file, or one of {', '.join(POLICIES)}", got=name, where="--policy"
        )
    return load_settings(Policy, Path(name))


def load_evidence(folders: Sequence[Path], *, model: Path | None = None) -> Evidence:
    """The findings of audits, evaluations and benchmarks of one model, whose files must be as they were written.

    Args:
        folders: At least one audit, evaluation or benchmark artefact. The first that names the model, its recipe and
            its data says what they are; a benchmark does not.
        model: Checkpoint that is about to be used; its weights must be those that were audited.

    Raises:
        ArtefactError: A folder is none of them, a file of it has changed, or not all are about the same weights.
    """
    findings = tuple(finding for folder in folders for finding in load_findings(folder))
    manifests = [read_manifest(folder, artefact_kind(folder)) for folder in folders]
    digest = _one_model(folders, manifests)
    if model is not None and (got := _model_digest(model)) != digest:
        raise ArtefactError(
            "the audit is of another model",
            wanted=f"weights {digest[:12]}",
            got=got[:12],
            where=str(model),
            fix="audit this model",
        )
    first = next((manifest for manifest in manifests if "name" in manifest.config), manifests[0])
    recipe = first.config.get("recipe") or {}
    names = _distinct_names([manifest.kind for manifest in manifests])
    data = {"data": first.parents["data"]} if "data" in first.parents else {}
    return Evidence(
        findings=findings,
        name=str(first.config.get("name") or "a reward model"),
        model_digest=digest,
        parents={name: manifest.digest for name, manifest in zip(names, manifests, strict=True)}
        | data
        | {"model": digest},
        base=recipe.get("model", {}).get("base"),
        recipe=recipe,
        counts={name: manifest.counts for name, manifest in zip(names, manifests, strict=True)},
        versions=first.versions,
        seed=first.seed,
        folders=tuple(str(folder) for folder in folders),
    )


def _model_digest(model: Path) -> str:
    """As its scores say it. That of a family covers members, rule and scale, and only the loaded scorer knows it."""
    return weights_digest(model) if read_spec(model) is None else load_scorer(model).score([]).provenance.model_digest


def _one_model(folders: Sequence[Path], manifests: Sequence[Manifest]) -> str:
    digests = [manifest.parents.get("model", "") for manifest in manifests]
    for folder, digest in zip(folders, digests, strict=True):
        if not digest or digest != digests[0]:
            raise ArtefactError(
                "the audits are of different models",
                wanted=f"weights {digests[0][:12] or 'that the manifest names'}",
                got=digest[:12] or "none named",
                where=str(folder),
                fix="judge one model at a time",
            )
    return digests[0]


def _distinct_names(kinds: Sequence[str]) -> list[str]:
    """`audit`, `audit-2`: a name for each."""
    return [
        kind if not (before := kinds[:place].count(kind)) else f"{kind}-{before + 1}"
        for place, kind in enumerate(kinds)
    ]


def write_verdict(verdict: Verdict, out: Path, *, parents: Mapping[str, str]) -> Manifest:
    """Write `verdict.json`, `policy.yaml` and `manifest.json`, all or nothing.

    Args:
        parents: Digests of what was judged: the audits and the model.

    Raises:
        ArtefactError: `out` holds something that is not a verdict.
    """
    with writing_artefact(out, manifest_of(verdict, KIND, parents=parents)) as draft:
        write_json(draft.folder / "verdict.json", as_json(verdict))
        write_text(draft.folder / "policy.yaml", dump_yaml(verdict.policy.model_dump(mode="json")))
    return draft.manifest


def write_card(verdict: Verdict, evidence: Evidence, out: Path) -> Manifest:
    """Write `card.html`, `README.md`, `card.json`, `policy.yaml` and `manifest.json`, all or nothing.

    Raises:
        ArtefactError: `out` holds something that is not a report card.
    """
    with writing_artefact(out, manifest_of(verdict, CARD_KIND, parents=evidence.parents)) as draft:
        write_text(draft.folder / PAGE_NAME, render_card(verdict, evidence))
        write_text(draft.folder / "README.md", render_model_card(verdict, evidence))
        write_json(draft.folder / "card.json", card_json(verdict, evidence))
        write_text(draft.folder / "policy.yaml", dump_yaml(verdict.policy.model_dump(mode="json")))
    return draft.manifest


def manifest_of(verdict: Verdict, kind: str, *, parents: Mapping[str, str]) -> Manifest:
    """The manifest of an artefact that says what `verdict` says."""
    outcomes = ("met", "failed", "too thin", "missing", "not asked")
    return Manifest(
        kind=kind,
        config={"policy": verdict.policy.model_dump(mode="json")},
        parents=dict(parents),
        counts={"status": verdict.status}
        | {outcome.replace(" ", "_"): len(verdict.of_outcome(outcome)) for outcome in outcomes},
    )
