"""`ondemand golden`: writes the generated files."""

from __future__ import annotations

import click

from conformance.cli.prove import print_claim
from conformance.documents.golden import PARTS, write_golden
from conformance.evidence.mistakes import Counterexample, Mistake
from conformance.report.violation import print_violation
from impl.cli.console import ERRORS


@click.command()
@click.argument("wanted", nargs=-1, metavar=f"[{'|'.join(PARTS)}|PROTOCOL]...")
def golden(wanted: tuple[str, ...]) -> int:
    """Write the files that are generated from the specification: counts, vectors, variants, lassos, documents.

    Without arguments, all parts of all protocols are written. Read the difference before you commit it. If a promise does not hold,
    or nothing notices a variant, the files of that part are left as they are and the command ends with 1. With --spec, the files of
    your own specification are written to the folder `conformance` beside it.

    \b
    Examples:
      ondemand golden                              all parts of all protocols
      ondemand golden counts vectors on-demand     two parts of one protocol
      ondemand --spec spec golden                  the files of your own specification
    """
    try:
        write_golden(wanted, click.echo)
    except Mistake as mistake:
        for shown in mistake.shown:
            if isinstance(shown, Counterexample):
                print_violation(ERRORS, shown.promise, shown.protocol, shown.trace, shortest=True)
            else:
                print_claim(*shown, ERRORS)
        raise
    return 0
