"""The services on Alcor's wire as users run them: separate processes, which may be killed at any moment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.impl.service.programs import Program, ondemand
from tests.impl.transport.grpc.certificates import Authority
from tests.impl.transport.grpc.network import block
from tests.ports import free_port


class OnWire(Program):
    """One service on Alcor's wire."""

    def __init__(self, name: str, folder: Path, *arguments: str) -> None:
        super().__init__(name, folder, dict(os.environ), *arguments)
        self._command = ondemand("alcor", *arguments, "--state", str(folder / f"{name}.sqlite"))


@contextmanager
def running(*programs: Program) -> Iterator[None]:
    """Running programs, which are always killed at the end."""
    try:
        for program in programs:
            program.start()
        yield
    finally:
        for program in programs:
            program.end()


def test_by_address_a_first_packet_is_forwarded_and_nothing_accepted_is_lost(tmp_path: Path) -> None:
    """NCM is killed after the first packet; its state is there when it returns."""
    net = block()
    ncm_at = f"{net}.100:{free_port()}"
    common = ["--identity", "address", "--agent-port", str(free_port())]
    ncm = OnWire("ncm", tmp_path, "ncm", ncm_at, *common, "--dpm", f"{net}.101")
    dpm = OnWire("dpm", tmp_path, "dpm", ncm_at, *common, "--source", f"{net}.101")
    agents = [OnWire(f"h{n}", tmp_path, "aca", ncm_at, *common, "--listen", f"{net}.{n}") for n in (1, 2)]
    h1, h2 = (f"{net}.{n}".replace(".", "-") for n in (1, 2))
    with running(ncm, dpm, *agents):
        dpm.say(f"place 21/10.0.0.1 {h1}")
        dpm.say(f"place 21/10.0.0.2 {h2}")
        dpm.say("place red/10.0.0.2 h2")
        dpm.wait_for("done 21/10.0.0.1 version 1")
        dpm.wait_for("done 21/10.0.0.2 version 1")
        dpm.wait_for("refused: invalid pod red/10.0.0.2 on this wire", logged=True)
        agents[0].say_until("packet 21/10.0.0.1 21/10.0.0.2", f"forward 21/10.0.0.1 21/10.0.0.2 to {h2}")
        ncm.kill()
        ncm.start()
        ncm.wait_for("ready", logged=True)
        dpm.say(f"place 21/10.0.0.2 {h1}")
        dpm.wait_for("done 21/10.0.0.2 version 2")
        agents[0].say_until("packet 21/10.0.0.1 21/10.0.0.2", f"forward 21/10.0.0.1 21/10.0.0.2 to {h1}")
        ncm.wait_for("identifies callers by socket address", logged=True)
        assert [program.stop() for program in (ncm, dpm, *agents)] == [0, 0, 0, 0]


def test_with_certificates_a_first_packet_is_forwarded(tmp_path: Path) -> None:
    net = block()
    authority = Authority(tmp_path)
    ncm_at = f"{net}.100:{free_port()}"
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"h{n} {net}.{n}:{free_port()}\n" for n in (1, 2)))

    def files(name: str) -> list[str]:
        issued = authority.issue(name, name)
        paths = ["--certificate", issued.certificate, "--key", issued.key, "--authority", issued.authority]
        return [*map(str, paths), "--hosts", str(hosts), "--numbering", "head"]

    ncm = OnWire("ncm", tmp_path, "ncm", ncm_at, *files("ncm"))
    dpm = OnWire("dpm", tmp_path, "dpm", ncm_at, *files("dpm"))
    where = [line.split()[1] for line in hosts.read_text().splitlines()]
    agents = [OnWire(f"h{n}", tmp_path, "aca", ncm_at, *files(f"h{n}"), "--listen", where[n - 1]) for n in (1, 2)]
    with running(ncm, dpm, *agents):
        dpm.say("place 21/10.0.0.1 h1")
        dpm.say("place 21/10.0.0.2 h2")
        dpm.say("place 21/10.0.0.2 h9")
        dpm.wait_for("done 21/10.0.0.2 version 1")
        dpm.wait_for("refused: unknown host 'h9'", logged=True)
        agents[0].say_until("packet 21/10.0.0.1 21/10.0.0.2", "forward 21/10.0.0.1 21/10.0.0.2 to h2")
        dpm.say("remove 21/10.0.0.2")
        dpm.wait_for("done 21/10.0.0.2 version 2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ncm", "127.0.0.1"], "callers cannot be identified: --certificate, --key, --authority is missing"),
        (["ncm", "nowhere", "--identity", "address"], "invalid address 'nowhere': write IP, or IP:PORT"),
        (["ncm", "127.0.0.1", "--identity", "address"], "--dpm: expected an IPv4 address with --identity address"),
        (["ncm", "127.0.0.1", "--hosts", "away"], "away: cannot be read"),
        (["aca", "127.0.0.1", "--listen", "::1", "--identity", "address"], "--listen ::1: no host has this address"),
        (["dpm", "127.0.0.1", "--numbering", "tail"], "Invalid value for '--numbering'"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    ended = subprocess.run(
        ondemand("alcor", *arguments), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 2
    *logged, line = ended.stderr.strip().splitlines()
    assert said in line
    assert all("WARNING" in item for item in logged)
    assert not list(tmp_path.iterdir()), "nothing was made"


def test_certificates_without_a_file_of_hosts_are_not_enough(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("ncm")
    paths = ["--certificate", issued.certificate, "--key", issued.key, "--authority", issued.authority]
    command = ondemand("alcor", "ncm", "127.0.0.1", *map(str, paths))
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, "--hosts is missing" in ended.stderr) == (2, True)


def test_a_port_in_use_is_an_environment_problem(tmp_path: Path) -> None:
    address = f"{block()}.100"
    where = f"{address}:{free_port()}"
    options = ["--identity", "address", "--dpm", "127.0.0.1"]
    first = OnWire("ncm", tmp_path, "ncm", where, *options)
    with running(first):
        first.wait_for("ready", logged=True)
        second = subprocess.run(
            ondemand("alcor", "ncm", where, *options, "--state", str(tmp_path / "second")),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert second.returncode == 4
    assert "is the port in use" in second.stderr
