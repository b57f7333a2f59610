"""Our own clients against the real server: the scores of the model in this process, whatever its family."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serve.clients.conftest import FAMILIES
from tests.serve.families import CONVERSATIONS
from tests.serve.serving import UNGATED, InProcessModels, Serving, serving

from rewardsmith.cli.main import main
from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import OverlengthError, SettingsError, UnauthorizedError, UnknownModelError
from rewardsmith.core.scores import Scores
from rewardsmith.scoring.async_client import AsyncRemoteScorer
from rewardsmith.scoring.client import RemoteScorer
from rewardsmith.scoring.load import load_scorer
from rewardsmith.web.store import add_key

MANY: list[Conversation] = [(user(f"{n}+{n}?"), assistant("x" * (n % 7) + str(2 * n))) for n in range(40)]


def _assert_equal(found: Scores, wanted: Scores) -> None:
    assert found.provenance == wanted.provenance
    for name in ("rewards", "spread", "members"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)
            assert one.dtype == np.float32
    assert (found.steps is None) == (wanted.steps is None)
    for one, other in zip(found.steps or (), wanted.steps or (), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert found.attributes.keys() == wanted.attributes.keys()
    for name, values in wanted.attributes.items():
        np.testing.assert_allclose(found.attributes[name], values, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_the_process(family: str, server: Serving, in_process: Callable[[str], Any]) -> None:
    wanted = in_process(family).score([*CONVERSATIONS, *MANY])
    with RemoteScorer(server.url, model=family, batch_texts=7, concurrency=3) as scorer:
        _assert_equal(scorer.score([*CONVERSATIONS, *MANY]), wanted)
        assert scorer.score([]).provenance == wanted.provenance

    async def ask() -> Scores:
        async with AsyncRemoteScorer(f"{server.url}#{family}", batch_texts=7) as client:
            return await client.score([*CONVERSATIONS, *MANY])

    _assert_equal(asyncio.run(ask()), wanted)


def test_raw_texts_are_read_as_they_are(server: Serving, in_process: Callable[[str], Any]) -> None:
    scorer = in_process("decoder")
    rendered = [scorer.encoder.render(each) for each in CONVERSATIONS]
    with RemoteScorer(server.url) as client:
        np.testing.assert_allclose(client.score_texts(rendered).rewards, scorer.score(CONVERSATIONS).rewards, atol=1e-5)
        without = client.score_texts([text.removeprefix("<s>") for text in rendered])
        assert np.abs(without.rewards - scorer.score(CONVERSATIONS).rewards).min() > 1e-3


def test_what_is_too_long_is_refused_or_cut_as_asked(server: Serving, folders: dict[str, Path]) -> None:
    long: Conversation = (user("p" * 300), assistant("yes"))
    with pytest.raises(OverlengthError) as refused:
        load_scorer(server.url).score([*CONVERSATIONS, long])
    assert refused.value.wanted == "at most 200 tokens"
    assert "status 413, 1 try" in str(refused.value)
    cutting, here = (
        load_scorer(server.url, overlength="truncate"),
        load_scorer(folders["decoder"], overlength="truncate"),
    )
    assert isinstance(cutting, RemoteScorer)
    _assert_equal(cutting.score([long, *CONVERSATIONS]), here.score([long, *CONVERSATIONS]))
    assert cutting.n_truncated == 1
    with pytest.raises(OverlengthError, match="at most 20 tokens"):
        load_scorer(server.url, max_tokens=20).score(CONVERSATIONS)


def test_an_unknown_model_is_named(server: Serving) -> None:
    with pytest.raises(UnknownModelError, match="decoder"):
        load_scorer(f"{server.url}#helpful")


def test_a_key_opens_the_server(folders: dict[str, Path], tmp_path: Path) -> None:
    key = add_key(tmp_path / "keys.json", "trainer")
    settings = UNGATED.model_copy(update={"keys_file": tmp_path / "keys.json"})
    with serving({"decoder": folders["decoder"]}, settings, kind=InProcessModels) as locked:
        with pytest.raises(UnauthorizedError, match="status 401, 1 try"):
            RemoteScorer(locked.url).score(CONVERSATIONS)
        assert len(RemoteScorer(locked.url, key=key).score(CONVERSATIONS)) == len(CONVERSATIONS)


def _run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["rewardsmith", *map(str, arguments)])
    capsys.readouterr()
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    return (code, *capsys.readouterr())


def _pairs(folder: Path) -> Path:
    path = folder / "pairs.jsonl"
    rows = [{"prompt": f"{n}+{n}?", "chosen": f"{2 * n}", "rejected": "I cannot tell"} for n in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_commands_take_a_url_for_a_model(
    server: Serving,
    folders: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = _pairs(tmp_path)
    found = {}
    for name, model in (("remote", server.url), ("here", folders["decoder"])):
        code, out, err = _run(capsys, monkeypatch, "score", model, pairs)
        assert code == 0, err
        found[name] = [json.loads(line) for line in out.splitlines()]
    for one, other in zip(found["remote"], found["here"], strict=True):
        assert one == pytest.approx(other, abs=1e-5)

    code, out, err = _run(capsys, monkeypatch, "score", f"{server.url}#process", pairs)
    assert code == 0, err
    assert "steps" in json.loads(out.splitlines()[0])["details"]["chosen"]

    long = tmp_path / "long.jsonl"
    short = pairs.read_text().splitlines()[0]
    long.write_text(short + "\n" + json.dumps({"prompt": "p" * 300, "response": "x"}) + "\n")
    code, out, err = _run(capsys, monkeypatch, "score", server.url, long)
    assert (code, len(out.splitlines())) == (4, 1)
    assert err.startswith("rewardsmith: long.jsonl:2: ")
    code, out, err = _run(capsys, monkeypatch, "score", server.url, long, "--truncate")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "1 cut to fit" in err

    code, _, err = _run(capsys, monkeypatch, "score", server.url, pairs, "--cache", tmp_path / "cache")
    assert code == 2
    assert "cache is the server's own affair" in err
    code, _, err = _run(capsys, monkeypatch, "score", "http://127.0.0.1:9#x y?z", pairs)
    assert code != 0
    assert "Traceback" not in err


@pytest.mark.slow
def test_evaluation_commands_take_a_url_for_a_model(
    server: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = _pairs(tmp_path)
    for arguments in (
        ("benchmark", server.url, "pairs", pairs, "--json"),
        ("evaluate", server.url, pairs, "--json"),
        ("audit", server.url, pairs, "--out", tmp_path / "audit", "--json"),
    ):
        code, _, err = _run(capsys, monkeypatch, *arguments)
        assert code == 0, err
    assert (tmp_path / "audit" / "audit.json").is_file()
    assert not (tmp_path / "audit.work").exists()


@pytest.mark.slow
def test_a_model_in_a_process_of_its_own_gives_the_same(
    folders: dict[str, Path], in_process: Callable[[str], Any]
) -> None:
    """Through the queue, with many threads at once."""
    with (
        serving({"decoder": folders["decoder"]}) as running,
        RemoteScorer(running.url, batch_texts=3, concurrency=8) as scorer,
    ):
        _assert_equal(scorer.score(MANY), in_process("decoder").score(MANY))


def test_settings_of_the_two_clients_are_the_same() -> None:
    one, other = (list(inspect.signature(kind).parameters.values()) for kind in (RemoteScorer, AsyncRemoteScorer))
    assert [(each.name, each.default) for each in one] == [(each.name, each.default) for each in other]
    with pytest.raises(SettingsError):
        RemoteScorer("localhost:8000")
