"""Samples on disk: a JSON line a prompt, written one after the other and read the same way."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.core.conversation import from_dicts, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.progress import track
from rewardsmith.core.store import is_current, read_manifest, require_replaceable, writing_artefact
from rewardsmith.optimise.policy.policy import Policy, Prompt, SamplingSettings
from rewardsmith.optimise.resumable_store import done, resuming
from rewardsmith.optimise.samples import Sample, SampleGroup

KIND = "samples"
SAMPLES_NAME = "samples.jsonl"
FILE_NAMES = (SAMPLES_NAME, "best_of.jsonl")
"""Files of artefacts whose lines hold a `SampleGroup`, beside other things or alone."""


def group_values(group: SampleGroup) -> dict[str, Any]:
    """A group as JSON values; `group_from` is the inverse. What is not known is left out."""
    return {
        "prompt": to_dicts(group.prompt),
        "group": group.group,
        "samples": [_sample_values(sample) for sample in group.samples],
    }


def group_from(values: Mapping[str, Any]) -> SampleGroup:
    """The group of a line; further keys are ignored.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is of another type.
        ValueError: A role is unknown.
    """
    samples = tuple(
        Sample(
            text=each["text"],
            n_tokens=each.get("n_tokens", 0),
            is_finished=each.get("is_finished", True),
            log_prob=each.get("log_prob"),
            log_prob_reference=each.get("log_prob_reference"),
        )
        for each in values["samples"]
    )
    return SampleGroup(from_dicts(values["prompt"]), str(values["group"]), samples)


def group_line(group: SampleGroup) -> bytes:
    """A group as one line of JSON."""
    return orjson.dumps(group_values(group)) + b"\n"


def iter_groups(path: Path) -> Iterator[SampleGroup]:
    """The groups of a file, or of the artefact in a folder, one at a time.

    A last line that a killed process left half written is skipped.

    Raises:
        ArtefactError: There is no such file, or another line than the last is damaged.
    """
    file = _file_in(path)
    for number, values in iter_lines(file):
        try:
            yield group_from(values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtefactError(
                "no group of samples", wanted="prompt, group and samples", got=error, where=f"{file}:{number}"
            ) from error


def iter_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and values of each line of a JSONL file; a last one that is torn is skipped.

    Raises:
        ArtefactError: It cannot be read, or another line than the last is damaged.
    """
    try:
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.endswith(b"\n"):
                    return
                yield number, _parsed(line, f"{file}:{number}")
    except OSError as error:
        raise ArtefactError("cannot read samples", got=error, where=str(file)) from error


def write_groups(folder: Path, groups: Iterable[SampleGroup], *, name: str = SAMPLES_NAME) -> int:
    """Write groups to a file of an artefact's draft; how many there were."""
    count = 0
    with (folder / name).open("wb") as stream:
        for group in groups:
            stream.write(group_line(group))
            count += 1
    return count


def write_samples(
    policy: Policy,
    prompts: Sequence[Prompt],
    *,
    out: Path,
    settings: SamplingSettings,
    prompts_at_once: int = 8,
    config: Mapping[str, Any] | None = None,
) -> Manifest:
    """Sample, and write the artefact at `out`: `samples.jsonl` and a manifest.

    Killed, it goes on at the prompt where it was, and ends with the same file; what is there already, of the same
    everything, is not made again.

    Args:
        policy: Its own settings are part of its identity; `n` and `seed` are those of `settings`.
        prompts: Each becomes a line.
        prompts_at_once: Sampled together; what a kill costs at most.
        config: What else the manifest should say.

    Raises:
        ArtefactError: `out` holds something else, or another process writes it.
        RewardsmithError: A prompt cannot be answered.
    """
    require_replaceable(out, KIND)
    config = {**(config or {}), "policy_identity": dict(policy.identity), "n": settings.n, "seed": settings.seed}
    config["prompts_at_once"] = prompts_at_once
    parents = {"prompts": prompts_digest(prompts)}
    if is_current(out, kind=KIND, config=config, parents=parents):
        done(out)
        return read_manifest(out, KIND)
    with resuming(out, {"config": config, "parents": parents}, chunk=prompts_at_once) as lines:
        starts = range(min(lines.known, len(prompts)), len(prompts), prompts_at_once)
        for start in track(starts, "sampling, some prompts at a time"):
            some = prompts[start : start + prompts_at_once]
            lines.add([group_line(group) for group in policy.sample(some, n=settings.n, seed=settings.seed)])
        counts = dict(sample_counts(iter_groups(lines.path) if prompts else ()))
        manifest = Manifest(kind=KIND, config=config, seed=settings.seed, parents=parents, counts=counts)
        with writing_artefact(out, manifest) as draft:
            lines.path.touch()
            shutil.copyfile(lines.path, draft.folder / SAMPLES_NAME)
        done(out)
    return read_manifest(out, KIND)


def prompts_digest(prompts: Sequence[Prompt]) -> str:
    """Digest of prompts and their groups, in order."""
    return digest_json([[to_dicts(prompt), group] for prompt, group in prompts])


def sample_counts(groups: Iterable[SampleGroup]) -> Counter[str]:
    """Prompts, responses, and those of them that were cut at the limit."""
    counts = Counter(prompts=0, responses=0, unfinished=0)
    for group in groups:
        counts.update(prompts=1, responses=len(group))
        counts["unfinished"] += sum(not sample.is_finished for sample in group.samples)
    return counts


def _file_in(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = next((path / name for name in FILE_NAMES if (path / name).is_file()), None)
    if found is None:
        raise ArtefactError("no samples", wanted=" or ".join(FILE_NAMES), where=str(path))
    return found


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ArtefactError("a damaged line", got=error, where=where, fix="make the file again") from error
    if not isinstance(values, dict):
        raise ArtefactError("a damaged line", wanted="a JSON object", got=values, where=where)
    return values


def _sample_values(sample: Sample) -> dict[str, Any]:
    values: dict[str, Any] = {"text": sample.text, "n_tokens": sample.n_tokens, "is_finished": sample.is_finished}
    known = {"log_prob": sample.log_prob, "log_prob_reference": sample.log_prob_reference}
    return values | {name: value for name, value in known.items() if value is not None}
