"""`ondemand watch`: the specification beside a deployment that runs."""

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
"""For a broker that is away to come back, before the watch ends."""


@click.command()
@click.argument("logs", nargs=-1, type=click.Path(path_type=Path))
@matching_options
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=writable,
    help="Keep here how far the watch has come, and go on from there if there is one.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    metavar="TIME",
    help="Leave out what was written before; each log counts from the first whole state that it tells. [default: the beginning]",
)
@click.option(
    "--every",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two lines about how far it is.",
)
@click.option("--once", is_flag=True, help="End when everything that is there by now has been taken.")
@click.option(
    "--metrics", metavar="HOST:PORT", help="Offer metrics to Prometheus there; a port alone is this machine's own."
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
    """Hold a deployment against the specification while it runs.

    The deployment is the one whose broker $PULSAR_URL names, with services that run with --events broker; or LOGS: files that
    grow, and folders of such files (*.ndjson). The first line that does not fit ends the watch with exit code 1 and the explanation
    that `ondemand validate` gives; lines that are lost end it with 3, since what they told is not known. Until then a line a
    minute says how far it is. Ctrl-C or SIGTERM ends it behind the lines that were read, with its checkpoint; a second one at once.

    \b
    Examples:
      ondemand watch                                      from the beginning of what the broker keeps
      ondemand watch --checkpoint watch.json --metrics 9100
      ondemand watch --since 2025-01-31T12:00:00          only what comes from then on
      ondemand watch logs/                                the files that services write with --events FILE
    """
    if logs and since is not None:
        raise click.UsageError("--since is for the broker's event topics; files are watched from their beginning")
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
            f"Goes on behind {validation.causal_order.lines:,} lines that {checkpoint} tells of.", highlight=False
        )
    source: Source
    if deployment is None:
        source = FileSource(logs, positions)
    else:
        source = TopicSource(deployment, positions, since.astimezone().timestamp() if since is not None else None)
    found: Verdict | None = None
    try:
        one = Watch(source, validation, checkpoint=checkpoint, options=options, positions=positions)
        with offered(one, address), _signals() as asked:
            found = _watched(one, _Teller(one, every, once, asked), asked)
            one.save()
            if found is None and asked:
                ERRORS.print(_Teller(one, every, once, asked).so_far(), highlight=False, soft_wrap=True)
                return 128 + asked[0]
    finally:
        source.close()
    if found is None:
        found = validation.finish()
    what = ", ".join(map(str, logs)) or "the event topics of the deployment"
    return report_verdict("watch", what, found, [], html_file, json_file, outputs)


@contextmanager
def _signals() -> Iterator[Sequence[int]]:
    """The signals that ask for an end, as they come. The first one only asks: between two rounds all lines that were read have been
    taken, and in the middle of one a checkpoint would tell of lines that nobody has looked at. The second one is an interrupt."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    heard = [item for item in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(item) != signal.SIG_IGN]
    before = {message: signal.signal(message, ask) for message in heard}
    try:
        yield asked
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class _Teller:
    """Says now and then how far the watch is."""

    def __init__(self, watch: Watch, every: float, once: bool, asked: Sequence[int]) -> None:
        self._watch, self._every, self._once, self._asked = watch, every, once, asked
        self._next = time.monotonic() + every
        self._lines, self._at = watch.validation.causal_order.lines, time.monotonic()

    def __call__(self) -> bool:
        """Whether to go on."""
        if time.monotonic() >= self._next:
            ERRORS.print(self.so_far(), highlight=False, soft_wrap=True)
            self._next = time.monotonic() + self._every
            gc.collect()  # it is off while lines are taken; a watch that runs for weeks is not to rely on there being no circle
        return not (self._asked or (self._once and self._watch.caught_up))

    def so_far(self) -> str:
        """A line about how far it is."""
        order, now = self._watch.validation.causal_order, time.monotonic()
        rate = (order.lines - self._lines) / max(now - self._at, 1e-9)
        self._lines, self._at = order.lines, now
        behind = self._watch.seconds_behind(time.time())
        return (
            f"{datetime.now().astimezone():%H:%M:%S}  conforms so far: {order.lines:,} lines of {len(order.processes)} "
            f"processes, {rate:,.0f} lines/s, {order.waiting:,} wait, {behind:.1f} s behind"
        )


def _watched(watch: Watch, told: Callable[[], bool], asked: Sequence[int]) -> Verdict | None:
    """Runs the watch until it ends, or an end is asked for; a broker that is away is waited for."""
    lost: float | None = None
    while not asked:
        try:
            return watch.run(told)
        except EnvironmentProblem as problem:
            now = time.monotonic()
            if lost is None or watch.came_since(lost):
                lost = now
                ERRORS.print(f"{problem}; waits for it.", highlight=False, soft_wrap=True)
            if now - lost >= LOST_SECONDS_MAX:
                raise
            time.sleep(RETRY_SECONDS)
    return watch.verdict
