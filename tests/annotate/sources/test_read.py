"""Each source, from a file to tasks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.annotate.answers import AttributesAnswer, FirstErrorAnswer, PairAnswer, RankingAnswer, require_fits
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.sources.making import content_key, tasks_of
from rewardsmith.annotate.sources.material import Material
from rewardsmith.annotate.sources.read import read_tasks
from rewardsmith.annotate.sources.settings import AddSettings
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.conversation import assistant, response_text, user
from rewardsmith.core.errors import DataError, SettingsError

PAIR = ProjectSettings(name="p", kind="pair")
RANKING = ProjectSettings(name="r", kind="ranking")
STEPS = ProjectSettings(name="s", kind="first_error")
RATED = ProjectSettings(name="a", kind="attributes", attributes={"helpful": (0, 4), "true": (0, 4)})


def _file(folder: Path, rows: Iterable[Mapping[str, Any]], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _texts(task: Task) -> tuple[str, ...]:
    return tuple(response_text(response) for response in task.responses)


def test_a_pair_file_becomes_pairs_without_its_labels(tmp_path: Path):
    rows = [
        {"id": "one", "prompt": "q1", "chosen": "a", "rejected": "b", "votes": ["chosen"], "why": "close", "x": 1},
        {"prompt": "q2", "chosen": "c", "rejected": "d", "label": "abstain", "priority": 2.5},
        {"prompt": "q3", "chosen": "e", "rejected": "f", "label": "tie"},
        {"prompt": "q4", "chosen": "same", "rejected": "same"},
        {"prompt": "q1", "chosen": "b", "rejected": "a"},
    ]
    found = read_tasks(_file(tmp_path, rows), PAIR)
    one, two, three = found.tasks
    assert (one.id, one.why, one.gold, dict(one.meta)) == ("one", "close", None, {"x": 1})
    assert (one.prompt, _texts(one)) == ((user("q1"),), ("a", "b"))
    # Nobody voted, or all called it a tie: that is what people should be asked.
    assert (_texts(two), two.priority) == (("c", "d"), 2.5)
    assert (_texts(three), three.priority) == (("e", "f"), 0.0)
    assert len({task.id for task in found.tasks}) == 3
    # The last row asks what the first one asks, the other way round.
    assert found.left == {"identical-responses": 1, "repeated": 1}
    assert found.first["identical-responses"].where == "rows.jsonl:4"
    # The same file gives the same ids.
    assert read_tasks(tmp_path / "rows.jsonl", PAIR) == found


def test_what_refresh_chose_keeps_its_ids_its_order_and_its_reasons(tmp_path: Path):
    rows = [
        {"id": f"id{n}", "prompt_id": f"g{n}", "prompt": f"q{n}", "chosen": "a", "rejected": "b", "label": "abstain"}
        | {"why": f"the rewards are .{n} apart", "acquisition": -n / 10, "chosen_by": "margin", "rewards": [1, 1]}
        for n in (3, 1, 2)
    ]
    found = read_tasks(_file(tmp_path, rows), PAIR)
    assert [(task.id, task.group, task.why) for task in found.tasks] == [
        ("id3", "g3", "the rewards are .3 apart"),
        ("id1", "g1", "the rewards are .1 apart"),
        ("id2", "g2", "the rewards are .2 apart"),
    ]
    assert [task.priority for task in found.tasks] == [0.75, 0.5, 0.25]
    assert found.left == {}


def test_labels_that_are_right_make_tests_of_raters(tmp_path: Path):
    rows = [
        {"prompt": "q1", "chosen": "a", "rejected": "b"},
        {"prompt": "q2", "chosen": "a", "rejected": "b", "votes": ["rejected", "tie", "tie"]},
        {"prompt": "q3", "chosen": "a", "rejected": "b", "label": "abstain"},
    ]
    found = read_tasks(_file(tmp_path, rows), PAIR, settings=AddSettings(gold=True))
    assert [task.gold for task in found.tasks] == [PairAnswer("first"), PairAnswer("tie")]
    assert found.left == {"abstention": 1}
    by_axis = PAIR.model_copy(update={"axes": ("true",), "overall": False})
    with pytest.raises(DataError, match=r"no row gives a task.*no-label 2"):
        read_tasks(tmp_path / "rows.jsonl", by_axis, settings=AddSettings(gold=True))


def test_a_ranked_file_becomes_rankings_or_pairs(tmp_path: Path):
    path = _file(
        tmp_path,
        [
            {"id": "k4", "prompt": "q", "responses": ["w", "x", "y", "z"], "ranks": [2, 1, 2, 4]},
            {"id": "k3", "prompt": "r", "responses": ["a", "b", "c"], "ranks": [None, 1, 1]},
        ],
    )
    both = read_tasks(path, RANKING).tasks
    assert [(task.id, _texts(task)) for task in both] == [("k4", ("w", "x", "y", "z")), ("k3", ("a", "b", "c"))]
    (gold,) = read_tasks(path, RANKING, settings=AddSettings(gold=True)).tasks
    # x beats all; w and y tie, each beaten by x alone; z is beaten by three.
    assert gold.gold == RankingAnswer((2, 1, 2, 4))
    (one, _) = read_tasks(path, PAIR).tasks
    assert len(one.responses) == 2
    assert one.id != "k4"
    many = read_tasks(path, PAIR, settings=AddSettings(pairs_a_prompt=9)).tasks
    assert len(many) == 6 + 3
    # Of two pairs of one prompt, none shares a response.
    first, second = read_tasks(path, PAIR, settings=AddSettings(pairs_a_prompt=2)).tasks[:2]
    assert set(_texts(first)) | set(_texts(second)) == {"w", "x", "y", "z"}


def test_more_responses_than_a_person_can_rank_are_drawn(tmp_path: Path):
    path = _file(tmp_path, [{"prompt": "q", "responses": [f"r{n}" for n in range(12)]}])
    (task,) = read_tasks(path, RANKING, settings=AddSettings(most_responses=3)).tasks
    assert len(task.responses) == 3


def test_rated_responses_become_ratings_with_whole_gold_on_the_scale(tmp_path: Path):
    rows = [
        {"id": "r1", "prompt": "q", "response": "a", "ratings": {"helpful": 3, "true": 4, "long": 2}},
        {"prompt": "q", "response": "b", "ratings": {"helpful": 2.5, "true": 1}},
        {"prompt": "q", "response": "c", "ratings": {"helpful": 9, "true": 1}},
    ]
    path = _file(tmp_path, rows)
    assert [_texts(task) for task in read_tasks(path, RATED).tasks] == [("a",), ("b",), ("c",)]
    found = read_tasks(path, RATED, settings=AddSettings(gold=True))
    assert [task.gold for task in found.tasks] == [AttributesAnswer({"helpful": 3, "true": 4})]
    assert found.left == {"no-label": 2}
    (ranked,) = read_tasks(path, RANKING, settings=AddSettings(gold=True, reading={"rating": "-true"})).tasks
    # The lower rating is better: b and c lead.
    assert ranked.gold == RankingAnswer((3, 1, 1))


def test_responses_that_nobody_rated_are_gathered_by_prompt(tmp_path: Path):
    rows = [{"prompt": "q", "response": text} for text in ("a", "b", "a", " ")] + [{"prompt": "s", "response": "c"}]
    path = _file(tmp_path, rows)
    found = read_tasks(path, PAIR)
    assert (found.kind, [_texts(task) for task in found.tasks]) == ("responses", [("a", "b")])
    assert found.left == {"nothing-to-compare": 1}
    assert len(read_tasks(path, RATED).tasks) == 3


def test_solutions_in_steps(tmp_path: Path):
    rows = [
        {"id": "x", "problem": "1+1", "steps": ["a", "b", "c"], "labels": [1, -1, None]},
        {"problem": "2+2", "steps": ["a", "b"], "labels": [1, 0]},
        {"problem": "3+3", "steps": ["a", "b"], "labels": [None, -1]},
        {"problem": "4+4", "steps": ["a", "b"], "labels": [None, None]},
    ]
    path = _file(tmp_path, rows)
    plain = read_tasks(path, STEPS)
    assert (plain.kind, len(plain.tasks), plain.left) == ("steps", 4, {})
    assert plain.tasks[0].steps == ("a", "b", "c")
    gold = read_tasks(path, STEPS, settings=AddSettings(gold=True))
    assert [task.gold for task in gold.tasks] == [FirstErrorAnswer(1), FirstErrorAnswer(None)]
    # A step before the first bad one was not judged: nobody knows which is the first.
    assert gold.left == {"no-label": 2}
    bare = _file(tmp_path, [{"problem": "5+5", "steps": ["a", "b"]}], "bare.jsonl")
    assert [task.steps for task in read_tasks(bare, STEPS).tasks] == [("a", "b")]
    with pytest.raises(DataError, match="nothing to compare"):
        read_tasks(path, PAIR)


def test_an_answer_without_steps_is_cut_where_asked(tmp_path: Path):
    path = _file(tmp_path, [{"prompt": "q", "response": "one\ntwo\n\nthree"}])
    assert read_tasks(path, STEPS).tasks[0].steps == ("one", "two", "three")
    paragraphs = AddSettings(splitting="paragraphs")
    assert read_tasks(path, STEPS, settings=paragraphs).tasks[0].steps == ("one\ntwo", "three")


def test_samples_of_a_policy_as_it_writes_them(tmp_path: Path):
    from rewardsmith.optimise.sample_store import write_groups
    from rewardsmith.optimise.samples import Sample, SampleGroup

    groups = [
        SampleGroup((user("q1"),), "g1", tuple(map(Sample, ("a", "b", "a")))),
        SampleGroup((user("q2"),), "g2", (Sample("c"), Sample("d", is_finished=False))),
        SampleGroup((user("q3"),), "g3", (Sample("e"),)),
    ]
    write_groups(tmp_path, groups)
    found = read_tasks(tmp_path, PAIR)
    assert found.kind == "samples"
    assert [(task.group, _texts(task)) for task in found.tasks] == [("g1", ("a", "b")), ("g2", ("c", "d"))]
    assert found.tasks[1].meta == {"unfinished": 1}
    assert found.left == {"nothing-to-compare": 1}
    torn = tmp_path / "samples.jsonl"
    torn.write_bytes(torn.read_bytes()[:-20])
    assert read_tasks(torn, PAIR).left == {"unreadable": 1}
    with pytest.raises(DataError, match="no line holds samples"):
        read_tasks(_file(tmp_path, [{"prompt": "q"}]), PAIR, settings=AddSettings(origin="samples"))


def _traffic(conversation: Any, reward: float) -> dict[str, Any]:
    return {"time": 1.0, "model": "m", "template": "t", "conversation": conversation, "reward": reward}


def test_served_traffic_is_put_together_by_prompt(tmp_path: Path):
    def asked(prompt: str, answer: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]

    early = [_traffic(asked("q", "a"), 1.0), _traffic(asked("r", "c"), 2.0), _traffic(asked("q", "a"), 1.0)]
    late = [_traffic(asked("q", "b"), 3.0), _traffic(asked("s", "d")[:1], 0.0)]
    text = {key: value for key, value in _traffic([], 0.0).items() if key != "conversation"} | {"text": "as it is"}
    _file(tmp_path, early, "traffic-1.jsonl")
    _file(tmp_path, [*late, text], "traffic-2.jsonl")
    (tmp_path / "traffic-3.jsonl").touch()
    found = read_tasks(tmp_path, PAIR)
    assert found.kind == "traffic"
    (task,) = found.tasks
    assert (_texts(task), dict(task.meta)) == (("a", "b"), {"rewards": [1.0, 3.0]})
    assert found.left == {"wrong-roles": 1, "no-turns": 1, "nothing-to-compare": 1}
    assert len(read_tasks(tmp_path / "traffic-1.jsonl", RATED).tasks) == 2


def test_the_server_s_own_lines_are_read(tmp_path: Path):
    import numpy as np

    from rewardsmith.core.scores import Provenance, Scores
    from rewardsmith.serve.traffic import sampled_lines
    from rewardsmith.serve.work import Answer, Ask

    conversations = [(user("q"), assistant(text)) for text in ("a", "b")]
    scores = Scores(np.array([0.5, -0.5], dtype=np.float32), Provenance("m", "t"))
    lines = sampled_lines(Ask(conversations=conversations), Answer(scores, 1, 0), share=1.0)
    path = tmp_path / "traffic-now.jsonl"
    path.write_bytes(b"".join(lines))
    (task,) = read_tasks(path, PAIR).tasks
    assert (_texts(task), task.meta["rewards"]) == (("a", "b"), [0.5, -0.5])


def test_half_a_surrogate_pair_is_no_text(tmp_path: Path):
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "\ud800"}]
    path = tmp_path / "traffic-x.jsonl"
    rows = [_traffic([said[0], {"role": "assistant", "content": text}], 0.0) for text in ("a", "b", "\ud800")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (task,) = read_tasks(path, RANKING).tasks
    assert _texts(task) == ("a", "b")


def test_a_limit_draws_by_content_and_is_stable(tmp_path: Path):
    rows = [{"id": str(n), "prompt": f"q{n}", "chosen": "a", "rejected": "b"} for n in range(20)]
    some = read_tasks(_file(tmp_path, rows), PAIR, settings=AddSettings(limit=5))
    turned = read_tasks(_file(tmp_path, rows[::-1]), PAIR, settings=AddSettings(limit=5))
    assert {task.id for task in some.tasks} == {task.id for task in turned.tasks}
    assert (len(some.tasks), some.left) == (5, {"over-limit": 15})


def test_two_rows_with_one_id_that_ask_different_things_are_two_tasks(tmp_path: Path):
    rows = [{"id": "1", "prompt": prompt, "chosen": "a", "rejected": "b"} for prompt in ("q", "r")]
    first, second = read_tasks(_file(tmp_path, rows), PAIR).tasks
    assert (first.id, second.id[:2]) == ("1", "1#")


@pytest.mark.parametrize(
    ("reading", "error", "said"),
    [({"layuot": "pair"}, SettingsError, "did you mean 'layout'"), ({"layout": "rated"}, DataError, "no row")],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, reading: dict[str, str], error: type[Exception], said: str):
    path = _file(tmp_path, [{"prompt": "q", "chosen": "a", "rejected": "b"}] * 9)
    with pytest.raises(error, match=said):
        read_tasks(path, PAIR, settings=AddSettings(reading=reading))


_words = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


@given(st.lists(_words, min_size=1, max_size=7), st.integers(1, 30), st.sampled_from([PAIR, RANKING, RATED, STEPS]))
def test_every_task_fits_its_project_and_holds_texts_of_its_material(
    texts: list[str], pairs_a_prompt: int, project: ProjectSettings
):
    material = Material((user("q"),), tuple((assistant(text),) for text in texts), "g", "s", id="own")
    made = list(tasks_of(material, project, settings=AddSettings(pairs_a_prompt=pairs_a_prompt)))
    tasks = [each for each in made if isinstance(each, Task)]
    distinct = {text.strip() for text in texts}
    assert len({content_key(task) for task in tasks}) == len(tasks)
    assert len({task.id for task in tasks}) == len(tasks)
    assert all({text.strip() for text in _texts(task)} <= distinct for task in tasks)
    n = len(distinct)
    wanted = {"pair": min(pairs_a_prompt, n * (n - 1) // 2), "ranking": int(n > 1)}.get(project.kind, n)
    assert len(tasks) == wanted


@pytest.mark.parametrize(
    ("file", "project", "settings", "n", "n_left"),
    [
        # 865 rows, of which 100 repeat another one's texts.
        ("pandalm-human-votes.jsonl.gz", PAIR, AddSettings(gold=True), 765, 100),
        ("hh-rlhf-harmless-base-test.jsonl.gz", PAIR, AddSettings(), 2299, 13),
        ("gsm8k-model-solutions.jsonl.gz", RANKING, AddSettings(gold=True, reading={"rating": "correct"}), 1166, 0),
        ("mr-gsm8k-human-first-error.jsonl.gz", STEPS, AddSettings(gold=True), 350, 0),
    ],
)
def test_real_files(shared_data: Path, file: str, project: ProjectSettings, settings: AddSettings, n: int, n_left: int):
    found = read_tasks(shared_data / file, project, settings=settings)
    assert (len(found.tasks), sum(found.left.values())) == (n, n_left)
    for task in found.tasks:
        if settings.gold:
            assert task.gold is not None
            require_fits(task.gold, task, project)


def test_real_answers_as_samples_and_as_traffic(shared_data: Path, tmp_path: Path):
    with gzip.open(shared_data / "gsm8k-model-solutions.jsonl.gz", "rt") as stream:
        rows = [json.loads(line) for line in stream][:400]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["prompt_id"], []).append(row)
    samples = [
        {"prompt": [{"role": "user", "content": own[0]["prompt"]}], "group": name}
        | {"samples": [{"text": row["response"]} for row in own]}
        for name, own in groups.items()
    ]
    logged = [
        _traffic([{"role": "user", "content": r["prompt"]}, {"role": "assistant", "content": r["response"]}], 0.0)
        for r in rows
    ]
    as_samples = read_tasks(_file(tmp_path, samples, "samples.jsonl"), PAIR)
    as_traffic = read_tasks(_file(tmp_path, logged, "traffic-1.jsonl"), PAIR)
    as_rated = read_tasks(shared_data / "gsm8k-model-solutions.jsonl.gz", PAIR)
    keys = {content_key(task) for task in as_samples.tasks}
    assert keys == {content_key(task) for task in as_traffic.tasks}
    assert len(keys) == 100
    assert keys <= {content_key(task) for task in as_rated.tasks}
