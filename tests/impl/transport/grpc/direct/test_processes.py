"""DPM and agents with direct calls as users run them: separate processes, which may be killed at any moment."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from impl.broker.deployment import Deployment
from impl.broker.hosts import AgentFile, write_agent_file
from tests.impl.service.programs import Program, Programs, ondemand, programs
from tests.impl.transport.grpc.certificates import Authority
from tests.impl.transport.grpc.network import block
from tests.ports import free_port

QUICK = ("--many-ports", "5", "--answer-wait", "0.5", "--remind-every", "0.5")


def revisions(agent: Program) -> list[int]:
    """The revisions that an agent has applied, in order."""
    return [int(number) for number in re.findall(r"^applied red revision (\d+)", agent.output, re.MULTILINE)]


def by_certificate(system: Programs, folder: Path) -> list[Program]:
    """DPM and two agents, with certificates and a file of hosts."""
    net, authority, hosts = block(), Authority(folder), folder / "hosts"
    where = {host: f"{net}.{n}:{free_port()}" for n, host in enumerate(("h1", "h2"), 1)}
    hosts.write_text("".join(f"{host} {address}\n" for host, address in where.items()))
    asked_at = str(free_port())

    def files(name: str) -> list[str]:
        issued = authority.issue(name, name)
        paths = ["--certificate", issued.certificate, "--key", issued.key, "--authority", issued.authority]
        return ["--direct", "grpc", "--subscription-port", asked_at, "--hosts", str(hosts), *map(str, paths)]

    dpm = system.instance("dpm", "dpm-direct", *QUICK, *files("dpm"))
    return [dpm, *(system.agent(host, *files(host), "--listen", where[host]) for host in where)]


def by_address(system: Programs, folder: Path) -> list[Program]:
    """DPM and two agents that are identified by their addresses."""
    net = block()
    options = ["--direct", "grpc", "--identity", "address", "--agent-port", str(free_port())]
    options += ["--subscription-port", str(free_port())]
    dpm = system.instance("dpm", "dpm-direct", *QUICK, *options, "--source", f"{net}.101")
    return [
        dpm,
        *(
            system.agent(f"{net}.{n}".replace(".", "-"), *options, "--listen", f"{net}.{n}", "--dpm", f"{net}.101")
            for n in (1, 2)
        ),
    ]


@pytest.mark.parametrize("kind", [by_certificate, by_address])
def test_a_vpc_grows_and_shrinks_while_an_agent_and_dpm_are_killed(
    deployment: Deployment, tmp_path: Path, kind: Callable[[Programs, Path], list[Program]]
) -> None:
    with programs(deployment, tmp_path) as system:
        dpm, h1, h2 = kind(system, tmp_path)
        for program in (dpm, h1, h2):
            program.start()
            program.wait_for("ready", logged=True)
        for number in range(4):
            dpm.say(f"place red/p{number} {(h1, h2)[number % 2].name}")
            dpm.wait_for(f"accepted red/p{number} version 1")
        dpm.say("share red subnet 10.0.0.0/24")
        dpm.wait_for("done red revision 1")
        h2.kill()
        dpm.say("share red group-rules none may enter")
        h1.wait_for("applied red revision 2 group-rules: none may enter")
        dpm.kill()
        dpm.start()
        h2.start()
        dpm.wait_for("done red revision 2")
        dpm.say(f"place red/p4 {h1.name}")
        dpm.wait_for("switched red to mq")
        dpm.say("share red group-rules all may enter")
        dpm.wait_for("done red revision 3")
        for number in (0, 1):
            dpm.say(f"remove red/p{number}")
        dpm.wait_for("switched red to grpc")
        dpm.say("share red subnet 10.0.1.0/24")
        dpm.wait_for("done red revision 4")
        for agent in (h1, h2):
            assert sorted(set(revisions(agent))) == [1, 2, 3, 4]
        assert [program.stop() for program in (dpm, h1, h2)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["aca", "--direct", "grpc"],
            "--listen is missing; --direct grpc needs the address at which DPM reaches this agent",
        ),
        (["aca", "--direct", "grpc", "--listen", "127.0.0.1"], "callers cannot be identified"),
        (["aca", "--direct", "grpc", "--listen", "here"], "invalid address 'here': write IP, or IP:PORT"),
        (
            ["aca", "--direct", "grpc", "--listen", "127.0.0.2", "--identity", "address", "--dpm", "127.0.0.9"],
            "--listen 127.0.0.2: belongs to 127-0-0-2 and not to 127-0-0-1",
        ),
        (
            ["aca", "--direct", "grpc", "--listen", "127.0.0.1", "--identity", "address"],
            "--dpm: expected an IPv4 address with --identity address",
        ),
        (["aca", "--listen", "127.0.0.1"], "--listen needs --direct grpc; add that, or leave the option out"),
        (["dpm", "--direct", "grpc"], "callers cannot be identified"),
        (["dpm", "--direct", "grpc", "--identity", "address", "--source", "x"], "invalid address 'x'"),
        (["dpm", "--source", "127.0.0.1"], "--source needs --direct grpc; add that, or leave the option out"),
        (["dpm", "--direct", "carrier-pigeon"], "Invalid value for '--direct'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_settings_are_refused_in_one_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    write_agent_file(AgentFile("127-0-0-1", "pulsar://127.0.0.1:1", "alcor/none", "token"), tmp_path / "agent.json")
    if arguments[0] == "aca":
        arguments = [*arguments, "--credentials", "agent.json"]
    ended = subprocess.run(
        ondemand("run", *arguments), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["agent.json"], "nothing was made"
