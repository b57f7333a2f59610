"""What an operator sees of a server: metrics, drift, and the traffic log where there is one."""

from __future__ import annotations

from rewardsmith.serve.drift import Drift, DriftMonitor, load_reference
from rewardsmith.serve.metrics import Metrics
from rewardsmith.serve.models import ServedModel, ServedModels
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.traffic_log import TrafficLog
from rewardsmith.serve.work import Answer, Ask


class Watch:
    """Told of every batch and answer; asked for the metrics. From one event loop.

    Args:
        models: Of the server.
        settings: Whether there is a traffic log, where, and of which share; as `models` has them where absent.

    Raises:
        SettingsError: The traffic log cannot be written.
    """

    def __init__(self, models: ServedModels, settings: ServeSettings | None = None) -> None:
        settings = settings or models.settings
        self.metrics = Metrics()
        self._models = models
        models.observe(self.metrics.observe_batch)
        self._monitors: dict[str, tuple[str, DriftMonitor]] = {}
        self._traffic = None
        if settings.traffic_log is not None:
            self._traffic = TrafficLog(
                settings.traffic_log, share=settings.traffic_share, on_line=self.metrics.count_traffic
            )

    def note(self, model: ServedModel, ask: Ask, answer: Answer) -> None:
        """A model has answered a request."""
        self.metrics.observe_answer(model.name, answer)
        self._monitor(model, answer.scores.provenance.model_digest).add(answer.scores.rewards.tolist())
        if self._traffic is not None:
            self._traffic.add(ask, answer)

    def drift(self, name: str) -> Drift | None:
        """How the latest rewards of a model stand beside its reference; absent before its first answer."""
        known = self._monitors.get(name)
        return None if known is None else known[1].drift()

    def render(self) -> bytes:
        """Prometheus' text, after a look at the models as they are now."""
        served = {model.name: model for model in self._models.listing()}
        self.metrics.keep_models(served)
        self._monitors = {name: known for name, known in self._monitors.items() if name in served}
        for name, model in served.items():
            self.metrics.set_queue(name, model.depth)
            self.metrics.set_restarts(name, model.n_restarts)
            self.metrics.set_ready(name, is_ready=model.state == "ready")
            if (drift := self.drift(name)) is not None:
                self.metrics.set_drift(name, drift)
        self.metrics.set_traffic_stopped(self._traffic is not None and self._traffic.has_stopped)
        return self.metrics.render()

    def close(self) -> None:
        """Write what waits for the traffic log."""
        if self._traffic is not None:
            self._traffic.close()

    def _monitor(self, model: ServedModel, digest: str) -> DriftMonitor:
        """Of these very weights: a model that was swapped begins anew."""
        known = self._monitors.get(model.name)
        if known is None or known[0] != digest:
            known = self._monitors[model.name] = (digest, DriftMonitor(load_reference(model.path, digest)))
        return known[1]
