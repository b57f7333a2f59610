"""`examples/full-turn`: who labels, what is compared, which steps are skipped, and the same end after any kill."""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.optimise.trl.policies import save_policy

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.digest import digest_json
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.core.store import artefact_kind, load_settings, read_manifest, writing_artefact
from rewardsmith.gate.store import load_policy
from rewardsmith.optimise.gold import RatingsGold
from rewardsmith.optimise.load import load_criteria, load_prompts
from rewardsmith.optimise.samples import Sample, SampleGroup

FOLDER = Path(__file__).parents[2] / "examples" / "full-turn"
NAMES = ("comparison", "labels", "results", "settings", "steps")
KILLS = 5


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The modules of the example, which import each other by their plain names."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})
    for name in NAMES:
        sys.modules.pop(name, None)


def conversation(text: str, prompt: str = "p") -> Conversation:
    return user(prompt), assistant(text)


def group(*texts: str, prompt: str = "p", ratios: tuple[float, ...] = ()) -> SampleGroup:
    known = ratios or (0.0,) * len(texts)
    samples = (Sample(text, 3, True, ratio - 5.0, -5.0) for text, ratio in zip(texts, known, strict=True))
    return SampleGroup((user(prompt),), prompt, tuple(samples))


def test_pairs_are_of_different_responses_and_stay_the_same_for_a_seed(example: SimpleNamespace):
    groups = [group("a", "b", "a", "c"), group("a", "a", prompt="q")]
    found = example.labels.drawn(groups, per_prompt=2, seed=3)
    assert len(found) == 2
    assert all(each.group == "p" and each.responses[0] != each.responses[1] for each in found)
    assert len({each.id for each in found}) == 2
    assert example.labels.drawn(groups, per_prompt=2, seed=3) == found
    assert len(example.labels.drawn(groups, per_prompt=9, seed=3)) == 3


def test_the_better_response_is_chosen_whichever_way_round(example: SimpleNamespace):
    gold = RatingsGold({conversation("good"): 8.0, conversation("bad"): 2.0, conversation("also bad"): 2.1})
    asked = [
        example.labels.Question("1", "p", (user("p"),), ("good", "bad")),
        example.labels.Question("2", "p", (user("p"),), ("bad", "good")),
        example.labels.Question("3", "p", (user("p"),), ("bad", "also bad")),
    ]
    exact = example.settings.LabelSettings(noise=0.01)
    first, second, third = example.labels.judged(asked, gold, exact)
    for row in (first, second):
        assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("good", "bad")
        assert (row["label"], row["meta"]["points"]) == ("chosen", [8.0, 2.0])
    assert third["label"] == "tie"


def test_noise_turns_as_many_labels_as_it_says(example: SimpleNamespace):
    # One point apart, noise 1, no indifference: σ(1) = 0.731 are right. 4 standard errors of 2,000 are 0.04.
    ratings = {conversation(f"{kind}{number}"): float(kind == "a") for number in range(2000) for kind in "ab"}
    asked = [example.labels.Question(str(n), "p", (user("p"),), (f"a{n}", f"b{n}")) for n in range(2000)]
    rows = example.labels.judged(asked, RatingsGold(ratings), example.settings.LabelSettings(noise=1, indifference=0))
    right = np.mean([row["meta"]["points"] == [1.0, 0.0] for row in rows])
    assert right == pytest.approx(0.731, abs=0.04)


def test_labels_are_counted_and_read_back(example: SimpleNamespace, tmp_path: Path):
    gold = RatingsGold({conversation("good"): 8.0, conversation("bad"): 2.0})
    asked = [example.labels.Question("1", "p", (user("p"),), ("good", "bad"))]
    made = example.labels.write_judged(asked, gold, example.settings.LabelSettings(), tmp_path / "out", parents={})
    assert made.counts == {"labels": 1, "ties": 0, "against_the_rubric": 0}
    assert example.labels.read_questions(tmp_path / "out" / "pairs.jsonl")[0].responses == ("good", "bad")


class ByRating:
    """A reward model that is right, or wrong throughout."""

    def __init__(self, ratings: dict[Conversation, float], sign: float) -> None:
        self._ratings, self._sign = ratings, sign

    def score(self, conversations: Any) -> Scores:
        values = [self._sign * self._ratings[each] for each in conversations]
        return Scores(np.array(values, dtype=np.float32), Provenance("test", "none"))


def test_the_difference_is_paired_by_prompt(example: SimpleNamespace):
    before = [group("a", "b"), group("a", "b", prompt="q")]
    after = [
        group("a", "c", ratios=(1.0, 3.0)),
        group("c", "c", prompt="q", ratios=(2.0, 2.0)),
    ]
    ratings = {
        conversation(text, prompt): value for prompt in "pq" for text, value in (("a", 1.0), ("b", 2.0), ("c", 5.0))
    }
    scorers = {"right": ByRating(ratings, 1), "wrong": ByRating(ratings, -1)}
    found = example.comparison.compare({"first": before, "second": after}, scorers, RatingsGold(ratings))
    # p: (1 + 5)/2 − (1 + 2)/2 = 1.5; q: 5 − 1.5 = 3.5; the mean of the two, and never outside them.
    difference = found["differences"]["second - first"]
    assert (difference.value, difference.groups) == (2.5, 2)
    assert 1.5 <= difference.low <= difference.high <= 3.5
    second = found["policies"]["second"]
    assert second["gold"].value == 4.0
    assert second["kl_nats"].value == 2.0
    assert (second["agreement"]["right"].value, second["agreement"]["wrong"].value) == (1.0, 0.0)
    # Of p one pair, of q none: its two responses are worth the same.
    assert second["agreement"]["right"].n == 1


@pytest.mark.parametrize(
    ("said", "is_echo"),
    [("Who are  you", True), ("He asks: who are you? I know.", True), ("Who is asking?", False), ("", False)],
)
def test_an_echo_holds_the_question(said: str, is_echo: bool, example: SimpleNamespace):
    assert example.comparison.echoes(conversation(said, "Who are you?")) == is_echo


def make(folder: Path, text: str) -> None:
    with writing_artefact(folder, Manifest(kind="test", config={})) as draft:
        (draft.folder / "file").write_text(text)


def test_a_step_is_done_once_and_again_where_something_changed(example: SimpleNamespace, tmp_path: Path):
    calls: list[str] = []
    cleared: list[str] = []
    folder = tmp_path / "turn" / "made"

    def step(made_from: str) -> None:
        steps = example.steps.Steps(tmp_path / "turn", say=lambda _: None)
        build = lambda: (calls.append(made_from), make(folder, made_from))  # noqa: E731
        steps.do(
            "a step", build, made_from={"from": made_from}, folders=[folder], clear=lambda: cleared.append(made_from)
        )

    step("one")
    step("one")
    assert calls == ["one"]
    step("two")
    (folder / "file").write_text("damaged")
    step("two")
    (folder / "manifest.json").unlink()
    (folder / "file").unlink()
    step("two")
    assert calls == ["one", "two", "two", "two"]
    # Only what was begun from something else stands in the way.
    assert cleared == ["two"]


def test_nobody_knows_the_time_of_a_step_that_was_interrupted(example: SimpleNamespace, tmp_path: Path):
    events = [
        ("whole", "began", 1),
        ("whole", "ended", 3),
        ("cut", "began", 3),
        ("whole", "kept", 9),
        ("cut", "began", 9),
    ]
    events += [("cut", "ended", 11), ("open", "began", 11)]
    lines = [json.dumps({"step": step, "event": event, "time": at}) for step, event, at in events]
    (tmp_path / "times.jsonl").write_text("\n".join(lines) + "\n")
    assert example.steps.Steps(tmp_path).seconds() == {"whole": 2.0, "cut": None, "open": None}


def test_the_recipes_load_and_agree_where_they_must(example: SimpleNamespace):
    full, quick = (load_settings(example.settings.TurnSettings, FOLDER / name) for name in ("turn.yaml", "quick.yaml"))
    assert load_policy(str(FOLDER / full.gate)).rules
    assert full.must_pass
    for settings in (full, quick):
        # Log-probabilities of responses that are cut elsewhere are of another policy.
        lengths = {settings.sampling.max_new_tokens, settings.comparison.max_new_tokens}
        assert lengths == {settings.policy.training.max_new_tokens}
        assert settings.sampling.seed != settings.comparison.seed
        assert settings.sampling.temperature == settings.comparison.temperature == 1


def test_unseen_prompts_are_unseen_and_say_what_they_ask_for():
    unseen, seen = load_prompts(str(FOLDER / "unseen.jsonl")), load_prompts("builtin:starter")
    assert unseen.repeated == 0
    assert len({name for _, name in unseen.prompts}) == len(unseen.prompts) == 64
    assert not {prompt for prompt, _ in unseen.prompts} & {prompt for prompt, _ in seen.prompts}
    criteria = load_criteria(str(FOLDER / "unseen.jsonl"))
    assert all(criteria[prompt].to_dict() for prompt, _ in unseen.prompts)


@pytest.fixture(scope="module")
def models(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    policy = save_policy(tiny, folder / "policy")
    return {"policy.policy": str(policy), "reward.model.base": tiny.save_base(folder / "encoder", "encoder")}


def start(folder: Path, models: dict[str, str]) -> subprocess.Popen[bytes]:
    """The example in a process group of its own."""
    folder.mkdir(exist_ok=True)
    named = [part for name, value in models.items() for part in ("--set", f"{name}={value}")]
    return subprocess.Popen(
        [sys.executable, str(FOLDER / "run.py"), "--quick", "--out", "turn", *named],
        cwd=folder,
        stdout=(folder / "out").open("ab"),
        stderr=(folder / "err").open("ab"),
        start_new_session=True,
    )


def finish(folder: Path, models: dict[str, str]) -> None:
    assert start(folder, models).wait(timeout=900) == 0, (folder / "err").read_text("utf-8")[-2000:]


def events(folder: Path) -> list[dict[str, Any]]:
    path = folder / "turn" / "times.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []


def kill_in(folder: Path, models: dict[str, str], step: str, after_s: float) -> None:
    """Go on until so long after `step` began, or until it ended, and no further."""
    known = len(events(folder))
    process = start(folder, models)
    wait_for(folder, process, known, step, "began", within_s=900)
    wait_for(folder, process, known, step, "ended", within_s=after_s)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def wait_for(
    folder: Path, process: subprocess.Popen[bytes], known: int, step: str, event: str, *, within_s: float
) -> None:
    """Until the event is among those after the first `known`, or until the time is up."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if any((each["step"], each["event"]) == (step, event) for each in events(folder)[known:]):
            return
        assert process.poll() is None, (folder / "err").read_text("utf-8")[-2000:]
        time.sleep(0.02)


def content(folder: Path) -> dict[str, str]:
    """Digest of every file of every artefact, by its path. Exempt is what says how fast something was: the log of a
    reward model's training (tokens a second), and the seconds in an audit."""
    turn = folder / "turn"
    found = {}
    for path in sorted(turn.rglob("manifest.json")):
        for name, digest in read_manifest(path.parent, artefact_kind(path.parent)).files.items():
            if name == "audit.json":
                audit = json.loads((path.parent / name).read_text("utf-8"))
                assert audit["texts"].pop("seconds") >= 0
                digest = digest_json(audit)
            if name != "training_log.jsonl":
                found[f"{path.parent.relative_to(turn)}/{name}"] = digest
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_five_random_moments_it_ends_with_the_same_artefacts(models: dict[str, str], tmp_path: Path):
    # Both in the same place: artefacts name the files that they were made from.
    through, killed = tmp_path / "through", tmp_path / "here"
    finish(killed, models)
    killed.rename(through)
    began = {each["step"]: each["time"] for each in events(through) if each["event"] == "began"}
    # The last steps take no time here: the process would be gone before it is killed.
    first, last = min(began.values()), began["10-unseen-base"]
    for moment in sorted(random.Random(7).uniform(first, last) for _ in range(KILLS)):
        step = max((at, name) for name, at in began.items() if at <= moment)[1]
        kill_in(killed, models, step, moment - began[step])
    finish(killed, models)
    one, other = content(through), content(killed)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    assert sum(name.endswith(".safetensors") for name in one) >= 4
    assert {"1-samples/samples.jsonl", "5-gate/verdict.json", "8-refresh/to_label/pairs.jsonl"} <= one.keys()
    said = [sum(each["event"] == "began" for each in events(folder)) for folder in (through, killed)]
    assert said[1] > said[0]
    assert "second - first" in (killed / "turn" / "summary.md").read_text("utf-8")
    assert not [path for path in (killed / "turn").rglob("*") if path.name.endswith((".work", ".unfinished"))]
