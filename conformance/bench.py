"""The numbers of the README, each with its conditions: `make bench`.

Nothing here fails for being slow: machines differ. What is compared is measured side by side in one run, and the rest says under
which conditions it was measured.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from conformance import worlds
from conformance.first_packet import measure
from conformance.replaying import VECTORS, read_vectors, replay_all
from conformance.report import ERRORS, progress_bar
from conformance.targets import open_target
from impl.broker.deployment import open_deployment
from model.explore import explore
from model.prove import prove
from model.wellformed import wellformed
from spec.on_demand import PROTOCOL

PAIRS = 500
"""First packets and raw exchanges, interleaved."""


def conditions() -> str:
    """What the numbers depend on."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor() or "unknown processor",
    )
    load = f"{os.getloadavg()[0]:.1f}"
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, load {load} at the start"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def measured() -> dict[str, Any]:
    """All numbers."""
    found: dict[str, Any] = {"conditions": conditions()}
    with progress_bar("Proving") as progress:
        shape = wellformed(PROTOCOL)
        proof = prove(PROTOCOL, progress=lambda done, total: progress(done, f"of {total}"))
    found["prove"] = {
        "claims": len(shape.claims) + len(proof.claims),
        "checks": shape.checks + proof.checks,
        "seconds": round(shape.seconds + proof.seconds, 2),
        "verdict": proof.verdict,
    }
    with progress_bar("Exploring") as progress:
        explored = explore(
            PROTOCOL,
            worlds.find(worlds.BENCH, PROTOCOL),
            progress=lambda distinct, depth, seconds: progress(distinct, f"depth {depth}, {seconds:.0f} s"),
        )
    found["explore"] = {
        **explored.as_json(),
        "bits": explored.bits,
        "states_per_second": round(explored.distinct / explored.seconds),
        "bytes_per_state": round(explored.bytes_per_state, 1),
        "peak_bytes_per_state": round(explored.peak_bytes / explored.distinct, 1),
        "actions": len(explored.actions),
    }
    vectors = read_vectors([VECTORS], PROTOCOL)
    with open_deployment(console=ERRORS) as deployment:
        with open_target("pulsar", deployment) as target, progress_bar("Replaying", len(vectors)) as progress:
            replays = replay_all(vectors, target, progress=progress)
        steps = replays.total(lambda one: one.steps)
        found["lock-step"] = {
            "vectors": len(vectors),
            "steps": steps,
            "deliveries": replays.total(lambda one: one.deliveries),
            "crashes": replays.total(lambda one: one.crashes),
            "seconds": round(replays.seconds, 2),
            "steps_per_second": round(steps / replays.seconds),
            "verdict": replays.verdict,
        }
        with progress_bar("First packets") as progress:
            found["first packet"] = measure(deployment, PAIRS, progress).as_json()
    return found


def main() -> int:
    """Prints the numbers, and writes them as JSON where the only argument says."""
    found = measured()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    console = Console()
    table = Table(title=f"Measured on {found['conditions']}", title_justify="left")
    table.add_column("what")
    table.add_column("measured")
    table.add_column("to reach")
    table.add_row("prove everything, no bounds", _shown(found["prove"]), "5 s at most")
    table.add_row(
        "explore `bench`, one core, no symmetry", _shown(found["explore"]), "3 M states/s in one word, 1.5 M in two"
    )
    table.add_row("lock-step on Pulsar, all vectors", _shown(found["lock-step"]), "200 steps/s")
    table.add_row("first packet, beside a raw exchange", _shown(found["first packet"]), "1.5 times at most")
    console.print(table)
    return 0


def _shown(numbers: dict[str, Any]) -> str:
    return "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in numbers.items())


if __name__ == "__main__":
    sys.exit(main())
