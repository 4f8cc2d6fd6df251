"""`ondemand bench`: the numbers of the README."""

from __future__ import annotations

import click
from rich.table import Table

from conformance.bench import measured, put_into_readme
from conformance.exits import Exit, Problem
from conformance.report import console_for, json_option, write_json


@click.command()
@click.option("--readme", is_flag=True, help="Put the figures into the README of this checkout.")
@json_option
def bench(readme: bool, json_file: str | None) -> int:
    """Measure the numbers of the README, and print them with their conditions. Being slow is no failure.

    \b
    Examples:
      ondemand bench                  some thirty seconds, with a broker of its own
      ondemand bench --json -         every figure as JSON
    """
    numbers = measured()
    table = Table(title=f"Measured on {numbers.conditions}", title_justify="left", show_lines=True)
    table.add_column("what", ratio=3)
    table.add_column("measured", ratio=2)
    table.add_column("to reach", ratio=2)
    for row in numbers.rows():
        table.add_row(*row)
    console_for(json_file).print(table)
    write_json(numbers.as_json(), json_file)
    if not numbers.sound:
        raise Problem(
            "What was measured does not hold, so its figures mean nothing; see `ondemand check`.", Exit.VIOLATED
        )
    if readme:
        put_into_readme(numbers)
    return Exit.HOLDS
