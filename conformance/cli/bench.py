"""`ondemand bench`: the figures of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click
from rich.table import Table

from conformance.bench.headline import conditions, measured, put_part, table_of
from conformance.bench.log_cost import measure_cost
from conformance.bench.log_growth import LINES, LINES_MIN, growth
from conformance.bench.log_rates import explanation, validation
from conformance.bench.scale_figures import collected, heads, keep
from conformance.bench.scale_figures import rows as rows_of_scale
from conformance.bench.scale_measurements import AGENTS, measure
from conformance.bench.watch_rate import watched
from impl.broker.launcher import open_deployment
from impl.cli.console import ERRORS, console_for, json_option, progress_bar, write_json
from impl.cli.exits import Exit, Problem

SPEED, SCALE, RECORD, LOGS, GROWTH = "speed", "scale", "record", "logs", "growth"
PARTS: Final = (SPEED, SCALE, RECORD, LOGS, GROWTH)
AGENTS_MAX: Final = 5_000


@click.command()
@click.option(
    "--only",
    type=click.Choice(PARTS),
    help="Measure one part: the speed of the engines, scaling with agents, the cost of event logs, the use of event logs, or the "
    "growth of validation with the length of logs. [default: all parts but growth]",
)
@click.option(
    "--lines",
    type=click.IntRange(LINES_MIN),
    default=LINES,
    show_default=True,
    help="The lines of the logs in the part growth. They are kept in a temporary folder: 8 million lines take 3.3 GB.",
)
@click.option(
    "--agents",
    type=click.IntRange(AGENTS[0], AGENTS_MAX),
    default=max(AGENTS),
    show_default=True,
    help="The largest number of agents in the part scale.",
)
@click.option("--readme", is_flag=True, help="Write the figures to docs/benchmarks.md and README.md of this checkout.")
@json_option
def bench(only: str | None, lines: int, agents: int, readme: bool, json_file: str | None) -> int:
    """Measure the figures of docs/benchmarks.md, and print them with their conditions. A slow result is not a failure.

    \b
    Examples:
      ondemand bench                              all parts but growth: 20 minutes, starts a broker
      ondemand bench --only speed                 proofs, exploration, replay and first packets: 30 seconds
      ondemand bench --only scale --agents 100    messages by number of hosts, up to 100 agents
      ondemand bench --only record                the cost of writing event logs: 30 seconds
      ondemand bench --only logs                  recording, validating, explaining and watching logs: 10 minutes
      ondemand bench --only growth                time and memory for 1, 2, 4 and 8 million lines: 12 minutes, 3.3 GB
      ondemand bench --json -                     every figure as JSON
    """
    found: dict[str, Any] = {}
    if only in (None, SPEED):
        found |= _speed(readme, json_file)
    if only in (None, LOGS):
        found[LOGS] = _logs(readme, json_file)
    if only in (None, SCALE):
        found[SCALE] = _scale(agents, readme, json_file)
    if only in (None, RECORD):
        found[RECORD] = _record(readme, json_file)
    if only == GROWTH:
        found[GROWTH] = _growth(lines, readme, json_file)
    write_json(found, json_file)
    return Exit.HOLDS


def _speed(readme: bool, json_file: str | None) -> dict[str, Any]:
    numbers = measured()
    _print(f"Measured on {numbers.conditions}", numbers.rows(), json_file)
    if not numbers.sound:
        write_json(numbers.as_json(), json_file)
        raise Problem(
            "The measured checks do not hold, so the figures mean nothing; run `ondemand check`.", Exit.VIOLATED
        )
    if readme:
        put_part("bench", table_of(numbers.conditions, numbers.rows()))
    return numbers.as_json()


FIGURES: Final = {"what": 3, "measured": 2, "target": 2}
"""The columns of most tables, and how wide each is beside the others."""


def _print(
    about: str,
    rows: Iterable[Sequence[str]],
    json_file: str | None,
    columns: Mapping[str, int | None] = FIGURES,
) -> None:
    table = Table(title=about, title_justify="left", show_lines=True)
    for head, ratio in columns.items():
        table.add_column(head, ratio=ratio)
    for row in rows:
        table.add_row(*row)
    console_for(json_file).print(table)


def _logs(readme: bool, json_file: str | None) -> dict[str, Any]:
    about, figures = conditions(), []
    with progress_bar("Explaining") as progress:
        figures.append(explanation(progress))
    with open_deployment(console=ERRORS) as deployment:
        with progress_bar("Watching") as progress:
            figures.append(watched(deployment, progress))
        with progress_bar("Recording on the broker, then validating") as progress:
            figures.append(validation(deployment, progress))
    rows = [figure.row for figure in figures]
    _print(f"Measured on {about}", rows, json_file)
    if readme:
        put_part("logs", table_of(about, rows))
    return {"conditions": about, **{figure.name: dict(figure.data) for figure in figures}}


def _growth(lines: int, readme: bool, json_file: str | None) -> dict[str, Any]:
    about = conditions()
    with progress_bar(f"Recording {lines:,} lines to a temporary folder, then validating them") as progress:
        figures = growth(progress, lines)
    rows = [figure.row for figure in figures]
    _print(f"Measured on {about}", rows, json_file)
    if readme:
        put_part(GROWTH, table_of(about, rows))
    return {"conditions": about, "rows": [dict(figure.data) for figure in figures]}


def _scale(agents: int, readme: bool, json_file: str | None) -> dict[str, Any]:
    about = conditions()
    found = []
    with open_deployment(console=ERRORS) as deployment:
        for count in [*(agent for agent in AGENTS if agent < agents), agents]:
            with progress_bar(f"{count:,} agents") as progress:
                found.append(measure(deployment, count, progress))
    data = collected(f"Measured on {about}", found)
    _print(data["conditions"], rows_of_scale(data), json_file, dict.fromkeys(heads(data)))
    if readme:
        keep(data)
    return data


def _record(readme: bool, json_file: str | None) -> dict[str, Any]:
    about = conditions()
    with open_deployment(console=ERRORS) as deployment, progress_bar("Recording") as progress:
        cost = measure_cost(deployment, progress)
    _print(f"Measured on {about}", cost.rows(), json_file, {"what": 3, "measured": 2})
    if readme:
        put_part("record", table_of(about, cost.rows()))
    return {"conditions": about, **cost.as_json()}
