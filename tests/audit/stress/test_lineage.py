from __future__ import annotations

import pytest

from rewardsmith.audit.stress.lineage import Lineage, compare_lineage, lineage_findings


def lineage(tokens: str = "abcd", *, architecture: str = "llama", hidden_size: int = 64, base: str | None = "base"):
    vocabulary = frozenset((token, number) for number, token in enumerate(tokens))
    return Lineage(architecture, hidden_size, base, vocabulary)


def test_the_same_base_and_tokenizer_is_no_warning():
    (found,) = lineage_findings(compare_lineage(lineage(), lineage()))
    assert (found.severity, found.estimate.value) == ("info", 1.0)


@pytest.mark.parametrize(
    ("policy", "name", "shared"),
    [
        (lineage("abce"), "vocabulary", 3 / 5),
        # The same tokens with other ids are other tokens.
        (lineage("badc"), "vocabulary", 0.0),
        (lineage(architecture="qwen2"), "architecture", 1.0),
        (lineage(hidden_size=128), "hidden size", 1.0),
        (lineage(base="other"), "base", 1.0),
    ],
)
def test_whatever_differs_is_named(policy, name, shared):
    match = compare_lineage(lineage(), policy)
    assert match.differences == (name,)
    (found,) = lineage_findings(match)
    assert found.severity == "warning"
    assert name in found.summary
    assert found.estimate.value == pytest.approx(shared)
    assert ("token ids" in found.summary) == (name == "vocabulary")


def test_a_base_that_nobody_wrote_down_is_not_compared():
    assert compare_lineage(lineage(), lineage(base=None)).differences == ()


def test_the_digest_is_of_tokens_and_ids():
    assert lineage("ab").vocabulary_digest == lineage("ab").vocabulary_digest
    assert lineage("ab").vocabulary_digest != lineage("ba").vocabulary_digest
