"""Does the audit find what is wrong with a scorer, and is it quiet where nothing is?

    python bench/audit.py known [--clean N] [--repeats N] [--only NAME ...] [--out bench/results/audit.json]
    python bench/audit.py trained [--only NAME ...] [--out bench/results/audit.json]

`known` audits scorers of known truth (`known_truth.py`): clean ones, which see the hidden quality of the answers with
noise of several sizes, at several scales and offsets; and one for each planted flaw (`planted.py`) at three strengths.
`trained` trains a small encoder on real pairs and on the same pairs with a planted bias (`trained.py`): real data carry
real biases, so what counts is what the audit finds in the biased twin and not, or less, in the clean one.

Written down:

- `detected-strong`, `detected-medium`, `detected-weak`: share of the planted flaws that a finding names that should
  name them, as a warning or worse.
- `false-alarms`: share of the clean scorers with any warning or worse in the whole audit. What is true of a clean
  scorer is no false alarm: rewards beyond 50 in size drift, and margins that cost more than log 2 a pair on the pairs
  of the training side, which are not calibrated on, are mis-scaled.
- `detected-trained`: share of the biased models that a finding names that should. With `--only` the row keeps what it
  says of the others. `twins` holds the accuracies of a biased model and of its clean twin.
- `audit-seconds`: processor seconds of an audit, scoring aside.

Intervals are Wilson's. `runs/bench/audit-*.jsonl` keeps every finding.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import numpy as np
import planted
import real_data
from known_truth import KnownScorer, Sight, World, drawn
from share import is_named, share_row

from rewardsmith.audit.audit import Prepared, judge, prepare
from rewardsmith.audit.standing_parts import rendering_part
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.finding import Finding
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer, Scores

OUT = measure.ROOT / "bench" / "results" / "audit.json"
_WORLDS = 6
_PAIRS_EACH = 500
_TRAIN_SHARE = 1 / 4
_LONGEST_CHARS = 1500
_NOISES = (0.0, 0.3, 0.6, 0.9, 1.2, 1.5)
_DRIFT = 50.0

Record = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """A world and what an audit asks of every scorer in it."""

    world: World
    heldout: list[Preference]
    train: list[Preference]
    prepared: Prepared


def stages(count: int, *, pairs_each: int = _PAIRS_EACH) -> list[Stage]:
    """Worlds over the same texts, each with qualities, votes and a split of its own."""
    texts = list(short_texts(pairs_each))
    made = []
    for seed in range(count):
        world = World(texts, seed=seed)
        in_train = [drawn("split", seed, each.group) < -0.674 for each in world.preferences]
        heldout = [each for each, is_train in zip(world.preferences, in_train, strict=True) if not is_train]
        train = [each for each, is_train in zip(world.preferences, in_train, strict=True) if is_train]
        made.append(Stage(world, heldout, train, prepare(heldout, train=train, seed=seed)))
    return made


def short_texts(pairs_each: int) -> Iterator[Preference]:
    """The first pairs of each source that are not long; the starter set alone where the others are not there."""
    paths = [real_data.FOLDER / name for name in real_data.HH]
    for path in [path for path in paths if path.is_file()] or [real_data.STARTER]:
        short = (each for each in real_data.preferences(path) if _characters(each) <= _LONGEST_CHARS)
        yield from (each for _, each in zip(range(pairs_each), short, strict=False))


def _characters(preference: Preference) -> int:
    return sum(len(content) for turns in (preference.prompt, *preference.responses) for _, content in turns)


def clean_sights(count: int) -> list[Sight]:
    """Sights of every noise in turn, with scales from 0.001 to 1,000, offsets, and both kinds of noise."""
    rng = np.random.default_rng(7)
    return [
        Sight(
            seed=number,
            scale=float(10 ** rng.uniform(-3, 3)),
            offset=float(rng.normal(0, 5)),
            prompt_offset=float(rng.choice([0.0, 1.0, 3.0])),
            noise=_NOISES[number % len(_NOISES)],
            by_words=number // len(_NOISES) % 2 == 0,
        )
        for number in range(count)
    ]


def planted_cases(places: Sequence[Stage], repeats: int) -> Iterator[tuple[Record, Stage, Scorer]]:
    """Every flaw at every strength: what it is, where, and the scorer."""
    for repeat in range(repeats):
        for number, flaw in enumerate(planted.flaws(places[0].world, places[0].train)):
            place = (number + repeat) % len(places)
            stage = places[place]
            here = planted.flaws(stage.world, stage.train)[number]
            sight = Sight(seed=1000 * repeat + number, noise=0.5, by_words=repeat % 2 == 0)
            for level, strength in planted.STRENGTHS.items():
                what = {"flaw": flaw.name, "level": level, "repeat": repeat, "found_by": flaw.found_by}
                yield what, stage, here.scorer(stage.world, sight, strength=strength)
        for number, distortion in enumerate(planted.DISTORTIONS):
            stage = places[(number + repeat) % len(places)]
            inner = KnownScorer(stage.world, Sight(seed=2000 * repeat + number, noise=0.5))
            for level, change in distortion.levels.items():
                what = {"flaw": distortion.name, "level": level, "repeat": repeat, "found_by": distortion.found_by}
                yield what, stage, planted.Distorted(inner, change)


class _Timed:
    """A scorer, and the processor seconds that it took."""

    def __init__(self, inner: Scorer) -> None:
        self.inner = inner
        self.seconds = 0.0

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation."""
        started = time.process_time()
        scores = self.inner.score(conversations)
        self.seconds += time.process_time() - started
        return scores


def audited(scorer: Scorer, stage: Stage) -> Record:
    """The alarms of an audit, and its time."""
    timed, started = _Timed(scorer), time.process_time()
    audit = judge(timed, stage.prepared, parts=(rendering_part(timed, stage.heldout),))
    seconds = time.process_time() - started - timed.seconds
    return {"alarms": [_alarm(each) for each in audit.findings if each.severity != "info"], "seconds": seconds} | {
        "all": {each.name: [round(each.estimate.value, 4), each.p_value] for each in audit.findings}
    }


def _alarm(finding: Finding) -> Record:
    return {"name": finding.name, "severity": finding.severity, "value": measure.rounded(finding.estimate.value)}


def facts_of(scorer: Scorer, pairs: Sequence[Preference]) -> list[str]:
    """What is true of a scorer that sees well: findings that are none of the audit's errors."""
    chosen = scorer.score([each.conversation(each.pairs[0].chosen) for each in pairs]).rewards.astype(np.float64)
    rejected = scorer.score([each.conversation(each.pairs[0].rejected) for each in pairs]).rewards.astype(np.float64)
    facts = []
    if max(np.abs(chosen).max(), np.abs(rejected).max()) > _DRIFT / 2:
        facts.append("health.drift")
    if np.logaddexp(0, rejected - chosen).mean() > np.log(2):
        facts.append("calibration.*")
    return facts


def names_any(alarms: Iterable[Record], patterns: Sequence[str]) -> bool:
    """Whether an alarm is one that should come."""
    return any(is_named(alarm["name"], patterns) for alarm in alarms)


def known(arguments: argparse.Namespace) -> list[measure.Row]:
    """Audit the scorers of known truth."""
    places = stages(arguments.worlds)
    kept = measure.CACHE / "audit-known.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    records: list[Record] = []
    with kept.open("w", encoding="utf-8") as stream:
        for record in _known_records(places, arguments):
            records.append(record)
            stream.write(json.dumps(record) + "\n")
            stream.flush()
            _tell(record)
    return known_rows(records)


def _known_records(places: Sequence[Stage], arguments: argparse.Namespace) -> Iterator[Record]:
    for number, sight in enumerate(clean_sights(arguments.clean)):
        stage = places[number % len(places)]
        scorer = KnownScorer(stage.world, sight)
        what = {"flaw": "", "level": "clean", "noise": sight.noise, "scale": sight.scale, "number": number}
        yield {**what, "facts": facts_of(scorer, stage.train), **audited(scorer, stage)}
    for what, stage, scorer in planted_cases(places, arguments.repeats):
        if what["level"] in arguments.levels and (not arguments.only or what["flaw"] in arguments.only):
            yield {**what, **audited(scorer, stage)}


def known_rows(records: Sequence[Record]) -> list[measure.Row]:
    """The rows for `audit.json`."""
    rows = []
    for level in planted.STRENGTHS:
        some = [record for record in records if record["level"] == level]
        if some:
            found = sum(names_any(record["alarms"], record["found_by"]) for record in some)
            missed = sorted({each["flaw"] for each in some if not names_any(each["alarms"], each["found_by"])})
            kinds = len({each["flaw"] for each in some})
            rows.append(share_row(f"detected-{level}", found, len(some)) | {"kinds": kinds, "missed": missed})
    clean = [record for record in records if record["level"] == "clean"]
    if clean:
        false = [record for record in clean if false_alarms(record)]
        names = sorted({name for record in false for name in false_alarms(record)})
        rows.append(share_row("false-alarms", len(false), len(clean)) | {"names": names})
    seconds = [record["seconds"] for record in records]
    row = measure.row("audit-seconds", float(np.median(seconds)), seconds, "processor seconds, scoring aside")
    return [*rows, row | {"ours": row["value"], "peer": None}]


def false_alarms(record: Record) -> list[str]:
    """Names of the alarms of a clean scorer that are not true of it."""
    return [alarm["name"] for alarm in record["alarms"] if not is_named(alarm["name"], record["facts"])]


def _tell(record: Record) -> None:
    alarms = ", ".join(f"{alarm['name']} {alarm['value']:+.2f}" for alarm in record["alarms"])
    if record["level"] == "clean":
        sign = "FALSE" if false_alarms(record) else "quiet"
        print(f"{sign} clean noise={record['noise']} scale={record['scale']:.3g}: {alarms}", flush=True)
        return
    sign = "found " if names_any(record["alarms"], record["found_by"]) else "MISSED"
    print(f"{sign} {record['flaw']} {record['level']}: {alarms}", flush=True)


def main() -> None:
    """Audit, then the table and the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["known", "trained"])
    parser.add_argument("--clean", type=int, default=210)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--worlds", type=int, default=_WORLDS)
    parser.add_argument("--levels", nargs="+", default=list(planted.STRENGTHS))
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--out", default=str(OUT))
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if arguments.kind == "trained":
        import trained

        rows = trained.rows(arguments.only, known=measure.known_row(Path(arguments.out), "detected-trained"))
    else:
        rows = known(arguments)
    measure.show(rows)
    measure.write_rows(Path(arguments.out), rows)


if __name__ == "__main__":
    main()
