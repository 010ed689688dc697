"""What is counted, for Prometheus. No label holds anything of a question, a key or a path."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from data.store import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
MOST_KBS = 100  # knowledge bases that are listed, by name


class Metrics:
    """The counts of one server."""

    def __init__(self, store: Store) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        Gauge("shawgpt_info", "The version that runs", ["version"], registry=own).labels(version("shawgpt")).set(1)
        self._requests = Counter("shawgpt_requests", "HTTP requests of programs", ["route", "status"], registry=own)
        self._seconds = Histogram(
            "shawgpt_request_seconds", "Time of a request", ["route"], buckets=SECONDS, registry=own
        )
        self._in_flight = Gauge("shawgpt_requests_in_flight", "Requests that are being answered", registry=own)
        self.answers = Counter("shawgpt_answers", "Answers for programs", ["persona", "status"], registry=own)
        self.drafts = Counter("shawgpt_drafts", "Drafts for programs", ["persona", "status"], registry=own)
        self.searches = Counter("shawgpt_searches", "Searches for programs", registry=own)
        self.tokens = Counter("shawgpt_tokens", "Tokens of chat completions", ["kind"], registry=own)
        self.registry.register(_Holdings(store))

    @contextmanager
    def request(self, route: str) -> Iterator[list[int]]:
        """Count a request of `route`, and time it; the caller puts its status into the list."""
        status: list[int] = []
        begun = time.perf_counter()
        self._in_flight.inc()
        try:
            yield status
        finally:
            self._in_flight.dec()
            self._seconds.labels(route).observe(time.perf_counter() - begun)
            self._requests.labels(route, str(status[-1] if status else 499)).inc()  # 499: the caller went away

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


class _Holdings(Collector):
    """What each knowledge base holds, counted when it is asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterable[GaugeMetricFamily]:
        documents = GaugeMetricFamily("shawgpt_documents", "Documents of a knowledge base", labels=["kb"])
        chunks = GaugeMetricFamily("shawgpt_chunks", "Chunks of a knowledge base", labels=["kb"])
        for kb in self._store.knowledge_bases()[:MOST_KBS]:
            documents.add_metric([kb], len(self._store.sources(kb)))
            chunks.add_metric([kb], self._store.count(kb))
        return [documents, chunks]
