from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.audit.benchmarks.asked import number_scorer
from tests.audit.planted import PROVENANCE, FunctionScorer

from rewardsmith.audit.benchmarks.judge import judge_of, run_questions
from rewardsmith.audit.benchmarks.report import published_table, result_table, to_html, to_markdown
from rewardsmith.audit.benchmarks.result import as_json, benchmark_findings, figure
from rewardsmith.audit.benchmarks.rows import read_all, read_best_of_k, read_rm_bench
from rewardsmith.audit.benchmarks.store import KIND, write_benchmark
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import ArtefactError, DataError, ModelError, SettingsError
from rewardsmith.core.scores import Scores
from rewardsmith.core.store import verify_artefact
from rewardsmith.preferences.outcome import RawRow


def _questions(rows: list[dict], read=read_best_of_k):
    return read_all([RawRow(values, "rows.jsonl", line) for line, values in enumerate(rows, start=1)], read)


ROWS = [
    {"prompt": "a", "chosen": "3", "rejected": ["1", "2"]},
    {"prompt": "a", "chosen": "2", "rejected": ["1", "3"]},
    {"prompt": "b", "chosen": "2", "rejected": ["2", "1"]},
]


def test_each_distinct_conversation_is_scored_once():
    scorer = number_scorer()
    result, found = run_questions(scorer, _questions(ROWS), name="best-of-k", model="m", data="d")
    # a: 1, 2, 3; b: 2, 1.
    assert len(scorer.asked) == len(set(scorer.asked)) == 5
    assert (result.counts.questions, result.counts.answers, result.counts.scored) == (3, 9, 5)
    assert (result.counts.ties, result.counts.unscored, result.counts.truncated) == (1, 0, None)
    assert result.overall.estimate.value == pytest.approx((1 + 0 + 0.5) / 3)
    assert (result.overall.estimate.n, result.overall.estimate.groups) == (3, 2)
    assert result.provenance == PROVENANCE
    assert [each.correct.tolist() for each in found] == [[3.0], [2.0], [2.0]]


class _Cutting(FunctionScorer):
    n_truncated = 4

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        self.n_truncated += 2
        return super().score(conversations)


def test_cut_and_unscored_answers_are_counted_and_said():
    scorer = _Cutting(lambda conversation: float(conversation[-1].content))
    rows = [*ROWS, {"prompt": "c", "chosen": "nan", "rejected": "1"}]
    result, _ = run_questions(scorer, _questions(rows), name="best-of-k")
    assert (result.counts.truncated, result.counts.unscored) == (2, 1)
    said = " ".join(result.notes)
    assert "2 of 7 conversations were too long" in said
    assert "1 answers have a reward that is not a finite number" in said


class _TwoHeads:
    def score(self, conversations: Sequence[Conversation]) -> Scores:
        return Scores(np.zeros((len(conversations), 2), dtype=np.float32), PROVENANCE)


def test_what_cannot_be_run_is_said():
    with pytest.raises(SettingsError, match="rewardbench, rewardbench-2, rm-bench, pairs, best-of-k"):
        judge_of("rewardbench-3")
    with pytest.raises(DataError, match="nothing to score"):
        run_questions(number_scorer(), [], name="best-of-k")
    with pytest.raises(ModelError, match="one reward a conversation"):
        run_questions(_TwoHeads(), _questions(ROWS), name="best-of-k")


def _rm_bench():
    rows = [
        {"prompt": domain, "chosen": ["3", "4", "5"], "rejected": ["1", "2", "4"], "domain": domain}
        for domain in ("chat", "math", "code", "safety-refuse", "safety-response")
    ]
    return run_questions(
        number_scorer(), _questions(rows, read_rm_bench), name="rm-bench", model="mine", data="rm.jsonl"
    )


def test_findings_are_named_and_chance_is_their_limit():
    result, _ = _rm_bench()
    findings = {finding.name: finding for finding in benchmark_findings(result)}
    assert list(findings)[:3] == ["benchmark.rm_bench", "benchmark.rm_bench.easy", "benchmark.rm_bench.normal"]
    # Correct 3, 4, 5 against 1, 2, 4: seven of nine; 3 and 4 do not beat 4.
    assert findings["benchmark.rm_bench"].estimate.value == pytest.approx(7 / 9)
    assert (findings["benchmark.rm_bench"].limit, findings["benchmark.rm_bench"].unit) == (0.5, "share")
    blind, _ = run_questions(FunctionScorer(lambda _: 0.0), _questions(ROWS), name="best-of-k")
    assert benchmark_findings(blind)[0].severity == "warning"
    assert "Not shown to be better than chance" in benchmark_findings(blind)[0].summary


def test_json_has_no_nan_and_tables_name_all():
    result, _ = _rm_bench()
    printed = json.loads(json.dumps(as_json(result), allow_nan=False))
    assert printed["provenance"]["template_digest"] == "t" * 64
    assert printed["findings"][0]["name"] == "benchmark.rm_bench"
    names = result_table(result).columns[0]._cells
    assert [str(name).strip() for name in names] == [each.name for each in result.figures]
    models = [str(cell) for cell in published_table(result).columns[0]._cells]
    assert "mine (this run)" in models
    assert figure(result, "overall").ties == 5
    assert figure(result, "easy").ties is None
    assert len(models) == len(result.published) + 1
    with pytest.raises(KeyError):
        figure(result, "poetry")
    partial, _ = run_questions(
        number_scorer(),
        _questions([{"prompt": "a", "chosen": ["3"] * 3, "rejected": ["1"] * 3, "domain": "chat"}], read_rm_bench),
        name="rm-bench",
    )
    assert as_json(partial)["figures"][0]["estimate"]["value"] is None
    assert math.isnan(partial.overall.estimate.value)
    assert "this run" not in to_markdown(partial)


def test_pages_show_scores_rules_and_published_ones():
    result, _ = _rm_bench()
    html, markdown = to_html(result), to_markdown(result)
    for text in ("RM-Bench: mine", "77.8%", "2410.16184", "tttttttttttt"):
        assert text in html
        assert text in markdown
    assert "Skywork/Skywork-Reward-V2-Llama-3.1-8B" in html
    assert "<svg" in html


def test_on_disk(tmp_path: Path):
    result, found = _rm_bench()
    write_benchmark(result, found, tmp_path / "out")
    assert verify_artefact(tmp_path / "out", KIND).counts["scored"] == 25  # one correct answer is an incorrect one, too
    assert json.loads((tmp_path / "out" / "benchmark.json").read_text()) == as_json(result)
    first = json.loads((tmp_path / "out" / "scores.jsonl").read_text().splitlines()[0])
    assert first == {"id": "rows.jsonl:1", "subset": "chat", "correct": [3.0, 4.0, 5.0], "incorrect": [1.0, 2.0, 4.0]}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("keep")
    with pytest.raises(ArtefactError):
        write_benchmark(result, found, tmp_path / "other")
