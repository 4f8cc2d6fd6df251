"""`ondemand show`: a trace as a table and a sequence diagram, or the protocol itself in TLA+."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from conformance import configurations
from conformance.protocols import PROTOCOLS, protocol_option, variant_option
from conformance.replay.replays import read_vectors
from conformance.report.diagram import as_mermaid, as_svg, diagram_of
from conformance.report.trace_table import print_trace
from conformance.report.violation import print_diagram
from impl.cli.console import writable, write_text
from impl.cli.exits import Exit, Problem
from model.language import Protocol
from model.tla.module import module
from model.tla.tlc import world


@click.command()
@click.argument("trace", type=click.Path(path_type=Path), required=False)
@click.option("--mermaid", is_flag=True, help="Print the sequence diagram in Mermaid, and nothing else.")
@click.option(
    "--svg",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=writable,
    help="Write the sequence diagram as a picture.",
)
@click.option("--full", is_flag=True, help="Show the whole state after each step, not only what changed.")
@click.option("--tla", "as_tla", is_flag=True, help="Print the protocol as a TLA+ module; no trace is needed.")
@click.option(
    "--config",
    metavar="NAME",
    help=f"With --tla: also this bounded world, as TLC takes it; {configurations.CONFIG_HELP}.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="With --tla: write the files into this folder, instead of printing them.",
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
    """Print a trace as a table in which changes stand out, and a sequence diagram; or the protocol in TLA+.

    TRACE is an ITF file: a shipped vector, or what `ondemand explore --save` or `ondemand step` has written.

    \b
    Examples:
      ondemand show trace.itf.json
      ondemand show trace.itf.json --mermaid
      ondemand show trace.itf.json --svg trace.svg
      ondemand show --tla                                  the whole statement
      ondemand show --tla --config two-hosts --folder tla  and a bounded world of it, for TLC
    """
    if as_tla:
        if trace is not None or mermaid or svg is not None or full:
            raise Problem("--tla: prints the protocol, and no trace; leave TRACE and its options out", Exit.BAD_INPUT)
        show_tla(configurations.meant(config, protocol_name, variant), config, folder, changed=variant is not None)
        return 0
    if any(option is not None for option in (config, folder, protocol_name, variant)):
        raise Problem(
            "--config, --folder, --protocol, --variant: are for a protocol in TLA+; add --tla", Exit.BAD_INPUT
        )
    if trace is None:
        raise Problem("TRACE: is missing; name a trace file, or print the protocol with --tla", Exit.BAD_INPUT)
    if trace.is_dir():
        raise Problem(f"{trace}: is a folder; name one trace file in it", Exit.BAD_INPUT)
    (vector,) = read_vectors([trace], *PROTOCOLS)
    diagram = diagram_of(vector.trace, vector.protocol)
    if svg is not None:
        write_text(svg, as_svg(diagram))
    if mermaid:
        click.echo(as_mermaid(diagram), nl=False)
        return 0
    console = Console()
    print_trace(vector.trace, vector.protocol, console, full=full)
    print_diagram(console, vector.trace, vector.protocol)
    if vector.diverges_at is not None:
        console.print(
            f"Step {vector.diverges_at} is not the protocol's: an implementation that conforms does otherwise."
        )
    return 0


def show_tla(protocol: Protocol, config: str | None, folder: Path | None, *, changed: bool) -> None:
    """Prints or writes a protocol as a TLA+ module, and with a configuration the world and what TLC is to check in it.

    `changed`: a variant is put in, for which it is not proved that spent messages can be forgotten.
    """
    exported = module(protocol)
    files = {f"{exported.name}.tla": exported.text}
    if config is not None:
        bounded = world(protocol, configurations.find(config, protocol), exported, forget_spent=not changed)
        files |= {f"{bounded.name}.tla": bounded.text, f"{bounded.name}.cfg": bounded.configuration}
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise Problem(
                f"{folder}: cannot be made ({problem.strerror}); name another folder", Exit.BAD_INPUT
            ) from problem
    for name, text in files.items():
        if folder is None:
            click.echo(text)
        else:
            write_text(folder / name, text)
            click.echo(f"{folder / name}")
