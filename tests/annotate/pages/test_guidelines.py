from __future__ import annotations

import pytest
from tests.annotate.pages.labelling import browser, signed_in

from rewardsmith.annotate.store import LabelStore


def test_every_version_can_be_read(store: LabelStore):
    store.change_guidelines("pairs", "The *second* version.")
    client = signed_in(store, "pairs", "Ann")
    newest, oldest = client.get("/p/pairs/guidelines").text, client.get("/p/pairs/guidelines?version=1").text
    assert "The <em>second</em> version." in newest
    assert "Version 2" in newest
    assert "What we ask" in oldest
    assert "Version 1" in oldest


@pytest.mark.parametrize("version", ["3", "0", "-1", "x", "1;drop table votes"])
def test_a_version_that_there_is_not(store: LabelStore, version: str):
    client = signed_in(store, "pairs", "Ann")
    assert client.get("/p/pairs/guidelines", params={"version": version}).status_code == 422
    assert browser(store).get("/p/pairs/guidelines").status_code == 401
