"""What a policy wrote → material. The format is that of `samples.jsonl`: a line a prompt, with its samples.

    {"prompt": [{"role", "content"}, …], "group": "…", "samples": [{"text": "…", "is_finished": true}, …]}

Further keys are ignored, so that `best_of.jsonl` is read too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.annotate.sources.material import Material, turns_of
from rewardsmith.annotate.sources.outcome import Left
from rewardsmith.core.conversation import assistant
from rewardsmith.core.errors import DataError
from rewardsmith.preferences.groups import group_of
from rewardsmith.preferences.outcome import RawRow, Reason

KIND = "samples"
FILE_NAMES = ("samples.jsonl", "best_of.jsonl")
"""Files of an artefact whose lines hold samples."""


def is_samples(values: Mapping[str, Any] | None) -> bool:
    """Whether a line holds a prompt and its samples."""
    return values is not None and "prompt" in values and isinstance(values.get("samples"), list)


def samples_file(folder: Path) -> Path | None:
    """The file of a folder that holds samples; `None` where it has none."""
    return next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)


def sample_material(rows: Sequence[RawRow], *, name: str) -> Iterator[Material | Left]:
    """The samples of each prompt. A last line that a killed process left half written is left out.

    Args:
        name: Of the source.

    Raises:
        DataError: No line holds samples.
    """
    if not any(is_samples(row.values) for row in rows):
        raise DataError("no line holds samples", wanted="prompt, group and samples", where=name)
    for row in rows:
        material = _material(row.values, name) if is_samples(row.values) and row.values is not None else None
        if material is None:
            reason = Reason.UNREADABLE if row.values is None else Reason.WRONG_TYPE
            detail = row.problem or "wanted prompt (messages), group and samples with a text each"
            yield Left(reason.value, f"{row.file}:{row.line}", detail)
        else:
            yield material


def _material(values: Mapping[str, Any], name: str) -> Material | None:
    prompt = turns_of(values["prompt"], "user")
    texts = [each.get("text") if isinstance(each, Mapping) else None for each in values["samples"]]
    if not prompt or not texts or not all(isinstance(text, str) for text in texts):
        return None
    cut = sum(each.get("is_finished") is False for each in values["samples"])
    group = values.get("group")
    return Material(
        prompt=prompt,
        responses=tuple((assistant(str(text)),) for text in texts),
        group=group_of(prompt) if group is None else str(group),
        source=name,
        meta={"unfinished": cut} if cut else {},
    )
