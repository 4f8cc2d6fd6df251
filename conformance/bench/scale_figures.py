"""Counts and measurements as data, as the table of docs/benchmarks.md, and as its picture. Nothing in them is typed by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from conformance.bench.message_counts import DESIGNS, NETWORKS, SIZES, Size, counted
from conformance.bench.message_sizes import PLACEMENT
from conformance.bench.scale_measurements import PODS, REVISION, Measured
from conformance.report.markdown import put_part, table

ROOT: Final = Path(__file__).parent.parent.parent
DATA: Final = ROOT / "conformance" / "data" / "scale.json"
PICTURE: Final = ROOT / "docs" / "scale.svg"
DOCUMENT: Final = ROOT / "docs" / "benchmarks.md"

HOSTS: Final = (2, 10, 30, 100, 300, 1_000, 3_000, 10_000)
"""Numbers of hosts at which the laws are evaluated."""
COUNTED_TO: Final = max(size.hosts for size in SIZES)

COLORS: Final = {
    "push to all": "#d1495b",
    "queue as built": "#c98a1b",
    "queue as corrected": "#3d8bd4",
    "on demand": "#2f9e6e",
    "a route learned": "#9b6fd1",
}
GREY: Final = "#808080"
"""Readable on white and on black."""


def collected(conditions: str, measured: Iterable[Measured]) -> dict[str, Any]:
    """All figures: the laws with their values, and the measurements."""
    return {
        "conditions": conditions,
        "pods_of_each_host": PODS,
        "counted": {name: _values(counted(design)) for name, design in DESIGNS.items()},
        "networks": {name: _values(counted(design)) for name, design in NETWORKS.items()},
        "measured": [measurement.as_json() for measurement in measured],
    }


def _values(found: Any) -> dict[str, Any]:
    sizes = [Size(hosts, PODS) for hosts in HOSTS]
    return {
        "laws": {kind: str(law) for kind, law in found.sent.items()},
        "all": str(found.all()),
        "from_above": str(found.from_above()),
        "received": str(found.received),
        "hosts": list(HOSTS),
        "messages": [found.messages(size) for size in sizes],
        "bytes": [found.bytes(size) for size in sizes],
    }


def read() -> dict[str, Any]:
    """The data in `DATA`."""
    data: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return data


def keep(data: Mapping[str, Any]) -> None:
    """Writes the data, the picture, and the table in the README."""
    DATA.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(data), encoding="utf-8")
    put_part(DOCUMENT, "scale", markdown(data))


# -------------------------------------------------------------------------------------------------------- table


def rows(data: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the table by design: the laws of one change, and the measurement with the most agents."""
    largest = data["measured"][-1] if data["measured"] else {"changes": {}}
    found: list[tuple[str, ...]] = []
    for name, values in data["counted"].items():
        at = values["hosts"].index(1_000)
        change = largest["changes"].get(name)
        took = "not measured"
        if change is not None:
            messages, milliseconds = sum(change["messages"].values()), 1000 * change["seconds"]
            took = f"{messages:,g}, {change['bytes']:,.0f}, {milliseconds:,.0f} ms"
        found.append(
            (
                name,
                values["all"],
                values["from_above"],
                values["received"],
                f"{values['messages'][at]:,}, {values['bytes'][at]:,}",
                took,
            )
        )
    return found


def heads(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The column headings."""
    agents = data["measured"][-1]["agents"] if data["measured"] else 0
    return (
        "for one pod that comes",
        "messages published",
        "by DPM and NCM",
        "received by agents",
        "at 1,000 hosts: messages, bytes",
        f"measured, {agents:,} agents: messages, bytes, time",
    )


def markdown(data: Mapping[str, Any]) -> str:
    """Table and picture as they stand in the document."""
    network = {name: values["all"] for name, values in data["networks"].items()}
    sizes = ", ".join(f"{item['agents']:,}" for item in data["measured"])
    return (
        "![Messages and bytes for one change, and messages for a whole network, against its size](scale.svg)\n\n"
        f"{table(heads(data), rows(data))}\n"
        f"h hosts have p pods each. Messages are counted in runs of the statement up to {COUNTED_TO} hosts, where each law holds "
        "exactly, and extrapolated by the laws. Bytes are payloads in our own encoding, with equivalent content in every design. "
        f"All pods of a network together take {network['push to all']} messages where every host is told, "
        f"{network['on demand']} on demand, and {data['counted']['a route learned']['all']} for each route that is needed.\n\n"
        f"The dots are measurements of DPM, NCM and agents in one process, with {data['pods_of_each_host']} pods at each of "
        f"{sizes} hosts. The agents share an identity and a connection and keep nothing on disk. What is pushed to all, and what "
        "the queue publishes, is a revision of what the VPC's hosts share, without NCM: "
        f"{len(REVISION)} bytes of content, where the laws count {len(PLACEMENT)}. {data['conditions']}.\n"
    )


# ------------------------------------------------------------------------------------------------------ picture


def drawn(data: Mapping[str, Any]) -> str:
    """The picture as SVG: lines for the laws, dots for measurements, on logarithmic axes. Deterministic."""
    settings: dict[Any, Any] = {
        "svg.hashsalt": "scale",
        "svg.fonttype": "none",
        "font.size": 9,
        "font.family": "sans-serif",
        "text.color": GREY,
        "axes.edgecolor": GREY,
        "axes.labelcolor": GREY,
        "xtick.color": GREY,
        "ytick.color": GREY,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(11, 3.9), layout="constrained")
        figure.suptitle(
            "What is told to all costs more with every host; on demand costs the same. (Lines: by the laws; dots: measured.)",
            x=0.01,
            ha="left",
        )
        messages, sizes, networks = figure.subplots(1, 3)
        _change(messages, data, "messages", "messages for one change")
        _change(sizes, data, "bytes", "bytes for one change")
        _networks(networks, data)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _change(axes: Axes, data: Mapping[str, Any], what: str, title: str) -> None:
    ends = {}
    for name, values in data["counted"].items():
        axes.plot(values["hosts"], values[what], color=COLORS[name], linewidth=1.6)
        ends[name] = (values["hosts"][-1], values[what][-1])
    for item in data["measured"]:
        for name, change in item["changes"].items():
            amount = sum(change["messages"].values()) if what == "messages" else change["bytes"]
            axes.plot([item["agents"]], [amount], "o", color=COLORS[name], markersize=4)
    _finish(axes, title, "hosts", ends)


def _networks(axes: Axes, data: Mapping[str, Any]) -> None:
    ends = {}
    for name, values in data["networks"].items():
        ports = [hosts * data["pods_of_each_host"] for hosts in values["hosts"]]
        axes.plot(ports, values["messages"], color=COLORS[name], linewidth=1.6)
        ends[name] = (ports[-1], values["messages"][-1])
    _finish(axes, "messages until all ports are there", f"ports ({data['pods_of_each_host']} at each host)", ends)


def _finish(axes: Axes, title: str, along: str, ends: Mapping[str, tuple[int, int]]) -> None:
    """Sets up the axes, and labels the lines at their ends, without overlaps."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(along)
    axes.grid(visible=True, color=GREY, alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02)
    low, high = axes.get_ylim()
    apart = (high / low) ** 0.06
    height = 0.0
    for name, (at, end) in sorted(ends.items(), key=lambda entry: entry[1]):
        height = max(end, height * apart)
        axes.annotate(
            name,
            (at, height),
            xytext=(5, 0),
            textcoords="offset points",
            color=COLORS[name],
            va="center",
            annotation_clip=False,
            fontsize=8.5,
        )
