"""`ondemand show`: prints a trace as a table and a sequence diagram, or the protocol in TLA+."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from conformance import configurations
from conformance.cli.asked import prove_forgetting
from conformance.protocols import PROTOCOLS, protocol_option, variant_option
from conformance.replay.replays import read_vector
from conformance.report.diagram import as_mermaid, as_svg, diagram_of
from conformance.report.foreign_trace import print_foreign
from conformance.report.trace_table import print_trace
from conformance.report.violation import print_diagram
from conformance.vectors.scenario import SUFFIX
from impl.cli.console import ERRORS, make_folder, writable, write_text
from impl.cli.exits import Exit, Problem
from model.language import Protocol
from model.reference import itf
from model.tla.module import module
from model.tla.tlc import world


@click.command()
@click.argument("trace", type=click.Path(path_type=Path), required=False)
@click.option("--mermaid", is_flag=True, help="Print only the sequence diagram, in Mermaid.")
@click.option(
    "--svg",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=writable,
    help="Write the sequence diagram as an SVG picture.",
)
@click.option("--full", is_flag=True, help="Print the whole state after each step, not only the changes.")
@click.option("--tla", "as_tla", is_flag=True, help="Print the protocol as a TLA+ module; takes no TRACE.")
@click.option(
    "--config",
    metavar="NAME",
    help=f"With --tla: also write a bounded configuration for TLC. {configurations.CONFIG_HELP}.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="With --tla: write the files into this folder instead of printing them.",
)
@protocol_option
@variant_option
def show(
    trace: Path | None,
    mermaid: bool,
    svg: Path | None,
    full: bool,
    as_tla: bool,
    config: str | None,
    folder: Path | None,
    protocol_name: str | None,
    variant: str | None,
) -> int:
    """Print a trace as a table of changes and a sequence diagram, or print the protocol in TLA+.

    TRACE is a scenario, or an ITF file: one that `ondemand explore --save` wrote, or one from Quint, Apalache or another tool,
    which is shown as a table of its states.

    \b
    Examples:
      ondemand show run.scenario                             a table and a sequence diagram
      ondemand show run.scenario --mermaid                   the diagram in Mermaid
      ondemand show trace.itf.json --svg trace.svg           the diagram as a picture
      ondemand show --tla                                    the whole statement in TLA+
      ondemand show --tla --config two-hosts --folder tla    with a bounded configuration for TLC
    """
    if as_tla:
        if trace is not None or mermaid or svg is not None or full:
            raise Problem("--tla: prints the protocol; leave TRACE and its options out", Exit.BAD_INPUT)
        show_tla(configurations.meant(config, protocol_name, variant), config, folder)
        return 0
    if any(option is not None for option in (config, folder, protocol_name, variant)):
        raise Problem(
            "--config, --folder, --protocol and --variant: need --tla; add it, or leave them out", Exit.BAD_INPUT
        )
    if trace is None:
        raise Problem("TRACE is missing; name a trace file, or print the protocol with --tla", Exit.BAD_INPUT)
    if trace.suffix != SUFFIX and not trace.is_dir():
        data = itf.load(trace)
        if itf.source_of(data, PROTOCOLS) is None:
            if mermaid or svg is not None:
                raise Problem(
                    f"{trace}: is of no protocol that is stated here, so it has no sequence diagram; "
                    "leave --mermaid and --svg out",
                    Exit.BAD_INPUT,
                )
            print_foreign(trace, data, Console(), full=full)
            return 0
    vector = read_vector(trace, *PROTOCOLS, unmet=True)
    diagram = diagram_of(vector.trace, vector.protocol)
    if svg is not None:
        write_text(svg, as_svg(diagram))
    if mermaid:
        click.echo(as_mermaid(diagram), nl=False)
    else:
        console = Console()
        print_trace(vector.trace, vector.protocol, console, full=full)
        print_diagram(console, vector.trace, vector.protocol)
        if vector.diverges_at is not None:
            console.print(
                f"Step {vector.diverges_at} leaves the protocol: a conforming implementation does not take it, or takes it "
                "differently."
            )
    for sentence in vector.unmet:
        ERRORS.print(sentence, highlight=False, markup=False, soft_wrap=True)
    return int(Exit.VIOLATED if vector.unmet else Exit.HOLDS)


def show_tla(protocol: Protocol, config: str | None, folder: Path | None) -> None:
    """Prints or writes a protocol as a TLA+ module, and for a configuration the module and the properties that TLC checks."""
    exported = module(protocol)
    files = {f"{exported.name}.tla": exported.text}
    if config is not None:
        bounded = world(
            protocol, configurations.find(config, protocol), exported, forget_spent=prove_forgetting(protocol)
        )
        files |= {f"{bounded.name}.tla": bounded.text, f"{bounded.name}.cfg": bounded.configuration}
    if folder is not None:
        make_folder(folder)
    for name, text in files.items():
        if folder is None:
            click.echo(text)
        else:
            write_text(folder / name, text)
            click.echo(f"{folder / name}")
