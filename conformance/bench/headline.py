"""The figures of docs/benchmarks.md, each with its conditions: `make bench`.

No figure fails for being slow, since machines differ. Figures to be compared are measured together in one run; the others state the
conditions of the measurement.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance import configurations
from conformance.bench.first_packet import FirstPackets, measure
from conformance.protocols import DRIVEN, PROTOCOLS
from conformance.replay.replays import Replays, read_vectors, replay_all, vectors_of
from conformance.replay.targets import open_target
from conformance.report import markdown
from conformance.report.markdown import table
from impl.broker.launcher import open_deployment
from impl.cli.console import ERRORS, progress_bar
from impl.cli.exits import Exit, Problem
from model.explore.explore import Exploration, explore
from model.language import Protocol
from model.proof.prove import Proof, prove
from model.proof.wellformed import wellformed
from spec.on_demand.protocol import PROTOCOL

PAIRS: Final = 500
"""First packets and raw exchanges, interleaved."""

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = ROOT / "docs" / "benchmarks.md"
"""Where all figures are written."""
README: Final = ROOT / "README.md"
"""Where five of them are repeated."""
HEADLINES: Final = (
    ("bench", "prove everything of the on-demand protocol"),
    ("bench", "explore `bench`"),
    ("bench", "lock-step on Pulsar"),
    ("bench", "first packet to an unknown pod"),
    ("logs", "validate the logs of a deployment"),
)
"""The five: the part of the document, and how the row begins."""


@dataclass(frozen=True)
class Numbers:
    """All measurements."""

    conditions: str
    proof: Proof
    """Of the on-demand protocol, including well-formedness."""
    other_proofs: Proof
    """Of all other protocols together."""
    exploration: Exploration
    replays: Replays
    first_packets: FirstPackets

    def rows(self) -> list[tuple[str, str, str]]:
        """Rows of the table: what was measured, the result, and the target."""
        found, replays, packets = self.exploration, self.replays, self.first_packets
        steps = replays.total(lambda replay: replay.steps)
        return [
            _of_proof("prove everything of the on-demand protocol, no bounds", self.proof, "at most 5 s"),
            _of_proof(f"prove the other {len(PROTOCOLS) - 1} protocols", self.other_proofs, ""),
            (
                f"explore `{found.configuration}`, all {len(found.actions)} actions in use, one core, no symmetry, with "
                f"counterexamples: {found.distinct:,} states of {found.bits} bits in {found.words} words, "
                f"{found.transitions:,} transitions, {found.bytes_per_state:.0f} bytes a state "
                f"({found.peak_bytes / found.distinct:.0f} resident at the peak, everything included)",
                f"{found.distinct / found.seconds / 1e6:.2f} M states/s, and {found.compile_seconds:.1f} s to compile",
                "1.5 M states/s in two words, 3 M in one",
            ),
            (
                f"lock-step on Pulsar, of both protocols: {len(replays.results)} vectors, {steps:,} steps, "
                f"{replays.total(lambda replay: replay.deliveries):,} of them deliveries, "
                f"{replays.total(lambda replay: replay.duplicates):,} additional duplicates, "
                f"{replays.total(lambda replay: replay.crashes):,} crashes, set-up included",
                f"{steps / replays.seconds:.0f} steps/s",
                "200 steps/s",
            ),
            (
                f"first packet to an unknown pod, beside a raw request and reply: medians of {len(packets.packets)} "
                "interleaved pairs, in the same processes, with authentication, over persistent topics",
                str(packets),
                "at most 1.5 times",
            ),
        ]

    @property
    def sound(self) -> bool:
        """Whether everything that was measured also holds; else the figures mean nothing."""
        proved = {self.proof.verdict, self.other_proofs.verdict}
        return (proved, self.exploration.verdict, self.replays.verdict) == ({"holds"}, "holds", "conforms")

    def as_json(self) -> dict[str, Any]:
        """All figures by name."""
        found = self.exploration
        return {
            "conditions": self.conditions,
            **{
                name: {"claims": len(proof.claims), "checks": proof.checks, "seconds": proof.seconds}
                for name, proof in (("prove", self.proof), ("prove_others", self.other_proofs))
            },
            "explore": {
                **found.as_json(),
                "bits": found.bits,
                "states_per_second": round(found.distinct / found.seconds),
                "bytes_per_state": round(found.bytes_per_state, 1),
                "peak_bytes_per_state": round(found.peak_bytes / found.distinct, 1),
            },
            "replay": {**self.replays.as_json(), "duplicates": self.replays.total(lambda replay: replay.duplicates)},
            "first_packet": self.first_packets.as_json(),
        }


def _of_proof(what: str, proof: Proof, target: str) -> tuple[str, str, str]:
    return f"{what}: {len(proof.claims):,} claims, {proof.checks:,} checks", f"{proof.seconds:.2f} s", target


def conditions() -> str:
    """The machine and load that the figures depend on."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor() or "unknown processor",
    )
    load = f"{os.getloadavg()[0]:.1f}"
    machine = f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return f"{machine}, load {load} at the start; the broker does not wait for its disk, the stores of the services do"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def measured() -> Numbers:
    """Runs all measurements."""
    about = conditions()
    with progress_bar("Proving") as progress:
        proof = _proved(PROTOCOL, progress)
        others = [_proved(protocol, progress) for protocol in PROTOCOLS if protocol is not PROTOCOL]
    with progress_bar("Exploring") as progress:
        exploration = explore(
            PROTOCOL,
            configurations.find(configurations.BENCH, PROTOCOL),
            progress=lambda distinct, depth, seconds: progress(distinct, f"depth {depth}, {seconds:.0f} s"),
        )
    followed = [protocol for protocol in PROTOCOLS if protocol.name in DRIVEN]
    vectors = read_vectors(map(vectors_of, followed), *followed)
    with open_deployment(console=ERRORS) as deployment:
        with open_target("pulsar", deployment) as target, progress_bar("Replaying", len(vectors)) as progress:
            replays = replay_all(vectors, target, progress=progress)
        with progress_bar("First packets") as progress:
            packets = measure(deployment, PAIRS, progress)
    together = Proof([claim for other in others for claim in other.claims], sum(other.seconds for other in others))
    return Numbers(about, proof, together, exploration, replays, packets)


def _proved(protocol: Protocol, progress: Callable[[int, str], None]) -> Proof:
    shape = wellformed(protocol)
    proof = prove(protocol, progress=lambda done, total: progress(done, f"of {total}, {protocol.name}"))
    return Proof([*shape.claims, *proof.claims], shape.seconds + proof.seconds)


HEADS: Final = ("what", "measured", "to reach")


def table_of(about: str, rows: Sequence[Sequence[str]]) -> str:
    """Figures as a Markdown table, with the conditions."""
    return f"Measured on {about}.\n\n{table(HEADS[: len(rows[0])], rows)}"


def put_part(name: str, text: str) -> None:
    """Replaces one part of the document, and in the README the headline figures that are taken from it."""
    markdown.put_part(DOCUMENT, name, text)
    if any(part == name for part, _ in HEADLINES):
        markdown.put_part(README, "headline", headlines())


def headlines() -> str:
    """The headline figures as they stand in the README: rows of the document, and the conditions of each part."""
    rows: list[str] = []
    conditions: list[str] = []
    for part in dict.fromkeys(part for part, _ in HEADLINES):
        about, *lines = markdown.part_of(DOCUMENT, part).splitlines()
        starts = tuple(f"| {start}" for name, start in HEADLINES if name == part)
        chosen = [line for line in lines if line.startswith(starts)]
        if len(chosen) != len(starts):
            raise Problem(f"{DOCUMENT}, part {part}: expected one row for each headline figure", Exit.BAD_INPUT)
        first, last = len(rows) + 1, len(rows) + len(chosen)
        where = f"Row {last}" if first == last else f"Rows {first} to {last}"
        conditions.append(f"{where}: {about[0].lower()}{about[1:]}")
        rows += [f"{line}\n" for line in chosen]
    return f"{table(HEADS, [])}{''.join(rows)}\n{' '.join(conditions)}\n"
