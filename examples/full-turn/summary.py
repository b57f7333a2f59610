"""The story of a turn on one page: what each step made, and how the two policies stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rewardsmith.core.finding import Estimate
from rewardsmith.core.store import artefact_kind, read_manifest, write_text
from rewardsmith.figures.markdown import render_markdown
from rewardsmith.figures.page import render_page
from rewardsmith.figures.pieces import Cards, Picture, Prose, Section, Table, estimate_card
from rewardsmith.figures.plots import Curve, bars, curves

PAGE_NAME, TEXT_NAME, PICTURE_NAME = "summary.html", "summary.md", "{}.svg"
SECOND_MINUS_FIRST = "second - first"
_CURVES = (
    ("proxy", "fresh_proxy", "fresh_proxy", "reward, each by its own model"),
    ("gold", "gold", "gold", "points of the rubric"),
    ("kl", "kl_nats", "kl", "nats a response"),
)


def write_summary(out: Path, comparison: Path, seconds: Mapping[str, float | None]) -> Path:
    """Write `summary.html`, `summary.md` and the three pictures to the folder of the turn; the page.

    Args:
        out: Folder of the turn.
        comparison: Artefact of the comparison.
        seconds: What each step took.
    """
    found = json.loads((comparison / "comparison.json").read_text("utf-8"))
    pictures = {name: _picture(out, *about) for name, *about in _CURVES}
    golds = {name: _estimate(each["gold"]) for name, each in found["policies"].items()}
    pictures["unseen"] = bars(golds, title="Gold on unseen prompts", x_label="points of the rubric", percent=False)
    for name, svg in pictures.items():
        write_text(out / PICTURE_NAME.format(name), svg)
    sections = [
        Section("Is the second policy better?", (_cards(found), Picture(pictures["unseen"]), _policies(found))),
        Section("While they were trained", tuple(Picture(pictures[name]) for name, *_ in _CURVES), _ON_CURVES),
        Section("The reward models", (_rewards(found), Prose(_decision(out)))),
        Section("The steps", (_steps(out, seconds),)),
    ]
    for name, render in _RENDERERS.items():
        write_text(out / name, render("A full turn", sections, subtitle=_SUBTITLE))
    return out / PAGE_NAME


_RENDERERS: dict[str, Callable[..., str]] = {PAGE_NAME: render_page, TEXT_NAME: render_markdown}
_SUBTITLE = "Sample, label, train, gate, optimise; fresh labels, refresh, optimise again."
_ON_POLICIES = (
    "On unseen prompts; intervals resample prompts. Finished: share that ends by itself. Echoes: share that says the "
    "question over again, which the rubric likes and people do not."
)
_ON_CURVES = (
    "Fresh samples on prompts of the training set that are set aside. Proxy is what a policy is trained to raise; the "
    "two are on scales of their own. Gold is what it should raise. KL is the price."
)


def _picture(out: Path, value: str, stem: str, unit: str) -> str:
    drawn = {}
    for name, folder in (("first", "6-policy-first"), ("second", "9-policy-second")):
        lines = [json.loads(line) for line in (out / folder / "log.jsonl").read_text("utf-8").splitlines()]
        known = [line for line in lines if value in line]
        y = [line[value] for line in known]
        low, high = ([line.get(f"{stem}_{end}", line[value]) for line in known] for end in ("low", "high"))
        drawn[name] = Curve([line["step"] for line in known], y, low, high)
    return curves(drawn, title=stem.replace("fresh_", ""), x_label="step", y_label=unit)


def _cards(found: Mapping[str, Any]) -> Cards:
    differences = found["differences"]
    return Cards(
        tuple(estimate_card(f"gold, {name}", _estimate(each), percent=False) for name, each in differences.items())
    )


def _policies(found: Mapping[str, Any]) -> Table:
    rewards = list(next(iter(found["policies"].values()))["reward"])
    columns = ("policy", "gold", *rewards, "KL, nats", "tokens", "finished", "echoes")
    rows = tuple(
        (
            name,
            _estimate(each["gold"]),
            *(_estimate(each["reward"][reward]) for reward in rewards),
            *(_estimate(each[key]) for key in ("kl_nats", "tokens", "finished", "echoes")),
        )
        for name, each in found["policies"].items()
    )
    return Table(columns, rows, caption=_ON_POLICIES)


def _rewards(found: Mapping[str, Any]) -> Table:
    names = list(next(iter(found["policies"].values()))["agreement"])
    rows = tuple(
        (f"{reward}, on responses of: {policy}", _estimate(each["agreement"][reward]))
        for reward in names
        for policy, each in found["policies"].items()
    )
    caption = "How often it orders two responses to an unseen prompt as gold does."
    return Table(("reward model", "agreement"), rows, caption=caption, percent=True)


def _decision(out: Path) -> str:
    decision = json.loads((out / "8-refresh" / "promotion" / "decision.json").read_text("utf-8"))
    return f"The refreshed reward model: {decision['why']}."


def _steps(out: Path, seconds: Mapping[str, float | None]) -> Table:
    rows = []
    for name, took in seconds.items():
        folder = out / ("0-prompts" if name == "prompts" else name)
        folder = folder / "model" if name == "3-reward" else folder / "promotion" if name == "8-refresh" else folder
        manifest = read_manifest(folder, artefact_kind(folder))
        counts = {key: value for key, value in manifest.counts.items() if isinstance(value, int | str)}
        told = ", ".join(f"{key} {value}" for key, value in counts.items())
        rows.append((name, "interrupted" if took is None else f"{took:.0f} s", told))
    return Table(("step", "took", "counts"), tuple(rows))


def _estimate(values: Mapping[str, Any]) -> Estimate:
    """Of JSON, where NaN is null."""
    known: dict[str, Any] = {key: float("nan") if value is None else value for key, value in values.items()}
    return Estimate(**known)
