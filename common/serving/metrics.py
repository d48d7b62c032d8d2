"""What Prometheus scrapes: how long, how many, how wrong, and which model.

    http_request_duration_seconds{method,route,status}   histogram, the rate and errors in one
    http_requests_in_flight                              gauge
    model_predict_seconds                                histogram, one observation per call
    model_queue_seconds                                  histogram, time waited for a thread
    model_first_piece_seconds                            histogram, of streams, the wait included
    model_stage_seconds{stage}                           histogram, where a response has stage_ms
    model_batch_size                                     histogram
    model_predictions_total                              counter, rows answered
    model_errors_total{kind}                             counter, see KINDS
    prediction_log_dropped_total                         counter
    model_info{name,version,dataset}, model_ready        gauges

Each app has a registry of its own, so two apps in one process, or a test beside another, never
meet. Labels come from short closed lists (the route's template, never the path), because every
label value is a time series that Prometheus keeps.
"""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
KINDS = ("request", "busy", "not_ready", "slow", "gone", "internal")  # slow and gone: of streams
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The counters and histograms of one app, in its own registry."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        self.request_seconds = Histogram(
            "http_request_duration_seconds",
            "Time from the request's first byte to the answer's last",
            ("method", "route", "status"),
            buckets=SECONDS,
            registry=own,
        )
        self.in_flight = Gauge("http_requests_in_flight", "Requests being handled", registry=own)
        self.predict_seconds = Histogram(
            "model_predict_seconds", "Time of one predict call", buckets=SECONDS, registry=own
        )
        self.queue_seconds = Histogram(
            "model_queue_seconds", "Time waited for a thread", buckets=SECONDS, registry=own
        )
        self.first_piece_seconds = Histogram(
            "model_first_piece_seconds", "Time to a stream's start", buckets=SECONDS, registry=own
        )
        self.stage_seconds = Histogram(
            "model_stage_seconds", "Time by stage", ("stage",), buckets=SECONDS, registry=own
        )
        self.batch_size = Histogram(
            "model_batch_size", "Requests per predict call", buckets=SIZES, registry=own
        )
        self.predictions = Counter("model_predictions", "Requests answered", registry=own)
        self.errors = Counter(
            "model_errors", "Predictions refused or failed", ("kind",), registry=own
        )
        for kind in KINDS:
            self.errors.labels(kind)  # so that a rate over them starts at 0, not at absent
        self.log_dropped = Counter(
            "prediction_log_dropped", "Predictions that could not be logged", registry=own
        )
        self.ready = Gauge("model_ready", "1 once the model is warm", registry=own)
        self.reloads = Counter(
            "model_reloads", "Newer runs found while serving", ("outcome",), registry=own
        )
        for outcome in ("served", "refused"):
            self.reloads.labels(outcome)
        labels = ("name", "version", "dataset")
        self.info = Gauge("model_info", "The model served", labels, registry=own)

    def serve(self, name: str, version: str, dataset: str) -> None:
        """Say which model answers from now on."""
        self.info.clear()
        self.info.labels(name, version, dataset).set(1)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        method = method if method in METHODS else "other"
        self.request_seconds.labels(method, route, str(status)).observe(seconds)

    def observe_predict(self, rows: int, seconds: float, stage_ms: dict[str, float]) -> None:
        """Count one successful predict call over `rows` requests."""
        self.predictions.inc(rows)
        self.batch_size.observe(rows)
        self.predict_seconds.observe(seconds)
        for stage, milliseconds in stage_ms.items():
            self.stage_seconds.labels(stage).observe(milliseconds / 1000.0)

    def render(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self.registry)
