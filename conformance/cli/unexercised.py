"""`ondemand unexercised`: what the statement permits and the implementation never does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from conformance.cli.replay import PROTOCOL_HELP, read_replayed
from conformance.logs.finite_runs import run_of
from conformance.logs.reading import LogFile
from conformance.mutation.faulty import cores_of, faulty_option
from conformance.protocols import DRIVEN, PROTOCOLS, chosen
from conformance.replay.lockstep import Divergence
from conformance.replay.targets import TARGETS, open_with_broker
from conformance.replay.unexercised import Permitted, Unexercised, Verdict, by_action, permissiveness
from conformance.report.result import Case, Finding, Result, Section, source_of
from conformance.report.writing import Outputs, outputs_options
from impl.cli.console import ERRORS, console_for, json_option, listed, progress_bar, write_json
from impl.cli.exits import Exit, worst

LOG_STEPS = 150
"""Steps of logs that are examined. In each state the enabled steps are computed again, for all members that the logs name."""

SHOWN_MAX = 12
"""Findings that are printed for a protocol; the JSON has all of them."""


@click.command()
@click.argument("traces", nargs=-1, type=click.Path(path_type=Path))
@click.option("--target", type=click.Choice(TARGETS), default="memory", show_default=True, help="Where to replay.")
@click.option(
    "--protocol",
    "protocol_name",
    metavar="NAME",
    help=PROTOCOL_HELP.format(listed(sorted(DRIVEN))),
)
@click.option(
    "--top",
    type=click.IntRange(0),
    metavar="NUMBER",
    help="Offer only so many steps, the most often permitted first; the rest is undecided. [default: all]",
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="An event log of the deployment; can be repeated. The beginning of the logs is another run; without TRACES, the only one.",
)
@click.option(
    "--log-steps",
    type=click.IntRange(1),
    default=LOG_STEPS,
    show_default=True,
    metavar="NUMBER",
    help="The most steps of the logs that are examined.",
)
@faulty_option
@json_option
@outputs_options
def unexercised(
    traces: tuple[Path, ...],
    target: str,
    protocol_name: str | None,
    top: int | None,
    logs: tuple[Path, ...],
    log_steps: int,
    faulty: str | None,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Find what the statement permits in the states of replays and the implementation never does.

    TRACES are scenarios or ITF files, or folders of them; by default all shipped vectors are replayed. Permitted steps are
    grouped by action and context. A step that no trace takes is offered at the end of the shortest run to its state: the
    implementation takes it, refuses it (which is allowed, unless an eventuality depends on it), cannot be driven to it, or
    diverges.

    \b
    Examples:
      ondemand unexercised                             all vectors, in memory
      ondemand unexercised --target pulsar --top 50    the 50 most often permitted steps, on a real broker
      ondemand unexercised --log ncm.ndjson --log h1.ndjson
      ondemand unexercised --faulty never_evicts       an agent that does less than it may
    """
    cores = cores_of(faulty)
    if protocol_name is not None:
        protocol_name = chosen(protocol_name, sorted(DRIVEN), "is not replayed in this way").name
    vectors = (
        read_replayed(traces, None if traces else protocol_name, among=DRIVEN, empty=True) if traces or not logs else []
    )
    followed = [("logs", run_of([LogFile(log) for log in logs], steps_max=log_steps))] if logs else []
    results = []
    with open_with_broker(target, console=ERRORS) as opened:
        for protocol in PROTOCOLS:
            mine = [vector for vector in vectors if vector.base is protocol]
            logged = [(name, run) for name, run in followed if run.protocol == protocol.name]
            if (mine or logged) and protocol_name in (None, protocol.name):
                with progress_bar(protocol.name) as progress:
                    found = permissiveness(
                        protocol, mine, opened, cores=cores, followed=logged, tries_max=top, progress=progress
                    )
                results.append(found)
    console = console_for(json_file)
    for found in results:
        print_permissiveness(found, console)
    write_json([each_result.as_json() for each_result in results], json_file)
    ended = worst(found.exit for found in results) if results else Exit.UNDECIDED
    result = Result("unexercised", ended, sum(found.seconds for found in results))
    for found in results:
        result.cases += _cases(found)
        result.findings += _findings(found)
        result.figures.append(f"{found.protocol.name} on {found.target}: {_conclusion(found)}")
        result.sections.append(_section(found))
    outputs.write(result)
    return int(ended)


def _cases(found: Unexercised) -> Iterator[Case]:
    verdicts = {"done": "holds", "refused": "holds", "diverges": "violated"}
    for item in found.never_done:
        verdict = verdicts.get(item.verdict, "undecided")
        yield Case(
            item.shown,
            verdict,
            f"{item.verdict}: {item.because}",
            source=source_of(item.context.action, found.protocol),
        )


def _findings(found: Unexercised) -> Iterator[Finding]:
    """The divergences; refusals are allowed."""
    for divergence in found.divergences[:1]:
        yield Finding("unexercised", _diverges(divergence))
    for finding in found.findings[:SHOWN_MAX]:
        if finding.verdict == "diverges":
            show = partial(_print_finding, found, finding)
            yield Finding(
                "unexercised",
                f"{finding.shown}: {finding.because}",
                source_of(finding.context.action, found.protocol),
                show=show,
            )


def _section(found: Unexercised) -> Section:
    rows = []
    for action, group in by_action(found):
        done, offered = sum(bool(item.done) for item in group), Counter(item.verdict for item in group)
        counts = len(group), done, len(group) - done, *(offered[verdict] for verdict in OFFERED.values())
        rows.append([action.name, *map(str, counts)])
    columns = ("action", "contexts", "done", "never", *OFFERED)
    return Section(f"Permitted by {found.protocol.name}", columns, rows, details=OFFERED)


OFFERED: Final[Mapping[str, Verdict]] = {"offered: done": "done", "refused": "refused", "not driven": "not driven"}
"""What becomes of offered steps: the columns with their numbers."""


def _diverges(divergence: Divergence) -> str:
    return f"{divergence.trace}, step {divergence.step}, {divergence.action}: {divergence.field} differs"


def print_permissiveness(found: Unexercised, console: Console) -> None:
    """A row for each action, then the offered steps that the implementation did not simply take."""
    title = (
        f"Permitted in the {found.states:,} states of {found.runs:,} runs of {found.protocol.name} on {found.target}"
    )
    console.print(replace(_section(found), title=title).table())
    console.print()
    for divergence in found.divergences[:1]:
        said = escape(_diverges(divergence))
        console.print(
            f"[red]{len(found.divergences):,} of the runs diverge without an offered step:[/] {said}. Run `ondemand replay`."
        )
    for finding in found.findings[:SHOWN_MAX]:
        _print_finding(found, finding, console)
    more = len(found.findings) - SHOWN_MAX
    if more > 0:
        console.print(f"and {more:,} more; --json has all of them", highlight=False)
    if not found.states:
        console.print("[yellow]Undecided:[/] no state was examined.")
    console.print(_conclusion(found), highlight=False)
    console.print()


def _print_finding(found: Unexercised, permitted: Permitted, console: Console) -> None:
    color = {"diverges": "red", "refused": "cyan"}.get(permitted.verdict, "yellow")
    counted = (
        ", although an eventuality depends on it" if permitted.verdict == "refused" and found.is_fair(permitted) else ""
    )
    console.print(
        f"[{color}]{permitted.verdict}[/]{counted}, permitted {permitted.times:,} times: {escape(permitted.shown)}",
        highlight=False,
    )
    if permitted.tried is not None:
        steps = permitted.tried.trace.steps
        where = f"offered as step {len(steps)} after the beginning of {permitted.tried.name}: {steps[-1]}"
        said = (
            permitted.because
            if permitted.divergence is None
            else f"{permitted.divergence.field} differs; {permitted.because}"
        )
        console.print(Padding(escape(f"{where}: {said}"), (0, 0, 0, 2)), highlight=False)


def _conclusion(found: Unexercised) -> str:
    counts = Counter(item.verdict for item in found.never_done)
    if not counts and found.states:
        return "The implementation took every permitted step."
    verdicts: dict[Verdict, str] = {
        "done": "done when offered",
        "refused": "refused",
        "not driven": "not driven",
        "diverges": "diverge",
        "not tried": "not tried",
    }
    said = ", ".join(f"{counts[verdict]:,} {words}" for verdict, words in verdicts.items() if counts[verdict])
    total = sum(counts.values())
    return f"Of {total:,} contexts in which a permitted step was never taken: {said}. ({found.seconds:.1f} s)"
