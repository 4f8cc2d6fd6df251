"""`ondemand docs`: the documents that are made from the specification."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from conformance.documents.findings_page import PAGE, page_is_current, write_page
from conformance.documents.reference import ROOT, document_of, is_current, write_document
from conformance.protocols import PROTOCOLS
from impl.cli.exits import Exit


@click.command()
@click.option("--check", "only_check", is_flag=True, help="Write nothing; end with 1 if the document is stale.")
def docs(only_check: bool) -> int:
    """Write the reference documents from the specification: vocabulary, state diagrams, actions, promises, variants.

    There is one beside each protocol, spec/on_demand/protocol.md for the on-demand protocol. And docs/design-document-checked.md,
    with the holes of the message queue's design document, the run that each leads to, and what is said instead.

    \b
    Examples:
      ondemand docs
      ondemand docs --check
    """
    documents: list[tuple[Path, Callable[[], None], Callable[[], bool]]] = [
        (document_of(protocol), partial(write_document, protocol), partial(is_current, protocol))
        for protocol in PROTOCOLS
    ]
    stale = False
    for file, write, current in [*documents, (PAGE, write_page, page_is_current)]:
        name = os.path.relpath(file, ROOT)
        if not only_check:
            write()
            click.echo(f"{name} is written.")
        elif not current():
            stale = True
            click.echo(f"{name} is stale; write it anew with `ondemand docs`", err=True)
    return int(Exit.VIOLATED if stale else Exit.HOLDS)
