"""`ondemand docs`: writes the documents that are generated from the specification."""

from __future__ import annotations

import os

import click

from conformance.documents.findings_page import PAGE, page
from conformance.documents.reference import ROOT, document, document_of, is_current, write
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
    documents = [(document_of(protocol), document(protocol)) for protocol in PROTOCOLS]
    stale = False
    for file, text in [*documents, (PAGE, page())]:
        name = os.path.relpath(file, ROOT)
        if not only_check:
            write(file, text)
            click.echo(f"Wrote {name}.")
        elif not is_current(file, text):
            stale = True
            click.echo(f"{name} is stale. Run `ondemand docs`.", err=True)
    return int(Exit.VIOLATED if stale else Exit.HOLDS)
