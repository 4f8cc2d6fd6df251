"""`ondemand record`: collects the event logs of a running deployment into one file."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import click

from conformance.logs.collecting import Collector
from impl.broker import event_topics, topics
from impl.cli.console import ERRORS, json_option, progress_bar, write_json, writing
from impl.cli.exits import Exit
from impl.cli.host import the_deployment

LOOK_SECONDS: Final = 1.0
"""Time between two checks for new lines and new processes."""

MINUTES_OF_A_DAY: Final = 24 * 60


@click.command()
@click.option(
    "--out",
    default="events.ndjson",
    show_default=True,
    metavar="FILE",
    help="The file for the lines; - is standard output.",
)
@click.option("--follow", is_flag=True, help="Continue with the lines that are written from now on, until interrupted.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    metavar="TIME",
    help="Leave out lines that were written before this local time, such as 2025-01-31T12:00:00. [default: the beginning]",
)
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0, min_open=True),
    metavar="DAYS",
    help="How many days the broker keeps lines, from now on. [default: unchanged; at first, forever]",
)
@json_option
def record(out: str, follow: bool, since: datetime | None, keep_days: float | None, json_file: str | None) -> int:
    """Collect the event logs of a running deployment.

    Each process has its own event topic, which only it may write to; services write there with --events broker. This command
    creates missing topics, reads all of them, and leaves their lines in place. The lines of a process keep their order.

    \b
    Examples:
      ondemand record                                  create the topics, before the services start
      ondemand run ncm --events broker                 run each service with its event log on the broker
      ondemand record                                  write the lines so far to events.ndjson
      ondemand record --out - | ondemand validate -    validate the lines so far
      ondemand record --follow --out live.ndjson --keep-days 7
    """
    if out == "-" and json_file == "-":
        raise click.UsageError("--out - and --json - both use standard output; name a file for one of them")
    deployment = the_deployment()
    topics.prepare(deployment)
    event_topics.prepare(deployment, None if keep_days is None else max(1, round(keep_days * MINUTES_OF_A_DAY)))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like an interrupt: whole lines are written
    count, processes = 0, list[str]()
    moment = since.astimezone().timestamp() if since is not None else None
    with Collector(deployment, moment) as collector, _opened(out) as file, progress_bar("Lines") as progress:
        try:
            while True:
                processes = collector.look()
                for line in collector.lines():
                    file.write(line)
                    count += 1
                    if count % 1_000 == 0:
                        progress(count, f"of {len(processes)} processes")
                file.flush()
                if not follow:
                    break
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            pass
    write_json({"lines": count, "topics": processes, "out": out}, json_file)
    if not count:
        ERRORS.print(
            "There are no lines yet. The topics are ready: run the services with --events broker.", highlight=False
        )
        return Exit.UNDECIDED
    if out != "-":
        ERRORS.print(f"Wrote {count:,} lines of {len(processes)} topics to {out}.", highlight=False, soft_wrap=True)
    return Exit.HOLDS


@contextmanager
def _opened(out: str) -> Iterator[IO[bytes]]:
    if out == "-":
        yield sys.stdout.buffer
        return
    with ExitStack() as stack:
        with writing(out):
            file = stack.enter_context(Path(out).open("wb"))
        yield file
