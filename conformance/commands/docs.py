"""`ondemand docs`: the reference document."""

from __future__ import annotations

import os

import click

from conformance.docs import ROOT, document_of, is_current, write_document
from conformance.exits import Exit
from conformance.protocols import PROTOCOLS


@click.command()
@click.option("--check", "only_check", is_flag=True, help="Write nothing; end with 1 if the document is stale.")
def docs(only_check: bool) -> int:
    """Write the reference documents from the specification: vocabulary, state diagrams, actions, promises, variants.

    There is one beside each protocol, spec/protocol.md for the on-demand protocol.

    \b
    Examples:
      ondemand docs
      ondemand docs --check
    """
    stale = False
    for protocol in PROTOCOLS:
        name = os.path.relpath(document_of(protocol), ROOT)
        if not only_check:
            write_document(protocol)
            click.echo(f"{name} is written.")
        elif not is_current(protocol):
            stale = True
            click.echo(f"{name} is stale; write it anew with `ondemand docs`", err=True)
    return int(Exit.VIOLATED if stale else Exit.HOLDS)
