"""Which probes an audit makes, and over which files of the user's own: problems with answers, prompts with personas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from rewardsmith.audit.probes.catalogue import CONTRASTS, PROBES, select
from rewardsmith.audit.probes.contrast import ContrastProbe
from rewardsmith.audit.probes.probe import Probe
from rewardsmith.audit.probes.talk.opinion import facts_of, opinion_probes
from rewardsmith.audit.probes.talk.persona import persona_probe, persona_rows
from rewardsmith.preferences.load import iter_rows
from rewardsmith.preferences.settings import SourceSettings

AnyProbe = TypeVar("AnyProbe", Probe, ContrastProbe)


def chosen_probes(
    names: Sequence[str], *, problems: str | None = None, persona: str | None = None, seed: int = 0
) -> tuple[tuple[Probe, ...], tuple[ContrastProbe, ...]]:
    """The probes and contrasts of these names, all where there is none, over the given files where they read one.

    Args:
        names: Of probes, or of their families.
        problems: Rows with `problem` and `answer`, a whole number, as GSM8K's: the user asserts a wrong one.
        persona: Rows with `prompt`, `neutral_prompt`, `answer_matching_user` and `answer_not_matching_user`.

    Raises:
        DataError: A file has no row that can be used.
        SettingsError: A name is of no probe.
    """
    probes, contrasts = select(names) if names else (PROBES, CONTRASTS)
    own_probes: list[Probe] = []
    own_contrasts: list[ContrastProbe] = []
    if problems is not None:
        over_edits, over_contrasts = opinion_probes(facts_of(_rows(problems), np.random.default_rng(seed)))
        own_probes += over_edits
        own_contrasts += over_contrasts
    if persona is not None:
        own_contrasts.append(persona_probe(persona_rows(_rows(persona), seed=seed)))
    return _replaced(probes, own_probes), _replaced(contrasts, own_contrasts)


def _rows(path: str) -> Iterator[dict[str, Any]]:
    return (row.values for row in iter_rows(SourceSettings(path=path)) if row.values is not None)


def _replaced(probes: Sequence[AnyProbe], own: Sequence[AnyProbe]) -> tuple[AnyProbe, ...]:
    by_name = {probe.name: probe for probe in own}
    return tuple(by_name.get(probe.name, probe) for probe in probes)
