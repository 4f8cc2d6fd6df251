"""`ondemand docs`: writes the documents that are generated from the specification."""

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
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit with 1 if a document is stale.")
def docs(only_check: bool) -> int:
    """Write the documents that are generated from the specification.

    They are a reference document beside each protocol, such as spec/on_demand/protocol.md, with its vocabulary, state diagrams,
    actions, promises and variants; and docs/design-document-checked.md, with the gaps of the message queue's design document, the
    run that each of them leads to, and what the specification states instead.

    \b
    Examples:
      ondemand docs            write all documents
      ondemand docs --check    check that they are current
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
            click.echo(f"Wrote {name}.")
        elif not current():
            stale = True
            click.echo(f"{name} is stale. Run `ondemand docs`.", err=True)
    return int(Exit.VIOLATED if stale else Exit.HOLDS)
