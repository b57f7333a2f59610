"""What the OpenAPI document says is what the server does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from tests.serve.serving import UNGATED, InProcessModels, Serving, serving

CHECKS = [not_a_server_error, response_schema_conformance, status_code_conformance]
EXAMPLES = 5
"""A route; the bench has the many."""


@pytest.fixture(scope="module")
def server(folders: dict[str, Path]) -> Iterator[Serving]:
    """A model of the name that the examples have."""
    settings_here = UNGATED.model_copy(update={"max_texts": 64})
    with serving({"helpful": folders["decoder"]}, settings_here, kind=InProcessModels) as running:
        yield running


@pytest.fixture(scope="module")
def document(server: Serving) -> dict[str, Any]:
    return httpx2.get(f"{server.url}/openapi.json").json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_route_has_examples_that_work(document: dict[str, Any], server: Serving) -> None:
    bodies = 0
    with httpx2.Client(base_url=server.url, timeout=60) as http:
        for path, method, operation in operations(document):
            if path.endswith("/card"):
                continue
            [kind] = operation["responses"]["200"]["content"].values()
            assert "example" in kind, path
            if method != "post":
                continue
            for name, example in operation["requestBody"]["content"]["application/json"]["examples"].items():
                reply = http.post(path, json=example["value"])
                allowed = (200, 422) if "ids" in name or path == "/pooling" else (200,)
                assert reply.status_code in allowed, (path, name, reply.text)
                bodies += 1
    assert bodies >= 20


def test_every_route_tells_what_it_is_and_how_it_fails(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        assert operation.get("description") or operation.get("summary"), path
        if path not in ("/health", "/health/live"):
            assert any(status.startswith(("4", "5")) for status in operation["responses"]), path


def test_schemathesis(server: Serving) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    paths = []
    for found in schema.get_all_operations():
        operation = found.ok()
        paths.append(operation.path)
        _try(operation)
    assert len(set(paths)) >= 18


def _try(operation: Any) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    ask()
