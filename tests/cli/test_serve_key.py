from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rewardsmith.web.store import load_keys


def test_a_key_is_printed_once_and_known_afterwards(cli: Callable, tmp_path: Path):
    path = tmp_path / "keys.yaml"
    first = cli("serve-key", "ann", "--keys", path)
    second = cli("serve-key", "root", "--keys", path, "--role", "admin", "--json")
    assert (first.code, second.code) == (0, 0)
    ring = load_keys(path)
    ann, root = ring.find(first.out.strip()), ring.find(json.loads(second.out)["key"])
    assert ann is not None
    assert root is not None
    assert [(each.name, each.role) for each in (ann, root)] == [("ann", "client"), ("root", "admin")]


def test_a_name_that_is_taken_is_refused(cli: Callable, tmp_path: Path):
    path = tmp_path / "keys.yaml"
    cli("serve-key", "ann", "--keys", path)
    outcome = cli("serve-key", "ann", "--keys", path)
    assert outcome.code == 2
    assert "two keys of one name" in outcome.err
