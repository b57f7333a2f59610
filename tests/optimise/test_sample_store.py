"""Samples on disk: what is written is what is read, and what a kill tears is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.store import verify_artefact
from rewardsmith.optimise.policy.policy import SamplingSettings
from rewardsmith.optimise.sample_store import KIND, group_line, iter_groups, write_groups, write_samples
from rewardsmith.optimise.samples import Sample, SampleGroup

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
SAMPLES = st.builds(Sample, TEXTS, st.integers(0, 99), st.booleans(), NUMBERS, NUMBERS)
GROUPS = st.builds(
    SampleGroup, TEXTS.map(lambda text: (user(text), assistant("b"), user("c"))), TEXTS, st.lists(SAMPLES).map(tuple)
)


@given(groups=st.lists(GROUPS, max_size=4))
def test_what_is_written_is_what_is_read(groups: list[SampleGroup], tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("samples")
    assert write_groups(folder, groups) == len(groups)
    assert list(iter_groups(folder)) == groups


def test_a_torn_last_line_is_left_out_and_any_other_is_an_error(tmp_path: Path):
    groups = [SampleGroup((user(text),), text, (Sample("x"),)) for text in ("a", "b")]
    lines = [group_line(group) for group in groups]
    path = tmp_path / "samples.jsonl"
    for cut in range(len(lines[1])):
        path.write_bytes(lines[0] + lines[1][:cut])
        assert list(iter_groups(path)) == groups[:1]
    path.write_bytes(lines[0][:-5] + b"\n" + lines[1])
    with pytest.raises(ArtefactError, match=r"samples\.jsonl:1"):
        list(iter_groups(path))
    path.write_bytes(lines[0] + b'{"prompt": []}\n')
    with pytest.raises(ArtefactError, match=r"samples\.jsonl:2"):
        list(iter_groups(path))


def test_nothing_to_read_is_an_error(tmp_path: Path):
    for path in (tmp_path, tmp_path / "none.jsonl"):
        with pytest.raises(ArtefactError):
            list(iter_groups(path))


class _Parrot:
    """Says the prompt, the seed and the number; stops working after so many prompts."""

    def __init__(self, most: int = 99) -> None:
        self.most, self.asked = most, 0

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"policy": "parrot"}

    def sample(self, prompts: Sequence[Any], *, n: int, seed: int) -> Iterator[SampleGroup]:
        for prompt, group in prompts:
            if self.asked == self.most:
                raise KeyboardInterrupt
            self.asked += 1
            texts = (f"{prompt[-1].content} {seed} {number}" for number in range(n))
            yield SampleGroup(prompt, group, tuple(Sample(text, 1, text.endswith("0")) for text in texts))


def test_an_interrupted_sampling_goes_on_and_ends_the_same(tmp_path: Path):
    prompts = [((user(str(number)),), f"g{number}") for number in range(7)]
    settings = SamplingSettings(n=3, seed=4)
    with pytest.raises(KeyboardInterrupt):
        write_samples(_Parrot(most=5), prompts, out=tmp_path / "out", settings=settings, prompts_at_once=2)
    rest, whole = _Parrot(), _Parrot()
    write_samples(rest, prompts, out=tmp_path / "out", settings=settings, prompts_at_once=2)
    manifest = write_samples(whole, prompts, out=tmp_path / "whole", settings=settings, prompts_at_once=2)
    # Two whole steps of two were kept.
    assert (rest.asked, whole.asked) == (3, 7)
    assert manifest.counts == {"prompts": 7, "responses": 21, "unfinished": 14}
    assert manifest.files == verify_artefact(tmp_path / "out", KIND).files
    assert list(iter_groups(tmp_path / "out")) == list(_Parrot().sample(prompts, n=3, seed=4))
    write_samples(whole, prompts, out=tmp_path / "whole", settings=settings, prompts_at_once=2)
    assert whole.asked == 7, "what is there is not made again"
    write_samples(whole, prompts, out=tmp_path / "whole", settings=SamplingSettings(n=3, seed=5), prompts_at_once=2)
    assert whole.asked == 14
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]
