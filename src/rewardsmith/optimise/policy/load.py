"""A policy from what a command line says: a model's name, an address, or a file of candidates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import MANIFEST_NAME
from rewardsmith.models.causal_lm import CausalLm, load_causal_lm
from rewardsmith.optimise.policy.candidates import CandidatePolicy
from rewardsmith.optimise.policy.endpoint import EndpointPolicy
from rewardsmith.optimise.policy.local import LocalPolicy
from rewardsmith.optimise.policy.policy import Policy, SamplingSettings
from rewardsmith.optimise.sample_store import FILE_NAMES, iter_groups
from rewardsmith.optimise.samples import Sample, SampleGroup
from rewardsmith.preferences.layouts.rows import group_name
from rewardsmith.preferences.load import format_of, iter_rows
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.scoring.families.judge.settings import RemoteBackend
from rewardsmith.scoring.remote import is_address
from rewardsmith.scoring.rows import read_conversations


def load_policy(
    name: str,
    settings: SamplingSettings | None = None,
    *,
    reference: str | None = None,
    key_env: str | None = None,
    device: str | None = None,
) -> Policy:
    """The policy that `name` says.

    `http://…/v1#model` is an OpenAI-compatible endpoint with the name of the model there; a file with the suffix of
    data (`.jsonl`, …) or a folder of samples holds candidates; anything else is a language model: `builtin:…`, a
    folder, or a hub id.

    Args:
        reference: Of a language model: whose log-probabilities are computed too.
        key_env: Of an endpoint: the environment variable that holds its key.
        device: Of a language model; the GPU where there is one, if absent.

    Raises:
        SettingsError: An option does not go with such a policy, or the endpoint's model is not named.
        ModelError: There is no such language model.
        DataError: The candidates cannot be read.
    """
    options = {"reference": reference, "key_env": key_env, "device": device}
    if is_address(name):
        _require_absent(options, "reference", "device", where=name)
        return EndpointPolicy(_backend(name, key_env), settings)
    if _holds_candidates(name):
        _require_absent(options, "reference", "key_env", "device", where=name)
        return CandidatePolicy(list(iter_candidates(name)))
    _require_absent(options, "key_env", where=name)
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = _placed(load_causal_lm(name), place)
    other = model if reference == name else None if reference is None else _placed(load_causal_lm(reference), place)
    return LocalPolicy(model, settings, reference=other)


def iter_candidates(source: str) -> Iterator[SampleGroup]:
    """The candidates of a file: samples that were written down, or rows as `rewardsmith score` reads them.

    Rows of one prompt need not follow each other.

    Raises:
        DataError: A row cannot be read; its file and line are named.
        ArtefactError: Samples are damaged.
    """
    path = Path(source)
    if path.is_dir() or path.name in FILE_NAMES:
        yield from iter_groups(path)
        return
    for row in iter_rows(SourceSettings(path=source)):
        yield _group(row)


def _group(row: RawRow) -> SampleGroup:
    where = f"{row.file}:{row.line}"
    if row.values is None:
        raise DataError("not a JSON object", got=row.problem, where=where, fix="write one a line")
    found = list(read_conversations(row.values, where=where).values())
    if not found:
        raise DataError("a prompt without responses", wanted="at least one", where=where)
    prompt = found[0][:-1]
    if not prompt or any(each[:-1] != prompt for each in found):
        raise DataError("candidates for different prompts", wanted="responses of one turn to one prompt", where=where)
    samples = tuple(Sample(text=each[-1].content) for each in found)
    return SampleGroup(prompt, group_name(row, prompt), samples)


def _holds_candidates(name: str) -> bool:
    path = Path(name)
    if path.is_dir():
        return (path / MANIFEST_NAME).is_file() and any((path / each).is_file() for each in FILE_NAMES)
    is_data = bool(format_of(path)) and not name.startswith("builtin:")
    if is_data and not path.is_file():
        raise DataError("no such file of candidates", where=name, fix="check the path")
    return is_data


def _backend(address: str, key_env: str | None) -> RemoteBackend:
    url, _, model = address.partition("#")
    if not model:
        raise SettingsError(
            "the endpoint's model is not named", wanted=f"{url.rstrip('/')}#name-of-the-model", got=address
        )
    return parse_settings(RemoteBackend, {"url": url, "model": model, "key_env": key_env}, where=url)


def _placed(model: CausalLm, device: str) -> CausalLm:
    network: Any = model.network
    return CausalLm(network.to(device), model.tokenizer, model.digest)


def _require_absent(options: dict[str, str | None], *names: str, where: str) -> None:
    for name in names:
        if options[name] is not None:
            raise SettingsError(
                f"{name} does not go with such a policy", wanted=f"no {name}", got=options[name], where=where
            )
