"""A server of tiny models of several families, and the page in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.browser import Visit, visits
from tests.gate.evidence import found, sound_findings
from tests.models import tiny
from tests.serve.families import build_families
from tests.serve.serving import InProcessModels, Serving, serving
from transformers import LlamaForCausalLM

from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import write_json, writing_artefact
from rewardsmith.gate.evidence import Evidence
from rewardsmith.gate.store import load_policy, write_card, write_verdict
from rewardsmith.gate.verdict import judge
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.models.generative import GenerativeRewardModel
from rewardsmith.models.generative_checkpoint import save_generative
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.text.load import prepared

TEMPERATURE = 0.5
HOSTILE_NAME = '<img src=x onerror="hit=1">'


def _generative(folder: Path) -> Path:
    torch.manual_seed(0)
    network = LlamaForCausalLM(tiny.llama_config()).eval()
    model = GenerativeRewardModel(network, score_from="head", verdicts=(100, 98), seed=3)
    save_generative(model, prepared(tiny.decoder_tokenizer()), folder)
    words = {"request": "Judge.", "closing": "\nV:", "verdicts": ["g", "b"], "rationale_tokens": 6, "max_tokens": 200}
    write_spec(folder, "generative", words)
    return folder


def _vouched(model: Path, *, passed: bool) -> None:
    """An evaluation with a temperature, a verdict and a report card, beside the model."""
    digest = weights_digest(model)
    findings = tuple(sound_findings()) if passed else (found("accuracy.heldout", 0.3, 0.25, 0.35),)
    evidence = Evidence(findings, model.parent.name, digest, parents={"model": digest})
    verdict = judge(findings, load_policy("research"))
    write_verdict(verdict, model.parent / "verdict", parents={"model": digest})
    write_card(verdict, evidence, model.parent / "card")
    manifest = Manifest(kind="evaluation", config={}, parents={"model": digest})
    with writing_artefact(model.parent / "evaluation", manifest) as draft:
        calibration = {"temperature": TEMPERATURE, "before": {"nll_nats": {"n": 400}}}
        write_json(draft.folder / "report.json", {"calibration": calibration})


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name → model folder. `passed` is calibrated; `failed` has failed its gate."""
    root = tmp_path_factory.mktemp("page")
    passed = build_families(root / "passed", ("decoder",))["decoder"]
    failed = build_families(root / "failed", ("encoder",))["encoder"]
    _vouched(passed, passed=True)
    _vouched(failed, passed=False)
    others = build_families(root / "others", ("ensemble", "attributes", "process"))
    writer = _generative(root / "others/writer")
    return {"passed": passed, "failed": failed, **others, "writer": writer, HOSTILE_NAME: writer}


@pytest.fixture(scope="session")
def server(folders: dict[str, Path]) -> Iterator[Serving]:
    """All of them, without keys."""
    with serving(folders, kind=InProcessModels) as running:
        yield running


@pytest.fixture
def visit(chromium: Any, server: Serving) -> Iterator[Visit]:
    """Opens the page, or another address; see `visits`."""
    with visits(chromium) as opened:
        yield lambda url="", **more: opened(url or server.url, **more)


def fill(page: Any, prompt: str, answers: list[str], *, model: str = "passed") -> None:
    """Choose a model and write the texts."""
    page.locator("#model:enabled").select_option(model)
    page.get_by_label("What is said").fill(prompt)
    for place, answer in enumerate(answers):
        if page.locator(f"#answer-{place}").count() == 0:
            page.get_by_role("button", name="Add an answer").click()
        page.locator(f"#answer-{place}").fill(answer)


def score(page: Any) -> None:
    """Score with the keyboard, and wait for the result."""
    page.keyboard.press("Control+Enter")
    page.locator("#results[aria-busy=false]").wait_for()
    page.locator(".ranking").wait_for()
