"""Hosts with slots as users run them: DPM with its filler, and three agents, which may be killed at any moment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from impl.broker.deployment import Deployment
from impl.broker.hosts import add_host, write_agent_file
from tests.impl.service.programs import Program, environment, ondemand

HOSTS = ("h1", "h2", "h3")


class WithSlots(Program):
    """A service for hosts with slots."""

    def __init__(self, name: str, folder: Path, variables: dict[str, str], *arguments: str) -> None:
        super().__init__(name, folder, variables, *arguments)
        self._command = ondemand("slots", *arguments, "--state", str(folder / f"{name}.sqlite"))


@pytest.fixture
def services(deployment: Deployment, tmp_path: Path) -> Iterator[dict[str, WithSlots]]:
    """DPM and three registered hosts, none of which runs yet."""
    variables = environment(deployment, tmp_path)
    bare = {name: value for name, value in variables.items() if not name.startswith("PULSAR")}
    made = {"dpm": WithSlots("dpm", tmp_path, variables, "dpm")}
    for host in HOSTS:
        path = tmp_path / f"{host}.agent.json"
        write_agent_file(add_host(deployment, host), path)
        made[host] = WithSlots(host, tmp_path, bare, "aca", "--credentials", str(path))
    yield made
    for program in made.values():
        program.end()


def revisions(agent: Program) -> list[int]:
    """The revisions that an agent has applied, in order."""
    return [int(number) for number in re.findall(r"^applied red revision (\d+)", agent.output, re.MULTILINE)]


def test_three_hosts_by_slots_one_of_them_killed_and_started_again_and_dpm_too(
    services: dict[str, WithSlots],
) -> None:
    dpm, h2 = services["dpm"], services["h2"]
    for program in services.values():
        program.start()
        program.wait_for("ready", logged=True)
    for slot, host in enumerate(HOSTS, 1):
        dpm.say(f"join red {host}")
        dpm.wait_for(f"joined red {host}: slot {slot}")
    for host in HOSTS:
        dpm.wait_for(f"accepted red {host}")
    for number, host in enumerate(HOSTS, 1):
        dpm.say(f"tell red {host} first for {host}")
        dpm.wait_for(f"confirmed red {host} revision {number}")
        assert f"told red {host} revision {number} by its slot" in dpm.output
    h2.kill()
    dpm.say("tell red h2 while you were away")
    dpm.wait_for("told red h2 revision 4")
    dpm.say("tell red h3 nobody waits for h2")
    dpm.wait_for("confirmed red h3 revision 5")
    dpm.wait_for("lost red h2")
    h2.start()
    h2.wait_for("applied red revision 4: while you were away")
    dpm.wait_for("confirmed red h2 revision 4")
    dpm.kill()
    dpm.start()
    dpm.say("tell red h1 by another DPM")
    dpm.wait_for("confirmed red h1 revision 6")
    dpm.say("tell red h2 by another DPM")
    dpm.wait_for("confirmed red h2 revision 7")
    assert [sorted(set(revisions(services[host]))) for host in HOSTS] == [[1, 6], [2, 4, 7], [3, 5]]
    assert [program.stop() for program in services.values()] == [0, 0, 0, 0]


def test_what_cannot_be_is_refused_in_a_sentence(services: dict[str, WithSlots]) -> None:
    dpm = services["dpm"]
    dpm.start()
    for line, said in (
        ("join red h9", "h9 is not registered; register it with `ondemand host add h9`: join red"),
        ("join a/b h1", "Invalid VPC name 'a/b'"),
        ("join red h/1", "Invalid host name 'h/1'"),
        ("tell red h1 x", "h1 takes no part in red: join red h1 first"),
        ("tell red h1", "Invalid decision 'tell red h1': expected join VPC HOST, or tell VPC HOST TEXT."),
    ):
        dpm.say(line)
        dpm.wait_for(said, logged=True)
    assert dpm.output == ""
