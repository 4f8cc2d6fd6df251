"""`ondemand watch`: compares a running deployment with the specification."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from conformance.cli.validate import logged, matching_options, report_verdict
from conformance.logs.validate import Validation
from conformance.logs.verdict import Verdict
from conformance.report.writing import Outputs, outputs_options
from conformance.watch import checkpoint as checkpoints
from conformance.watch.metrics import address_of, offered
from conformance.watch.streams import FileSource, Source, TopicSource
from conformance.watch.watch import Watch
from impl.cli.console import ERRORS, json_option, writable
from impl.cli.host import the_deployment
from impl.errors import EnvironmentProblem

RETRY_SECONDS: Final = 1.0
LOST_SECONDS_MAX: Final = 300.0
"""How long a watch waits for a broker that is unreachable before it ends."""


@click.command()
@click.argument("logs", nargs=-1, type=click.Path(path_type=Path))
@matching_options
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=writable,
    help="The file for the state of the watch. If it exists, the watch resumes from it.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    metavar="TIME",
    help="Leave out lines that were written before. Each log counts from its first complete state. [default: the beginning]",
)
@click.option(
    "--every",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="The time between two progress lines.",
)
@click.option("--once", is_flag=True, help="End when all lines that exist now have been checked.")
@click.option(
    "--metrics", metavar="HOST:PORT", help="Serve metrics for Prometheus at this address; a port alone means 127.0.0.1."
)
@json_option
@outputs_options
def watch(
    logs: tuple[Path, ...],
    protocol_name: str | None,
    checkpoint: Path | None,
    since: datetime | None,
    window: int,
    byzantine: tuple[str, ...],
    without: tuple[str, ...],
    every: float,
    once: bool,
    metrics: str | None,
    html_file: Path | None,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Compare a deployment with the specification while it runs.

    Without LOGS, the event topics of the broker at $PULSAR_URL are watched, to which services write with --events broker. LOGS are
    files that grow, or folders of such files (*.ndjson). The first line that does not fit ends the watch with exit code 1 and the
    explanation of `ondemand validate`. Lost lines end it with 3, since their content is unknown. Every minute a line reports the
    progress. Ctrl-C or SIGTERM ends the watch after the lines that were read, and writes the checkpoint; a second one ends it at
    once.

    \b
    Examples:
      ondemand watch                                           all lines that the broker keeps
      ondemand watch --checkpoint watch.json --metrics 9100    with a checkpoint and metrics
      ondemand watch --since 2025-01-31T12:00:00               the lines from this time on
      ondemand watch logs/                                     the files that services write with --events FILE
    """
    if logs and since is not None:
        raise click.UsageError(
            "--since needs the event topics of a broker; files are watched from their beginning, so leave it or LOGS out"
        )
    deployment = None if logs else the_deployment()
    address = address_of(metrics) if metrics is not None else None
    protocols = logged(protocol_name)
    options: dict[str, Any] = {
        "logs": [str(log) for log in logs],
        "window": window,
        "byzantine": sorted(byzantine),
        "without": sorted(without),
        "protocols": [protocol.name for protocol in protocols],
    }
    kept = checkpoints.read(checkpoint, options) if checkpoint is not None else None
    positions = kept.positions if kept is not None else {}
    validation = Validation(protocols=protocols, window=window, byzantine=byzantine, without=without)
    if kept is not None:
        checkpoints.resumed(kept, validation)
        ERRORS.print(
            f"Resuming after the {validation.causal_order.lines:,} lines that {checkpoint} covers.", highlight=False
        )
    source: Source
    if deployment is None:
        source = FileSource(logs, positions)
    else:
        source = TopicSource(deployment, positions, since.astimezone().timestamp() if since is not None else None)
    found: Verdict | None = None
    try:
        running = Watch(source, validation, checkpoint=checkpoint, options=options, positions=positions)
        with offered(running, address), _signals() as asked:
            found = _watched(running, _Reporter(running, every, once, asked), asked)
            running.save()
            if found is None and asked:
                ERRORS.print(_Reporter(running, every, once, asked).so_far(), highlight=False, soft_wrap=True)
                return 128 + asked[0]
    finally:
        source.close()
    if found is None:
        found = validation.finish()
    what = ", ".join(map(str, logs)) or "the event topics of the deployment"
    return report_verdict("watch", what, found, [], html_file, json_file, outputs)


@contextmanager
def _signals() -> Iterator[Sequence[int]]:
    """The signals that request an end, as they arrive. The first one takes effect between two rounds, when all lines that were read
    have been checked; in the middle of a round a checkpoint would cover unchecked lines. The second one is an interrupt."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    heard = [item for item in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(item) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Reporter:
    """Prints the progress of a watch at intervals."""

    def __init__(self, watch: Watch, every: float, once: bool, asked: Sequence[int]) -> None:
        self._watch, self._every, self._once, self._asked = watch, every, once, asked
        self._next = time.monotonic() + every
        self._lines, self._at = watch.validation.causal_order.lines, time.monotonic()

    def __call__(self) -> bool:
        """Whether the watch continues."""
        if time.monotonic() >= self._next:
            ERRORS.print(self.so_far(), highlight=False, soft_wrap=True)
            self._next = time.monotonic() + self._every
            gc.collect()  # disabled while lines are checked; a watch that runs for weeks must not depend on there being no cycles
        return not (self._asked or (self._once and self._watch.caught_up))

    def so_far(self) -> str:
        """The progress in one line."""
        order, now = self._watch.validation.causal_order, time.monotonic()
        rate = (order.lines - self._lines) / max(now - self._at, 1e-9)
        self._lines, self._at = order.lines, now
        behind = self._watch.seconds_behind(time.time())
        return (
            f"{datetime.now().astimezone():%H:%M:%S}  conforms so far: {order.lines:,} lines of {len(order.processes)} "
            f"processes, {rate:,.0f} lines/s, {order.waiting:,} waiting, {behind:.1f} s behind"
        )


def _watched(watch: Watch, told: Callable[[], bool], asked: Sequence[int]) -> Verdict | None:
    """Runs the watch until it ends or an end is requested; waits for a broker that is unreachable."""
    lost: float | None = None
    while not asked:
        try:
            return watch.run(told)
        except EnvironmentProblem as problem:
            now = time.monotonic()
            if lost is None or watch.came_since(lost):
                lost = now
                ERRORS.print(f"{problem}; waiting for the broker.", highlight=False, soft_wrap=True)
            if now - lost >= LOST_SECONDS_MAX:
                raise
            time.sleep(RETRY_SECONDS)
    return watch.verdict
