from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from tests.web.conftest import small_app

from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.serve.batcher import Batch, Depth
from rewardsmith.serve.drift import Drift
from rewardsmith.serve.metrics import Metrics
from rewardsmith.serve.work import Answer
from rewardsmith.web.guards import Guards
from rewardsmith.web.requests import RequestRecord

REWARDS = np.array([-3.0, 0.25, 40.0], dtype=np.float32)


@pytest.fixture
def metrics():
    return Metrics()


def values(metrics):
    """Name and labels of every sample → its value."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name.removeprefix("rewardsmith_"), *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def answer(**more):
    return Answer(Scores(REWARDS, Provenance("m", "t")), n_tokens=(5, 6, 7), **more)


def test_an_answer_counts_its_texts_tokens_and_rewards(metrics):
    metrics.observe_answer("a", answer(n_truncated=1, n_cached=2))
    metrics.observe_answer("a", answer())
    found = values(metrics)
    model = ("model", "a")
    assert found["texts_total", model] == 6
    assert found["tokens_total", model] == 36
    assert found["truncated_texts_total", model] == 1
    assert found["cached_texts_total", model] == 2
    assert found["reward_count", model] == 6
    # −3 is at most −2, 0.25 at most 0.5, and 40 above all.
    assert [found["reward_bucket", ("le", le), model] for le in ("-4.0", "-2.0", "0.5", "32.0", "+Inf")] == [
        0,
        2,
        4,
        4,
        6,
    ]


def test_requests_by_route_status_stage_and_error(metrics):
    client = TestClient(small_app(Guards(on_finish=metrics.observe_request)))
    client.post("/echo/some-name", json={"texts": ["a"]})
    client.post("/fails/overload", json={"texts": ["a"]})
    client.post("/fails/bug", json={"texts": ["secret"]})
    for number in range(5):
        client.get(f"/made-up-{number}")
    found = values(metrics)
    requests = {key[1:]: value for key, value in found.items() if key[0] == "requests_total"}
    assert requests == {
        (("route", "/echo/{name}"), ("status", "200")): 1,
        (("route", "/fails/{how}"), ("status", "429")): 1,
        (("route", "/fails/{how}"), ("status", "500")): 1,
        (("route", "other"), ("status", "404")): 5,
    }
    errors = {key[1][1]: value for key, value in found.items() if key[0] == "errors_total"}
    assert errors == {"OverloadError": 1, "InternalError": 1, "NotFoundError": 5}
    # Requests that no route took would hide the seconds of those that one did.
    assert found["stage_seconds_count", ("stage", "read")] == 3
    assert found["stage_seconds_count", ("stage", "score")] == 1
    assert found["request_seconds_count", ("route", "other")] == 5
    text = metrics.render().decode()
    assert not any(word in text for word in ("some-name", "made-up", "secret"))


def test_seconds_are_those_of_the_record(metrics):
    record = RequestRecord("id", "POST", status=200, stages={"read": 0.5, "queue": 1.0, "score": 2.0})
    record.finish(route="/r", total_s=4.0)
    metrics.observe_request(record)
    found = values(metrics)
    sums = [found["stage_seconds_sum", ("stage", stage)] for stage in ("read", "queue", "score", "write")]
    assert sums == [0.5, 1.0, 2.0, 0.5]
    assert found["request_seconds_sum", ("route", "/r")] == 4.0


def test_batches_queue_restarts_and_readiness(metrics):
    metrics.observe_batch("a", Batch(n_requests=3, n_texts=10, n_tokens=800, fill=0.5, seconds=0.25))
    metrics.set_queue("a", Depth(requests=4, tokens=900))
    for seen in (0, 2, 3, 1, 1):
        # A swapped model's process begins at 0 again.
        metrics.set_restarts("a", seen)
    metrics.set_ready("a", is_ready=True)
    found, model = values(metrics), ("model", "a")
    told = ("batch_requests_sum", "batch_texts_sum", "batch_tokens_sum", "batch_fill_sum", "batch_seconds_sum")
    assert [found[name, model] for name in told] == [3, 10, 800, 0.5, 0.25]
    assert (found["queue_requests", model], found["queue_tokens", model]) == (4, 900)
    assert found["worker_restarts_total", model] == 4
    assert found["model_ready", model] == 1


def test_drift_is_nan_until_it_is_known(metrics):
    model = ("model", "a")
    metrics.set_drift("a", Drift(None, 0.1, 5, 0, "first served"))
    assert np.isnan(values(metrics)["drift", model])
    metrics.set_drift("a", Drift(0.3, 0.12, 500, 900, "evaluation"))
    found = values(metrics)
    assert [found[name, model] for name in ("drift", "drift_limit", "drift_texts")] == [0.3, 0.12, 500]


def test_models_that_are_gone_leave_nothing(metrics):
    for number in range(50):
        metrics.observe_answer(f"model-{number}", answer())
        metrics.set_queue(f"model-{number}", Depth(1, 1))
        metrics.set_restarts(f"model-{number}", 1)
        metrics.keep_models([f"model-{number}"])
    named = {label for key in values(metrics) for label in key[1:] if label[0] == "model"}
    assert named == {("model", "model-49")}


def test_the_traffic_log_s_fate(metrics):
    metrics.count_traffic("written")
    metrics.count_traffic("dropped")
    metrics.count_traffic("written")
    assert values(metrics)["traffic_stopped",] == 0
    metrics.set_traffic_stopped(True)
    found = values(metrics)
    assert found["traffic_lines_total", ("fate", "written")] == 2
    assert found["traffic_lines_total", ("fate", "dropped")] == 1
    assert found["traffic_stopped",] == 1
