"""`ondemand docs`: the reference document."""

from __future__ import annotations

import click

from conformance.docs import DOCUMENT, is_current, write_document
from conformance.exits import Exit
from spec.on_demand import PROTOCOL


@click.command()
@click.option("--check", "only_check", is_flag=True, help="Write nothing; end with 1 if the document is stale.")
def docs(only_check: bool) -> int:
    """Write spec/protocol.md from the specification: vocabulary, state diagrams, actions, promises, variants.

    \b
    Examples:
      ondemand docs
      ondemand docs --check
    """
    name = DOCUMENT.relative_to(DOCUMENT.parent.parent)
    if not only_check:
        write_document(PROTOCOL)
        click.echo(f"{name} is written.")
    elif not is_current(PROTOCOL):
        click.echo(f"{name} is stale; write it anew with `ondemand docs`", err=True)
        return int(Exit.VIOLATED)
    return 0
