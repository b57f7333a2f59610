"""What Prometheus reads. No text, no key and no path that a client made up stands in a label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from rewardsmith.serve.batcher import Batch, Depth
from rewardsmith.serve.drift import Drift
from rewardsmith.serve.work import Answer
from rewardsmith.web.requests import OTHER, RequestRecord

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

M = TypeVar("M", Counter, Gauge, Histogram)

STAGES = ("read", "queue", "score", "write")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0)
_COUNTS = tuple(2.0**power for power in range(13))
_TOKENS = tuple(2.0**power for power in range(4, 19))
_SHARES = tuple(part / 10 for part in range(1, 11))
_REWARDS = (-32.0, -16.0, -8.0, -4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class Metrics:
    """All metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._models: set[str] = set()
        self._seen_restarts: dict[str, int] = {}
        self._by_model: list[Counter | Gauge | Histogram] = []
        self._requests = self._counter("requests", "Requests, by route and status.", "route", "status")
        self._errors = self._counter("errors", "Requests that failed, by class of the error.", "type")
        self._seconds = self._histogram("request_seconds", "Seconds of a request in all.", _SECONDS, "route")
        self._stages = self._histogram(
            "stage_seconds",
            "Seconds of a request by stage: read the body, wait, be scored; write is all the rest.",
            _SECONDS,
            "stage",
        )
        self._texts = self._counter("texts", "Texts that were scored.", "model")
        self._tokens = self._counter("tokens", "Tokens that were read.", "model")
        self._truncated = self._counter("truncated_texts", "Texts that were cut to fit.", "model")
        self._cached = self._counter("cached_texts", "Texts whose scores were known before.", "model")
        self._rewards = self._histogram("reward", "Rewards that were served.", _REWARDS, "model")
        self._queue_requests = self._gauge("queue_requests", "Requests that wait.", "model")
        self._queue_tokens = self._gauge("queue_tokens", "Tokens that wait, as estimated.", "model")
        self._batch_requests = self._histogram("batch_requests", "Requests of a batch.", _COUNTS, "model")
        self._batch_texts = self._histogram("batch_texts", "Texts of a batch.", _COUNTS, "model")
        self._batch_tokens = self._histogram("batch_tokens", "Tokens of a batch, as estimated.", _TOKENS, "model")
        self._batch_fill = self._histogram("batch_fill", "Tokens of a batch over its budget.", _SHARES, "model")
        self._batch_seconds = self._histogram("batch_seconds", "Seconds of a batch.", _SECONDS, "model")
        self._restarts = self._counter("worker_restarts", "Times that a model's process was started again.", "model")
        self._ready = self._gauge("model_ready", "1 where the model answers.", "model")
        self._drift = self._gauge("drift", "Kolmogorov-Smirnov distance of latest and reference rewards.", "model")
        self._drift_limit = self._gauge("drift_limit", "Distance above which the rewards have drifted.", "model")
        self._drift_texts = self._gauge("drift_texts", "Rewards in the window that drift is read from.", "model")
        self._traffic = self._counter("traffic_lines", "Lines of the traffic log, by what became of them.", "fate")
        self._traffic_stopped = self._gauge("traffic_stopped", "1 where the traffic log had to stop.")

    def observe_request(self, record: RequestRecord) -> None:
        """Count a request that is over; `web.guards.Guards.on_finish`."""
        self._requests.labels(record.route, str(record.status)).inc()
        self._seconds.labels(record.route).observe(record.total_s)
        if record.error is not None:
            self._errors.labels(record.error).inc()
        if record.route != OTHER:
            for stage in STAGES:
                if stage in record.stages:
                    self._stages.labels(stage).observe(record.stages[stage])

    def observe_answer(self, model: str, answer: Answer) -> None:
        """Count the texts of an answer that a model gave."""
        self._models.add(model)
        self._texts.labels(model).inc(len(answer.scores))
        self._tokens.labels(model).inc(sum(answer.n_tokens))
        self._truncated.labels(model).inc(answer.n_truncated)
        self._cached.labels(model).inc(answer.n_cached)
        rewards = self._rewards.labels(model)
        for reward in answer.scores.rewards.tolist():
            rewards.observe(reward)

    def observe_batch(self, model: str, batch: Batch) -> None:
        """Count a batch that a model's process has answered."""
        self._models.add(model)
        self._batch_requests.labels(model).observe(batch.n_requests)
        self._batch_texts.labels(model).observe(batch.n_texts)
        self._batch_tokens.labels(model).observe(batch.n_tokens)
        self._batch_fill.labels(model).observe(batch.fill)
        self._batch_seconds.labels(model).observe(batch.seconds)

    def set_queue(self, model: str, depth: Depth) -> None:
        """What waits for a model now."""
        self._models.add(model)
        self._queue_requests.labels(model).set(depth.requests)
        self._queue_tokens.labels(model).set(depth.tokens)

    def set_restarts(self, model: str, n_restarts: int) -> None:
        """How often a model's process was started again; of a model that was swapped, counted from 0 again."""
        self._models.add(model)
        before = self._seen_restarts.get(model, 0)
        self._restarts.labels(model).inc(n_restarts - before if n_restarts >= before else n_restarts)
        self._seen_restarts[model] = n_restarts

    def set_ready(self, model: str, *, is_ready: bool) -> None:
        """Whether a model answers."""
        self._models.add(model)
        self._ready.labels(model).set(is_ready)

    def set_drift(self, model: str, drift: Drift) -> None:
        """How a model's rewards stand beside their reference; NaN while that is not known."""
        self._models.add(model)
        self._drift.labels(model).set(float("nan") if drift.distance is None else drift.distance)
        self._drift_limit.labels(model).set(drift.limit)
        self._drift_texts.labels(model).set(drift.n)

    def count_traffic(self, fate: str) -> None:
        """Count a line of the traffic log: `written` or `dropped`."""
        self._traffic.labels(fate).inc()

    def set_traffic_stopped(self, has_stopped: bool) -> None:
        """Whether the traffic log had to stop."""
        self._traffic_stopped.set(has_stopped)

    def keep_models(self, models: Iterable[str]) -> None:
        """Forget all others: a server that loads and unloads for months must not grow."""
        gone = self._models - set(models)
        for metric in self._by_model:
            for name in gone:
                metric.remove_by_labels({"model": name})
        self._models -= gone
        self._seen_restarts = {name: n for name, n in self._seen_restarts.items() if name in self._models}

    def render(self) -> bytes:
        """Prometheus' text."""
        return generate_latest(self.registry)

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return self._kept(Counter(f"rewardsmith_{name}", told, labels, registry=self.registry), labels)

    def _gauge(self, name: str, told: str, *labels: str) -> Gauge:
        return self._kept(Gauge(f"rewardsmith_{name}", told, labels, registry=self.registry), labels)

    def _histogram(self, name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        histogram = Histogram(f"rewardsmith_{name}", told, labels, registry=self.registry, buckets=buckets)
        return self._kept(histogram, labels)

    def _kept(self, metric: M, labels: Sequence[str]) -> M:
        if "model" in labels:
            self._by_model.append(metric)
        return metric
