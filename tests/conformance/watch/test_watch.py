"""A watch takes lines as they arrive, stops at the first that does not fit, and resumes where an earlier one ended."""

from __future__ import annotations

import json
import random
import signal
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.logs.explanation import explain
from conformance.logs.fleet import record_in_memory
from conformance.logs.names import LOGGED
from conformance.logs.reading import Record
from conformance.logs.validate import Validation
from conformance.logs.verdict import Verdict
from conformance.watch import checkpoint as checkpoints
from conformance.watch.metrics import address_of, offered
from conformance.watch.streams import FileSource
from conformance.watch.watch import Watch
from impl.cli.exits import Problem
from tests.conformance.cli.test_commands import Command, ondemand
from tests.ports import free_port

__all__ = ["ondemand"]

OPTIONS = {"window": 100_000}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """The lines of a small fleet, by file."""
    folder = tmp_path_factory.mktemp("fleet")
    made = record_in_memory(folder, 4_000, agents=6)
    return {path.name: path.read_bytes().splitlines(keepends=True) for path in made.files}


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """Signal handlers as a foreground program has them, wherever the tests run."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler), signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)


class Growing:
    """A folder of logs that grow line by line."""

    def __init__(self, folder: Path, lines: dict[str, list[bytes]], seed: int = 1) -> None:
        self.folder = folder
        self._left = {name: list(some) for name, some in lines.items()}
        self._random = random.Random(seed)

    def grow(self, count: int) -> bool:
        """Appends lines of random processes, some in two parts; returns whether there were any."""
        for _ in range(count):
            names = [name for name, some in self._left.items() if some]
            if not names:
                return False
            name = self._random.choice(names)
            line = self._left[name].pop(0)
            if self._random.random() < 0.1 and len(line) > 20:
                self._left[name].insert(0, line[20:])
                line = line[:20]
            with (self.folder / name).open("ab") as file:
                file.write(line)
        return True


def watch_of(folder: Path, checkpoint: Path | None = None, without: Sequence[str] = ()) -> Watch:
    """A watch of a folder, resumed from the checkpoint if there is one."""
    # State that only DPM has cannot be inferred, so the message queue would be inconclusive.
    validation = Validation(protocols=LOGGED[:1] if without else LOGGED, without=without)
    kept = checkpoints.read(checkpoint, OPTIONS) if checkpoint is not None else None
    positions = kept.positions if kept is not None else {}
    if kept is not None:
        checkpoints.resumed(kept, validation)
    source = FileSource([folder], positions)
    return Watch(source, validation, checkpoint=checkpoint, options=OPTIONS, positions=positions)


def until_caught_up(watch: Watch) -> Verdict | None:
    return watch.run(lambda: not watch.caught_up)


def without_seconds(verdict: Verdict) -> dict[str, object]:
    return {**verdict.as_json(), "seconds": None}


def test_lines_are_taken_as_they_arrive_in_any_pieces(deployment: dict[str, list[bytes]], tmp_path: Path) -> None:
    growing = Growing(tmp_path, deployment)
    watch = watch_of(tmp_path)
    most = 0
    while growing.grow(97):
        assert until_caught_up(watch) is None
        most = max(most, watch.validation.causal_order.waiting)
    assert until_caught_up(watch) is None
    assert most > 0, "no line ever had to wait for another process"
    verdict = watch.validation.finish()
    assert verdict.verdict == "conforms"
    assert verdict.events == sum(map(len, deployment.values()))


@pytest.mark.parametrize("without", [(), ("dpm",)])
def test_a_resumed_watch_reports_the_same_as_an_uninterrupted_one(
    deployment: dict[str, list[bytes]], tmp_path: Path, without: Sequence[str]
) -> None:
    """Also with inferred steps of a process without a log."""
    logs = tmp_path / "logs"
    logs.mkdir()
    checkpoint = tmp_path / "watch.json"
    growing = Growing(logs, {name: some for name, some in deployment.items() if name.split(".")[0] not in without}, 2)
    while growing.grow(301):
        watch = watch_of(logs, checkpoint, without)
        assert until_caught_up(watch) is None
        watch.save()
        watch.round()  # lines read after the checkpoint are lost with this watch
    resumed = watch_of(logs, checkpoint, without)
    assert until_caught_up(resumed) is None
    whole = watch_of(logs, None, without)
    assert until_caught_up(whole) is None
    assert without_seconds(resumed.validation.finish()) == without_seconds(whole.validation.finish())
    assert resumed.positions == whole.positions
    assert any(kind.startswith("put in") for kind in resumed.noted) == bool(without)


def test_a_checkpoint_of_a_resumed_watch_is_the_same(deployment: dict[str, list[bytes]], tmp_path: Path) -> None:
    """Nothing is lost, including the line number at which a message was sent."""
    for name, lines in deployment.items():
        (tmp_path / name).write_bytes(b"".join(lines[: 2 * len(lines) // 3]))
    watch = watch_of(tmp_path)
    assert until_caught_up(watch) is None
    assert watch.validation.causal_order.waiting > 0
    first = checkpoints.saved(watch.validation, watch.positions, OPTIONS)
    again = Validation()
    checkpoints.resumed(first, again)
    second = checkpoints.saved(again, watch.positions, OPTIONS)
    assert in_order(second) == in_order(first)


def in_order(checkpoint: checkpoints.Checkpoint) -> dict[str, Any]:
    """The content of a checkpoint with sorted sets."""
    found: dict[str, Any] = msgspec.to_builtins(checkpoint)
    for tables in found["tables"].values():
        tables["entries"] = {name: sorted(some, key=repr) for name, some in tables["entries"].items()}
    return found


def test_a_divergence_after_a_checkpoint_is_explained_as_without_one(
    deployment: dict[str, list[bytes]], tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    ncm = deployment["ncm.ndjson"]
    grants = [number for number, line in enumerate(ncm) if b"on-demand.grant" in line]
    place = grants[len(grants) // 2]
    line = json.loads(ncm[place])
    line["attributes"]["version"] += 5
    changed = {**deployment, "ncm.ndjson": [*ncm[:place], json.dumps(line).encode() + b"\n", *ncm[place + 1 :]]}
    checkpoint = tmp_path / "watch.json"
    growing = Growing(logs, changed, seed=3)
    found = None
    while found is None and growing.grow(200):
        watch = watch_of(logs, checkpoint)
        found = until_caught_up(watch)
        watch.save()  # a stopped watch writes no checkpoint
    assert checkpoint.exists()
    again = until_caught_up(watch_of(logs, checkpoint))
    whole = until_caught_up(watch_of(logs))
    for item in (found, again, whole):
        assert item is not None
        assert item.divergence is not None
        assert (item.divergence.record.file, item.divergence.record.number) == (str(logs / "ncm.ndjson"), place + 1)
    assert explained(again) == explained(whole)


def explained(verdict: Verdict | None) -> dict[str, object]:
    assert verdict is not None
    assert verdict.divergence is not None
    return {**explain(verdict.divergence).as_json(), "seconds": None}


def test_a_watch_that_ends_before_it_has_read_anything_keeps_how_far_the_logs_were_read(
    deployment: dict[str, list[bytes]], tmp_path: Path
) -> None:
    logs, checkpoint = tmp_path / "logs", tmp_path / "watch.json"
    logs.mkdir()
    (logs / "ncm.ndjson").write_bytes(b"".join(deployment["ncm.ndjson"][:5]))
    first = watch_of(logs, checkpoint)
    first.round()
    first.save()
    watch_of(logs, checkpoint).save()
    last = watch_of(logs, checkpoint)
    assert last.round() == 0
    assert last.positions == first.positions


def test_the_command_ends_with_the_explanation_at_the_first_wrong_line(
    deployment: dict[str, list[bytes]], tmp_path: Path, ondemand: Command
) -> None:
    for name, lines in deployment.items():
        (tmp_path / name).write_bytes(b"".join(lines))
    done = ondemand("watch", tmp_path, "--once")
    assert (done.code, "Conforms" in done.out) == (0, True), done
    host = next(tmp_path.glob("host-*.ndjson"))
    lines = host.read_bytes().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if b'"on-demand.learn"' in line)
    line = json.loads(lines[place])
    line["attributes"]["version"] += 1
    lines[place] = json.dumps(line).encode() + b"\n"
    host.write_bytes(b"".join(lines))
    out, page = tmp_path / "out.json", tmp_path / "why.html"
    done = ondemand("watch", tmp_path, "--once", "--json", out, "--html", page)
    assert done.code == 1, done
    result = json.loads(out.read_text(encoding="utf-8"))
    assert (result["verdict"], result["divergence"]["line"]) == ("diverges", place + 1)
    assert result["explanation"]["candidates"]
    assert "".join(f"{host}, line {place + 1}:".split()) in "".join(done.out.split())
    assert f"line {place + 1}" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_interrupted_in_the_middle_of_a_round_loses_no_line(
    deployment: dict[str, list[bytes]],
    tmp_path: Path,
    ondemand: Command,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    logs, checkpoint = tmp_path / "logs", tmp_path / "watch.json"
    logs.mkdir()
    for name, lines in deployment.items():
        (logs / name).write_bytes(b"".join(lines))
    whole = ondemand("watch", logs, "--once", "--json", tmp_path / "whole.json")
    assert whole.code == 0, whole
    feed, before = Validation.feed, signal.getsignal(number)
    monkeypatch.setattr("conformance.watch.watch.ROUND_LINES", 500)
    for line in (1, 37, 300):
        left = line

        def told_to_end(validation: Validation, record: Record) -> Verdict | None:
            nonlocal left
            if signal.getsignal(number) is not before:  # earlier calls feed the lines that waited at the checkpoint
                left -= 1
            if left == 0:
                signal.raise_signal(number)
            return feed(validation, record)

        with monkeypatch.context() as patched:
            patched.setattr(Validation, "feed", told_to_end)
            done = ondemand("watch", logs, "--checkpoint", checkpoint, "--once")
        assert (done.code, "conforms so far" in done.err) == (128 + number, True), done
    last = ondemand("watch", logs, "--once", "--checkpoint", checkpoint, "--json", tmp_path / "last.json")
    assert last.code == 0, last
    results = [json.loads((tmp_path / name).read_text(encoding="utf-8")) for name in ("whole.json", "last.json")]
    assert results[0]["events"] == results[1]["events"] == sum(map(len, deployment.values()))


@pytest.mark.usefixtures("usual_signals")
def test_a_second_interrupt_ends_a_watch_at_once_and_leaves_the_checkpoint_as_it_was(
    deployment: dict[str, list[bytes]], tmp_path: Path, ondemand: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = tmp_path / "watch.json"
    for name, lines in deployment.items():
        (tmp_path / name).write_bytes(b"".join(lines))
    feed, fed = Validation.feed, 0

    def told_to_end_twice(validation: Validation, record: Record) -> Verdict | None:
        nonlocal fed
        fed += 1
        if fed in (50, 60):
            signal.raise_signal(signal.SIGINT)
        return feed(validation, record)

    monkeypatch.setattr(Validation, "feed", told_to_end_twice)
    done = ondemand("watch", tmp_path, "--checkpoint", checkpoint, "--once")
    assert (done.code, fed, checkpoint.exists()) == (130, 60, False), done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_metrics_agree_with_the_watch(deployment: dict[str, list[bytes]], tmp_path: Path) -> None:
    for name, lines in deployment.items():
        (tmp_path / name).write_bytes(b"".join(lines))
    watch = watch_of(tmp_path)
    port = free_port()
    with offered(watch, ("127.0.0.1", port)):
        assert metrics_of(port)["ondemand_watch_lines_total"] == 0
        assert until_caught_up(watch) is None
        found = metrics_of(port)
    assert found["ondemand_watch_lines_total"] == sum(map(len, deployment.values()))
    assert found["ondemand_watch_waiting_lines"] == 0
    assert found["ondemand_watch_processes"] == len(deployment)
    assert found['ondemand_watch_verdict{verdict="conforms"}'] == 1
    assert found['ondemand_watch_noted_total{kind="message.ignored"}'] == watch.validation.counts["message.ignored"]


def metrics_of(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    lines: Iterator[str] = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: does not exist; name a log, or a folder of logs"),
        ([], "PULSAR_URL is not set"),
        (
            [".", "--metrics", "here"],
            "--metrics: invalid address 'here'; expected HOST:PORT, or PORT for this machine only",
        ),
        ([".", "--since", "2025-01-31"], "--since needs the event topics of a broker"),
        ([".", "--protocol", "slots"], "--protocol: slots has no event logs; choose one of "),
        ([".", "--checkpoint", "no.json"], "no.json: is not a checkpoint of a watch"),
    ],
)
def test_bad_usage_is_reported_in_a_sentence(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ondemand: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PULSAR_URL", raising=False)
    (tmp_path / "no.json").write_text("{}", encoding="utf-8")
    done = ondemand("watch", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_checkpoint_of_another_watch_is_refused(deployment: dict[str, list[bytes]], tmp_path: Path) -> None:
    (tmp_path / "ncm.ndjson").write_bytes(b"".join(deployment["ncm.ndjson"][:5]))
    checkpoint = tmp_path / "watch.json"
    watch = watch_of(tmp_path, checkpoint)
    watch.round()
    watch.save()
    with pytest.raises(Problem, match="belongs to a watch with window 100000, not 5"):
        checkpoints.read(checkpoint, {"window": 5})
    text = checkpoint.read_text(encoding="utf-8").replace(LOGGED[0].digest(), "0" * 64)
    checkpoint.write_text(text, encoding="utf-8")
    with pytest.raises(Problem, match="belongs to another version of on-demand; remove it to start over"):
        checkpoints.read(checkpoint, OPTIONS)


def test_a_shrinking_log_and_an_invalid_line_are_reported_with_their_place(
    deployment: dict[str, list[bytes]], tmp_path: Path
) -> None:
    log = tmp_path / "ncm.ndjson"
    log.write_bytes(b"".join(deployment["ncm.ndjson"][:5]))
    watch = watch_of(tmp_path)
    assert watch.round() == 5
    with log.open("ab") as file:
        file.write(b'{"service.instance.id": 5}\n')
    with pytest.raises(Problem, match=r"ncm\.ndjson:6: run: is missing; every event has it|ncm\.ndjson:6: "):
        watch.round()
    log.write_bytes(b"".join(deployment["ncm.ndjson"][:2]))
    with pytest.raises(Problem, match="is shorter than the part already read; watch a log that is only appended to"):
        watch.round()


def test_addresses_of_metrics() -> None:
    assert address_of("9100") == ("127.0.0.1", 9100)
    assert address_of("0.0.0.0:9100") == ("0.0.0.0", 9100)  # noqa: S104 - an address that users may choose
