"""The likely mistakes of a user: each is answered in one sentence that names the place and the remedy, and writes nothing.

In a sentence, … stands for any text: what another package says about the same place.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import configurations
from conformance.cli import docs, replay
from conformance.documents import findings_page
from conformance.evidence import gathering
from conformance.protocols import named, variant_of
from conformance.replay.replays import Replays, Vector, read_vectors, trace_files, vectors_of
from impl.cli.exits import Exit, Problem
from model.bad_input import BadInput
from model.reference import itf
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.cli.test_commands import Command, ondemand
from tests.conformance.cli.test_specification import ondemand as ondemand_in
from tests.conformance.cli.test_specification import own

__all__ = ["ondemand", "own"]

TWO_HOSTS = configurations.path_of("two-hosts", PROTOCOL).read_text(encoding="utf-8")
VECTOR, *_ = trace_files(vectors_of(PROTOCOL))
SLOTS, *_ = trace_files(vectors_of(named("slots")))

BROKER = "PULSAR_URL is not set; start a broker with `ondemand broker up`, and load the settings that it writes"
PROTOCOLS = "on-demand, small-networks, message-queue, slots, failover"
COMMANDS = (
    "check, prove, explore, bounded, live, simulate, replay, shrink, unexercised, record, validate, watch and 15 more"
)


def changed(**meta: object) -> str:
    """A vector with something changed in its description."""
    (vector,) = read_vectors([VECTOR], PROTOCOL)
    data = json.loads(itf.dumps(vector.trace, PROTOCOL))
    data["#meta"].update(meta)
    return json.dumps(data)


def of_another_statement() -> str:
    """A vector with an action that this statement does not have."""
    (vector,) = read_vectors([VECTOR], PROTOCOL)
    data = json.loads(itf.dumps(vector.trace, PROTOCOL))
    data["states"][1]["mbt::actionTaken"] = "fly"
    return json.dumps(data)


FILES: Mapping[str, Callable[[], str]] = {
    "zero.toml": lambda: TWO_HOSTS.replace("Version = 1", "Version = 0"),
    "unfinished.toml": lambda: TWO_HOSTS.replace("Version = 1", "Version ="),
    "sort.toml": lambda: TWO_HOSTS.replace("Host =", "Hots =", 1),
    "text.itf.json": lambda: "hello\n",
    "step.itf.json": lambda: changed(diverges_at=1000),
    "fly.itf.json": of_another_statement,
    "empty.ndjson": lambda: "",
    "text.ndjson": lambda: "hello\n",
    "agent.json": lambda: "{}",
    "token": lambda: "a.b.c",
    "key": lambda: "k" * 64,
}
"""What stands in the present folder."""

CLOSED: Mapping[str, str] = {
    "PULSAR_URL": "pulsar://127.0.0.1:1",
    "PULSAR_ADMIN_URL": "http://127.0.0.1:1",
    "PULSAR_ADMIN_TOKEN_FILE": "token",
    "PULSAR_SIGNING_KEY_FILE": "key",
}
"""The settings of a broker that does not run."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with a folder and files in it, and without the settings of a broker."""
    for name in CLOSED:
        monkeypatch.delenv(name, raising=False)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text(), encoding="utf-8")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snapshot(folder: Path) -> dict[Path, bytes]:
    """All files with their contents."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def says(line: str, sentence: str) -> bool:
    """Whether a line is this sentence, with any text for …"""
    return re.fullmatch(".*".join(map(re.escape, sentence.split("…"))), line) is not None


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        # usage
        (
            "chek",
            f"ondemand: unknown command 'chek' (did you mean check?); choose one of {COMMANDS}; see ondemand --help",
        ),
        (
            "run nmc",
            "ondemand run: unknown command 'nmc' (did you mean ncm?); choose one of aca, dpm, ncm; see ondemand run --help",
        ),
        (
            "explore --confg x",
            "ondemand explore: No such option '--confg' (did you mean one of: '--config', '--json'?); see ondemand explore --help",
        ),
        ("shrink", "ondemand shrink: Missing argument 'TRACE'; see ondemand shrink --help"),
        ("run aca", "ondemand run aca: Missing option '--credentials'; see ondemand run aca --help"),
        (
            "simulate --runs -1",
            "ondemand simulate: Invalid value for '--runs': -1 is not in the range x>=1; see ondemand simulate --help",
        ),
        (
            "bounded --steps -1",
            "ondemand bounded: Invalid value for '--steps': -1 is not in the range x>=0; see ondemand bounded --help",
        ),
        (
            "broker up --port 99999",
            "ondemand broker up: Invalid value for '--port': 99999 is not in the range 0<=x<=65535; see ondemand broker up --help",
        ),
        (
            "run ncm --journal --state x",
            "ondemand run ncm: --state names a file, but --journal keeps the state at the broker; leave one of them out; "
            "see ondemand run ncm --help",
        ),
        (
            "run dpm --source 127.0.0.1",
            "ondemand run dpm: --source needs --direct grpc; add that, or leave the option out; see ondemand run dpm --help",
        ),
        (
            "run dpm --listen 127.0.0.1",
            "ondemand run dpm: No such option '--listen' (did you mean '--state'?); see ondemand run dpm --help",
        ),
        (
            "record --out - --json -",
            "ondemand record: --out - and --json - both use standard output; name a file for one of them; see ondemand record "
            "--help",
        ),
        (
            "watch folder --since 2025-01-01",
            "ondemand watch: --since needs the event topics of a broker; files are watched from their beginning, so leave it or "
            "LOGS out; see ondemand watch --help",
        ),
        (
            "replay --target alcor://127.0.0.1:1 --shrink",
            "--shrink and --faulty: not possible with --target alcor://127.0.0.1:1; leave them out",
        ),
        ("show", "TRACE is missing; name a trace file, or print the protocol with --tla"),
        ("show --tla text.itf.json", "--tla: prints the protocol; leave TRACE and its options out"),
        # names
        (
            "prove --protocol on_demnd",
            f"unknown protocol 'on_demnd' (did you mean on-demand?); choose one of {PROTOCOLS}",
        ),
        (
            "replay --protocol small-networks",
            "--protocol: small-networks is not replayed in this way; choose one of failover, message-queue, on-demand, slots",
        ),
        (
            "replay --shrink --protocol slots",
            "--protocol: slots is not replayed in this way; choose one of message-queue, on-demand",
        ),
        (
            "unexercised --protocol slots",
            "--protocol: slots is not replayed in this way; choose one of message-queue, on-demand",
        ),
        ("unexercised --protocol x", "unknown protocol 'x'; choose one of message-queue, on-demand"),
        (
            "validate --protocol slots text.ndjson",
            "--protocol: slots has no event logs; choose one of on-demand, message-queue",
        ),
        (
            "explore --config two-host",
            "unknown configuration 'two-host' (did you mean two-hosts?); choose one of late-messages, … and … more, "
            "or a TOML file",
        ),
        *(
            (
                f"{command} --config two-hosts --config folder/two-hosts.toml",
                "--config folder/two-hosts.toml: the configuration two-hosts is called two-hosts too; rename one of them, …",
            )
            for command in ("explore", "live", "bounded")
        ),
        (
            "explore --config folder/x.toml --config other/x.toml",
            "--config other/x.toml: the configuration folder/x.toml is called x too; rename one of them, or leave it out",
        ),
        (
            "prove --variant pushes_to_al",
            "unknown variant 'pushes_to_al' (did you mean pushes_to_all?); choose one of answers_another_host, … and … more",
        ),
        (
            "prove --variant pushes_to_all --protocol slots",
            "--variant pushes_to_all belongs to on-demand and not to slots; leave --protocol out",
        ),
        ("replay --faulty never_evict", "…'never_evict' (did you mean never_evicts?); choose one of … and … more"),
        (
            "golden vectros",
            "unknown part or protocol 'vectros' (did you mean vectors?); choose one of wire, counts, vectors, variants, lassos, "
            "witnesses, schema, docs, on-demand, small-networks, message-queue, slots and 1 more",
        ),
        ("step --mermaid route", "…unknown lifecycle 'route' (did you mean route_state?); choose one of …"),
        # files
        ("show none.itf.json", "none.itf.json: …"),
        ("show folder", "folder: is a folder; name one trace file in it"),
        ("replay none.itf.json", "none.itf.json: …"),
        ("replay folder", "folder: …"),
        ("replay text.itf.json", "text.itf.json: line 1: …"),
        ("replay step.itf.json", "step.itf.json: #meta.diverges_at: …"),
        ("replay fly.itf.json", 'fly.itf.json: step 1: mbt::actionTaken: …"fly"…'),
        (
            f"shrink {SLOTS}",
            "…: a trace of slots, which is not replayed in this way; name a trace of message-queue or on-demand",
        ),
        (f"replay --protocol message_queue {VECTOR}", "…: a trace of on-demand; leave --protocol message-queue out"),
        ("validate empty.ndjson", "empty.ndjson: …"),
        ("validate text.ndjson", "text.ndjson:1: …"),
        ("validate none.ndjson", "none.ndjson: …"),
        ("validate folder", "folder: …"),
        ("validate text.ndjson text.ndjson", "text.ndjson is named twice; name each log once"),
        ("run aca --credentials none.json", "none.json: … `ondemand host add`"),
        ("run aca --credentials agent.json", "agent.json: … `ondemand host add`"),
        (
            "prove --json none/prove.json",
            "ondemand prove: Invalid value for '--json': the folder none does not exist; create it, or name another file; "
            "see ondemand prove --help",
        ),
        (
            "prove --json folder",
            "ondemand prove: Invalid value for '--json': folder is a folder; name a file in it; see ondemand prove --help",
        ),
        (
            "explore --config zero.toml --save x.scenario",
            "--save x.scenario: a scenario needs a named configuration; name an ITF file (*.itf.json)",
        ),
        # configurations
        ("explore --config none.toml", "none.toml: …"),
        ("explore --config unfinished.toml", "unfinished.toml: … line 11, …"),
        ("explore --config zero.toml", "zero.toml, line 11: bounds.Version: … 1 to 255, found 0"),
        ("explore --config sort.toml", "sort.toml, line 4: sorts: …Host, Pod, Vpc, Request, found …Hots…"),
        # brokers
        ("host add h1", BROKER),
        ("record", BROKER),
        ("watch", BROKER),
        ("run ncm", BROKER),
        ("run dpm", BROKER),
        ("slots dpm", BROKER),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(command: str, sentence: str, ondemand: Command, folder: Path) -> None:
    before = snapshot(folder)
    ended = ondemand(*command.split())
    assert (ended.code, ended.out) == (Exit.BAD_INPUT, "")
    (line,) = ended.err.splitlines()
    assert says(line, sentence), line
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            "fly h1\n",
            "standard input, line 1: unknown action 'fly'; choose one of place, … and 20 more; ? prints the commands",
        ),
        (
            "# a comment\nplace p1 h9\n",
            "standard input, line 2: host: expected one of h1, h2, found 'h9'; ? prints the commands",
        ),
        (
            "place p1\n",
            "standard input, line 1: place: expected 2 arguments, found 1; write place pod host; ? prints the commands",
        ),
        ("w none/x.itf.json\n", "none/x.itf.json: cannot be written (No such file or directory); name another file"),
    ],
)
def test_a_line_that_is_wrong_is_named(lines: str, sentence: str, ondemand: Command, folder: Path) -> None:
    before = snapshot(folder)
    ended = ondemand("step", stdin=lines)
    assert ended.code == Exit.BAD_INPUT
    (line,) = ended.err.splitlines()
    assert says(line, sentence), line
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("command", "settings", "code", "sentence"),
    [
        ("host add h1", CLOSED, Exit.ENVIRONMENT, "…127.0.0.1:1…"),
        ("record", CLOSED, Exit.ENVIRONMENT, "…127.0.0.1:1…"),
        (
            "host add h1",
            {"PULSAR_URL": "pulsar://127.0.0.1:1"},
            Exit.BAD_INPUT,
            "PULSAR_URL is set and PULSAR_ADMIN_URL is not; …",
        ),
        ("host add H_1", CLOSED, Exit.BAD_INPUT, "…'H_1'…"),
        ("run ncm --state none/ncm.sqlite", CLOSED, Exit.BAD_INPUT, "none/ncm.sqlite: …"),
        (
            "run ncm --events none/ncm.ndjson",
            CLOSED,
            Exit.BAD_INPUT,
            "ondemand run ncm: Invalid value for '--events': the folder none does not exist; create it, or name another file; "
            "see ondemand run ncm --help",
        ),
    ],
)
def test_what_a_broker_is_needed_for_says_what_is_missing(
    command: str,
    settings: Mapping[str, str],
    code: Exit,
    sentence: str,
    ondemand: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    before = snapshot(folder)
    ended = ondemand(*command.split())
    assert (ended.code, ended.out) == (code, "")
    (line,) = ended.err.splitlines()
    assert says(line, sentence), line
    assert snapshot(folder) == before


def test_a_port_in_use_is_named(ondemand: Command, folder: Path) -> None:
    before = snapshot(folder)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = ondemand("broker", "up", "--port", port, "--folder", "broker")
    assert (ended.code, ended.out) == (Exit.ENVIRONMENT, "")
    (line,) = ended.err.splitlines()
    assert says(line, f"Port {port} …"), line
    assert snapshot(folder) == before


def test_a_stale_document_is_named_with_the_command_that_writes_it(
    ondemand: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docs, "is_current", lambda file, text: file.parent.name != "slots")
    ended = ondemand("docs", "--check")
    assert (ended.code, ended.out) == (Exit.VIOLATED, "")
    assert ended.err == "spec/slots/protocol.md is stale. Run `ondemand docs`.\n"


@pytest.mark.parametrize(
    ("variant", "part", "called"),
    [("shares_a_slot", "variants", "counterexamples of variants"), ("keeps_for_later", "lassos", "lassos")],
)
def test_documents_of_stale_runs_are_not_written(
    variant: str, part: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path, *_: object) -> list[Vector]:
        raise BadInput(f"{path.name}: line 5: place(p1, h1) is not enabled")

    monkeypatch.setattr(findings_page, "read_vectors", lambda paths, *_: read(paths[0]))
    protocol, stated = variant_of(variant)
    with pytest.raises(Problem) as raised:
        findings_page.shown.__wrapped__(stated)
    assert says(
        str(raised.value),
        f"The {called} of {protocol.name} are stale: they are runs of an earlier statement (…: line 5: place(p1, h1) is not "
        f"enabled). Run `ondemand golden {part} {protocol.name}`.",
    )
    assert raised.value.code is Exit.BAD_INPUT


def test_stale_vectors_are_not_replayed(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(paths: list[Path], *_: object, **__: object) -> list[Vector]:
        if paths[0].parent.name == "found":
            raise BadInput(f"{paths[0].name}: line 5: place(p1, h1) is not enabled")
        return []

    monkeypatch.setattr(gathering, "read_vectors", read)
    for command in ("replay", "unexercised", "vectors --out none"):
        ended = ondemand(*command.split())
        assert (ended.code, ended.out) == (Exit.BAD_INPUT, "")
        assert ended.err.endswith(
            "The vectors of on-demand are stale: they are runs of an earlier statement (01-two-sources.scenario: line 5: "
            "place(p1, h1) is not enabled). Run `ondemand golden vectors on-demand`.\n"
        )


def test_stale_vectors_that_can_be_replayed_are_named(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = [
        *trace_files(vectors_of(named("message-queue")) / "negative"),
        vectors_of(named("message-queue")) / "a-group-alone-makes-a-vpc-large.scenario",
    ]
    monkeypatch.setattr(gathering, "trace_files", lambda folder: fewer)
    monkeypatch.setattr(replay, "replay_all", lambda vectors, *_, **__: Replays("memory"))
    ended = ondemand("replay", "--protocol", "message_queue")
    assert ended.code == Exit.UNDECIDED
    assert says(
        ended.err,
        "The vectors of message-queue are stale: none of them takes remove_port, … and 2 more. "
        "Run `ondemand golden vectors message-queue`.\n",
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("recorded(pod) < version]", "recorded(pod, version) < version]", "spec/on_demand/ncm.py, line {}: …2…"),
        ("to=Change.superseded)", "to=Change.supersedet)", "spec/on_demand/ncm.py, line {}: …'supersedet'…"),
        ("NEVER = Epoch.of(0)", "NEVER = Epoch.of(0", "spec/on_demand/ncm.py, line {}: '(' was never closed"),
    ],
    ids=["arity", "state", "syntax"],
)
def test_a_specification_that_is_wrong_is_named_with_file_and_line(
    old: str, new: str, sentence: str, own: Path
) -> None:
    file = own / "spec" / "on_demand" / "ncm.py"
    text = file.read_text(encoding="utf-8")
    number = text[: text.index(old)].count("\n") + 1
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    before = snapshot(own)
    ended = ondemand_in(own, "--spec", "spec", "golden", "counts", "on-demand")
    assert (ended.code, ended.out) == (Exit.BAD_INPUT, "")
    (line,) = ended.err.splitlines()
    assert says(line, sentence.format(number)), line
    assert snapshot(own) == before


@pytest.mark.parametrize("command", ["explore", "live"])
def test_where_there_is_no_configuration_nothing_is_green(
    command: str, ondemand: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configurations, "names", lambda protocol: [])
    monkeypatch.setattr(configurations, "live_names", lambda protocol: [])
    ended = ondemand(command, "--protocol", "slots")
    assert (ended.code, ended.out) == (Exit.UNDECIDED, "")
    assert ended.err == "slots has no configuration for this, so nothing is decided: name one with --config\n"


def test_where_there_is_no_eventuality_nothing_is_green(
    ondemand: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = replace(named("slots"), eventualities=())
    monkeypatch.setattr(configurations, "meant", lambda *names: slots)
    ended = ondemand("live", "--config", "coming-back")
    assert (ended.code, ended.out) == (Exit.UNDECIDED, "")
    assert ended.err == "slots states no eventuality, so nothing is decided\n"
