"""`ondemand review`: what is not as it was reviewed, and the only way to say that it was reviewed."""

from __future__ import annotations

from collections.abc import Sequence

import click

from conformance.evidence.reviewed import Difference, differences
from conformance.evidence.reviewed import review as write
from conformance.protocols import protocol_option, wanted
from impl.cli.console import listed, no_such
from impl.cli.exits import Exit, Problem


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@protocol_option
def review(names: tuple[str, ...], protocol_name: str | None) -> int:
    """Compare the statement and its configurations with what was reviewed, or write what was reviewed now.

    Without names, this lists what is different; the exit code is 1 if anything is. With names of declarations or configurations, it
    prints what each was and what it is now, and writes that into the reviewed list of its protocol. There is no way to name all of
    them at once: look at each. A name that is changed differently in two protocols needs --protocol. Commit the list with the
    change.

    \b
    Examples:
      ondemand review                          what is different
      ondemand review newer_wins two-hosts     a promise and a configuration were changed, and reviewed
    """
    found = [each for protocol in wanted(protocol_name, None) for each in differences(protocol)]
    if not names:
        for difference in found:
            click.echo(difference.sentence)
        if not found:
            click.echo("Everything is as it was reviewed.")
        return int(Exit.VIOLATED if found else Exit.HOLDS)
    different = list(dict.fromkeys(difference.name for difference in found))
    for name in names:
        if name not in different:
            if not different:
                raise Problem(f"{name}: everything is as it was reviewed; leave the name out", Exit.BAD_INPUT)
            raise Problem(no_such("difference", name, different), Exit.BAD_INPUT)
        _refuse_two(name, [difference for difference in found if difference.name == name])
    chosen = [difference for difference in found if difference.name in names]
    for difference in chosen:
        _print(difference)
    write(chosen)
    return int(Exit.HOLDS)


def _refuse_two(name: str, named: Sequence[Difference]) -> None:
    """One name means one change: what a protocol has from another changes with it, but other protocols may have a name too."""
    changes: dict[str, list[tuple[str, str | None, str | None]]] = {}
    for each in named:
        changes.setdefault(each.protocol.name, []).append((each.kind, each.old, each.new))
    if any(change != changes[named[0].protocol.name] for change in changes.values()):
        raise Problem(f"{name}: is changed differently in {listed(changes)}; name one with --protocol", Exit.BAD_INPUT)


def _print(difference: Difference) -> None:
    click.echo(f"{difference.protocol.name}: {difference.kind} {difference.name} ({difference.place})")
    for label, text in (("was", difference.old), ("is", difference.new)):
        for number, line in enumerate((text or "not there").splitlines()):
            click.echo(f"  {label if number == 0 else '':4}{line}")
    click.echo()
