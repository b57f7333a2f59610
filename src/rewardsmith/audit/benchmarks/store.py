"""Results of benchmarks on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from rewardsmith.audit.benchmarks.question import Answered
from rewardsmith.audit.benchmarks.report import to_html, to_markdown
from rewardsmith.audit.benchmarks.result import BenchmarkResult, as_json
from rewardsmith.audit.evaluation import to_json
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import write_json, write_text, writing_artefact

KIND = "benchmark"
RESULT_NAME = "benchmark.json"


def write_benchmark(result: BenchmarkResult, questions: Sequence[Answered], out: Path) -> Manifest:
    """Write `benchmark.html`, `benchmark.md`, `benchmark.json`, `scores.jsonl` and `manifest.json`, all or nothing.

    Raises:
        ArtefactError: `out` holds something that is not a benchmark's result.
    """
    manifest = Manifest(
        kind=KIND,
        config={"benchmark": result.benchmark, "model": result.model, "data": result.data},
        seed=result.seed,
        parents={"model": result.provenance.model_digest, "template": result.provenance.template_digest},
        counts=to_json(result.counts),
    )
    with writing_artefact(out, manifest) as draft:
        write_text(draft.folder / "benchmark.html", to_html(result))
        write_text(draft.folder / "benchmark.md", to_markdown(result))
        write_json(draft.folder / RESULT_NAME, as_json(result))
        write_text(draft.folder / "scores.jsonl", "".join(_line(each) for each in questions))
    return draft.manifest


def _line(each: Answered) -> str:
    question = each.question
    rewards = {"correct": to_json(each.correct.tolist()), "incorrect": to_json(each.incorrect.tolist())}
    return orjson.dumps({"id": question.id, "subset": question.subset, **rewards}).decode() + "\n"
