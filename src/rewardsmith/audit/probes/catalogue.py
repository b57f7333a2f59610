"""Every probe there is, by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from rewardsmith.audit.probes.contrast import ContrastProbe
from rewardsmith.audit.probes.people import fairness
from rewardsmith.audit.probes.probe import Probe
from rewardsmith.audit.probes.shape import damage, form, invariance, length, repetition
from rewardsmith.audit.probes.talk import confidence, flattery, judge_talk, opinion, persona, refusal
from rewardsmith.core.errors import SettingsError

PROBES: tuple[Probe, ...] = (
    *length.PROBES,
    *form.PROBES,
    *flattery.PROBES,
    *repetition.PROBES,
    *damage.PROBES,
    *refusal.PROBES,
    *judge_talk.PROBES,
    *confidence.PROBES,
    *opinion.PROBES,
    *invariance.PROBES,
    *fairness.PROBES,
)
"""Changes of answers."""

CONTRASTS: tuple[ContrastProbe, ...] = (*opinion.CONTRASTS, persona.persona_probe(), *fairness.CONTRASTS)
"""Changes of prompts."""


def select(names: Sequence[str]) -> tuple[tuple[Probe, ...], tuple[ContrastProbe, ...]]:
    """The probes and contrasts of these names, in the order of the catalogue; `format` means all that begin so.

    Raises:
        SettingsError: A name is none of them.
    """
    every = [probe.name for probe in (*PROBES, *CONTRASTS)]
    for name in names:
        if not any(_matches(one, name) for one in every):
            known = sorted({*every, *map(_family, every)})
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            fix = f"did you mean {nearest[0]!r}?" if nearest else None
            raise SettingsError(
                "unknown probe", wanted=f"one of {', '.join(known)}", got=name, where="--probe", fix=fix
            )
    return (
        tuple(probe for probe in PROBES if any(_matches(probe.name, name) for name in names)),
        tuple(probe for probe in CONTRASTS if any(_matches(probe.name, name) for name in names)),
    )


def _matches(probe: str, name: str) -> bool:
    return name in (probe, _family(probe))


def _family(probe: str) -> str:
    return probe.partition(".")[0]
