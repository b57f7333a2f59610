"""A project leaves and comes back, to the last byte."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.annotate.store.made import SECOND, label, make_project, pair
from typer.testing import CliRunner

from rewardsmith.annotate.exchange import export_project, import_project
from rewardsmith.annotate.store import LabelStore, open_store
from rewardsmith.annotate.store import projects as store_projects
from rewardsmith.cli.main import app
from rewardsmith.core.errors import DataError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    """A store with a project that somebody has worked in."""
    with contextlib.closing(open_store(tmp_path / "labels.sqlite")) as opened:
        first, second = make_project(opened, n_tasks=4, overlap=2, guidelines="Be \u00e4ngstlich")
        opened.add_tasks("p", [pair("half \u20ac", why="a pair \ud83d and a NUL \x00")])
        for rater in (first, second, second):
            label(opened, rater, SECOND, now=1.1)
        opened.undo("p", second.id, now=2.2)
        opened.set_priorities("p", {"t1": (0.1 + 0.2, "because")})
        opened.change_guidelines("p", "Be brave")
        opened.make_link("p", first.id)
        opened.delete_rater("p", second.id, "asked")
        yield opened


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_round_trip_is_the_same_to_the_last_byte(store: LabelStore, tmp_path: Path, suffix: str):
    paths = [tmp_path / f"{name}{suffix}" for name in ("one", "two", "three")]
    n_events = export_project(store, "p", paths[0])
    export_project(store, "p", paths[1])
    with contextlib.closing(open_store(tmp_path / "other.sqlite")) as other:
        assert import_project(other, paths[0]) == store.project("p")
        export_project(other, "p", paths[2])
        assert n_events == len(list(other.events("p")))
        assert other.tasks("p") == store.tasks("p")
        assert other.votes("p") == store.votes("p")
        assert other.raters("p") == store.raters("p")
        assert other.guidelines("p") == (2, "Be brave")
        # Work goes on: with the task of highest priority, but where the rater's own vote, drawn by lot, was of it.
        [voted] = {vote.task for vote in other.votes("p")}
        offered = label(other, other.raters("p")[0], now=9.0).task
        assert offered != voted
        assert voted == "t1" or offered == "t1"
    assert paths[0].read_bytes() == paths[1].read_bytes() == paths[2].read_bytes()


def test_an_import_is_whole_or_nothing(store: LabelStore, tmp_path: Path):
    path = tmp_path / "p.jsonl"
    export_project(store, "p", path)
    lines = path.read_bytes().splitlines(keepends=True)
    packed = tmp_path / "cut.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes())[:-20])
    bad = {
        "cut": b"".join(lines[:-3]),
        "without its end": b"".join(lines[:-1]),
        "changed": path.read_bytes().replace(b"second", b"first"),
        "a line lost": b"".join(lines[:4] + lines[5:]),
        "empty": b"",
        "another format": b'{"prompt": "x"}\n',
        "not JSON": b"\x00\x01\n",
        "a list": b"[]\n",
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    with contextlib.closing(open_store(tmp_path / "other.sqlite")) as other:
        for broken in [*(tmp_path / name for name in bad), packed, tmp_path / "absent"]:
            with pytest.raises(DataError):
                import_project(other, broken)
        assert other.projects() == []
        import_project(other, path)
        with pytest.raises(DataError, match="project of that name"):
            import_project(other, path)


def test_an_interrupted_import_is_begun_anew(store: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "p.jsonl"
    export_project(store, "p", path)
    monkeypatch.setattr("rewardsmith.annotate.store.restore.CHUNK", 3)
    events = list(store.events("p"))

    def dying() -> Iterator[object]:
        yield from events[:7]
        raise KeyboardInterrupt

    with contextlib.closing(open_store(tmp_path / "other.sqlite")) as other:
        with pytest.raises(KeyboardInterrupt):
            other.restore(store.project("p"), dying())  # pyright: ignore[reportArgumentType]
        assert other.projects() == []
        with pytest.raises(DataError, match="no such project"):
            other.tasks("p")
        import_project(other, path)
        assert other.votes("p") == store.votes("p")
    assert store_projects.CHUNK > 3


def test_the_command_says_what_came(store: LabelStore, tmp_path: Path):
    path = tmp_path / "p.jsonl.gz"
    n_events = export_project(store, "p", path)
    other = tmp_path / "other.sqlite"
    result = CliRunner().invoke(app, ["annotate", "import", str(path), "--db", str(other), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told == {"project": "p", "tasks": 5, "raters": 1, "votes": 1, "events": n_events}
