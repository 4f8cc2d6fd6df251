"""The Prometheus metrics of a watch, read from the watch itself at each scrape, so that nothing is counted twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from conformance.watch.watch import Watch
from impl.cli.exits import Exit, Problem
from impl.errors import EnvironmentProblem

_VERDICTS = ("conforms", "diverges", "inconclusive")


class WatchCollector(Collector):
    """The metrics of one watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        watch, order = self._watch, self._watch.validation.causal_order
        yield CounterMetricFamily("ondemand_watch_lines", "Lines that were matched.", value=order.lines)
        yield GaugeMetricFamily(
            "ondemand_watch_waiting_lines", "Lines that wait for lines of other processes.", value=order.waiting
        )
        yield GaugeMetricFamily("ondemand_watch_processes", "Processes with lines.", value=len(order.processes))
        yield GaugeMetricFamily(
            "ondemand_watch_behind_seconds",
            "Age of the last line read, while there are more.",
            value=watch.seconds_behind(time.time()),
        )
        if watch.last is not None:
            yield GaugeMetricFamily(
                "ondemand_watch_last_line_timestamp_seconds",
                "When the last line read was written, by its process's clock.",
                value=watch.last.line.time / 1e9,
            )
        counted = CounterMetricFamily(
            "ondemand_watch_noted",
            "Events other than logged steps: repeated and late deliveries, and inferred steps, by kind.",
            labels=["kind"],
        )
        for kind, count in sorted(watch.noted.items()):
            counted.add_metric([kind], count)
        yield counted
        verdict = watch.verdict.verdict if watch.verdict is not None else "conforms"
        shown = GaugeMetricFamily("ondemand_watch_verdict", "1 for the verdict so far.", labels=["verdict"])
        for each_verdict in _VERDICTS:
            shown.add_metric([each_verdict], each_verdict == verdict)
        yield shown


@contextmanager
def offered(watch: Watch, address: tuple[str, int] | None) -> Iterator[None]:
    """Serves the metrics at this address inside the block; None: does not serve them.

    Raises:
        EnvironmentProblem: the address cannot be used.
    """
    if address is None:
        yield
        return
    registry = CollectorRegistry()
    registry.register(WatchCollector(watch))
    ProcessCollector(registry=registry)
    host, port = address
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as problem:
        raise EnvironmentProblem(
            f"{host}:{port}: cannot serve metrics there ({problem.strerror}); name another address"
        ) from problem
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def address_of(text: str) -> tuple[str, int]:
    """The address for `HOST:PORT` or `PORT`; a port alone is on the loopback interface.

    Raises:
        Problem: the text is no such address.
    """
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 <= int(port) < 65_536:
        raise Problem(
            f"--metrics: invalid address {text!r}; expected HOST:PORT, or PORT for this machine only", Exit.BAD_INPUT
        )
    return host or "127.0.0.1", int(port)
