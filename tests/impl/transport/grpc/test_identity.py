"""The identity of callers: by certificate, or by address where it is requested. And the settings that are refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from impl.errors import BadDeployment
from impl.messages import Pod
from impl.transport.grpc.directory import Directory, name_after, read_directory
from impl.transport.grpc.endpoints import Endpoint, endpoint
from impl.transport.grpc.identity import ADDRESS, ByAddress, ByCertificate, choose_identity
from tests.impl.transport.grpc.certificates import Authority, Files
from tests.impl.transport.grpc.network import World, certificate
from tests.impl.transport.grpc.stand_ins import VNI, Controller, Port, StandInAgent, goal_of

# ------------------------------------------------------------------------------------------------- mutual TLS


class Secured:
    """NCM with mutual TLS, and certificates for the others."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.authority = world, Authority(folder)
        world.directory = Directory(
            {f"h{number}": Endpoint(world.address(number), world.port) for number in (1, 2, 3)}, world.port
        )
        world.resources._directory = world.directory
        self.issue = self.authority.issue
        world.ncm(certificate(self.issue("ncm", "ncm")), dpm="dpm")

    def controller(self, files: Files | None) -> Controller:
        """A controller with this certificate."""
        made = Controller(str(self.world.ncm_at), files=files)
        self.world._stack.callback(made.close)
        return made

    def stand_in(self, number: int, files: Files) -> StandInAgent:
        """An agent like Alcor's, with this certificate, at a host."""
        world = self.world
        made = StandInAgent(world.address(number), world.port, str(world.ncm_at), files=files).start()
        world._stack.callback(made.stop)
        return made


def test_with_certificates_names_are_who_calls(world: World, tmp_path: Path) -> None:
    """All calls come from the same address here; the certificates distinguish the hosts."""
    secured = Secured(world, tmp_path)
    h1 = world.agent(1, "h1", certificate(secured.issue("h1", "h1")))
    h2 = secured.stand_in(2, secured.issue("ignored", "h2"))
    one, two = Port("10.0.0.1", world.address(1)), Port("10.0.0.2", world.address(2))
    (statuses,) = secured.controller(secured.issue("dpm")).push(goal_of(one, two))
    assert set(statuses.values()) == {"SUCCESS"}
    p1, p2 = Pod(str(VNI), one.ip), Pod(str(VNI), two.ip)
    h1.send(p1, p2)
    assert h1.ended_with == "release"
    assert h2.ask_for("10.0.0.2", "10.0.0.1") == "SUCCESS"
    assert h2.ask_for("10.0.0.1", "10.0.0.2") == "FAILURE", "the source is another host's"


def code_of(call: Callable[[], object]) -> grpc.StatusCode:
    """The status code of a failed call."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    code: grpc.StatusCode = raised.value.code()
    return code


def test_no_certificate_or_one_of_another_authority_opens_nothing(world: World, tmp_path: Path) -> None:
    secured = Secured(world, tmp_path)
    goal = goal_of(Port("10.0.0.1", world.address(1)))
    assert code_of(lambda: secured.controller(None).push(goal)) is grpc.StatusCode.UNAVAILABLE
    others = Authority(tmp_path, "others").issue("dpm", "dpm")
    mixed = Files(others.certificate, others.key, secured.authority.path)
    assert code_of(lambda: secured.controller(mixed).push(goal)) is grpc.StatusCode.UNAVAILABLE


def test_a_certificate_of_another_role_or_of_several_names_is_not_enough(world: World, tmp_path: Path) -> None:
    secured = Secured(world, tmp_path)
    goal = goal_of(Port("10.0.0.1", world.address(1)))
    denied = grpc.StatusCode.PERMISSION_DENIED
    assert code_of(lambda: secured.controller(secured.issue("dpm", "h1")).push(goal)) is denied
    assert code_of(lambda: secured.controller(secured.issue("dpm", "dpm", "h1")).push(goal)) is denied
    for files in (secured.issue("h9"), secured.issue("dpm"), secured.issue("h3", "h3", "h2")):
        stranger = secured.stand_in(3, files)
        assert code_of(lambda stranger=stranger: stranger.ask_for("10.0.0.1", "10.0.0.2")) is denied  # type: ignore[misc]
        stranger.stop()


def test_ncm_tells_no_agent_that_shows_another_name(world: World, tmp_path: Path) -> None:
    """The program at the address of host 2 has the certificate of host 3."""
    secured = Secured(world, tmp_path)
    impostor = secured.stand_in(2, secured.issue("h3", "h3"))
    two = Port("10.0.0.2", world.address(2))
    (statuses,) = secured.controller(secured.issue("dpm")).push(goal_of(two))
    assert statuses[two.id] == "FAILURE"
    assert impostor.pushed == []


def test_an_agent_takes_goal_states_of_ncm_only(world: World, tmp_path: Path) -> None:
    secured = Secured(world, tmp_path)
    h1 = world.agent(1, "h1", certificate(secured.issue("h1", "h1")))
    other = Controller(f"{world.address(1)}:{world.port}", files=secured.issue("h2", "h2"))
    other._channel = grpc.secure_channel(
        f"{world.address(1)}:{world.port}",
        certificate(secured.issue("h2", "h2")).client(),
        options=[("grpc.ssl_target_name_override", "h1")],
    )
    goal = goal_of(Port("10.0.0.1", world.address(1)))
    assert code_of(lambda: other.push(goal)) is grpc.StatusCode.PERMISSION_DENIED
    assert h1.knows() == []
    other.close()


def test_a_host_that_leaves_the_file_is_told_nothing_any_more(world: World, tmp_path: Path) -> None:
    secured = Secured(world, tmp_path)
    ncm = world._threads[-1][0]
    world.stop(ncm)
    world.directory = Directory({"h1": Endpoint(world.address(1), world.port)}, world.port)
    world.resources = type(world.resources)(None, world.schema, world.directory)
    again = world.ncm(certificate(secured.issue("ncm", "ncm")), dpm="dpm")
    world.wait(lambda: again.ncm.hosts() == ["h1"], "the registrations")


# --------------------------------------------------------------------------------------------------- settings


def test_without_an_identity_nothing_starts(tmp_path: Path) -> None:
    directory = Directory(None)
    with pytest.raises(
        BadDeployment, match=r"--certificate, --key, --authority is missing; give all .* or --identity addr"
    ):
        choose_identity(None, directory, None, None, None, "ncm")
    files = Authority(tmp_path).issue("ncm")
    with pytest.raises(BadDeployment, match="--authority is missing"):
        choose_identity(None, directory, files.certificate, files.key, None, "ncm")
    with pytest.raises(BadDeployment, match="--key and --identity address exclude each other"):
        choose_identity(ADDRESS, directory, None, files.key, None, "ncm")
    with pytest.raises(BadDeployment, match=r"--key .*away.key: cannot be read \(No such file"):
        choose_identity(None, directory, files.certificate, tmp_path / "away.key", files.authority, "ncm")
    (tmp_path / "x.key").write_text("no key")
    with pytest.raises(BadDeployment, match=r"--key .*x.key: is not a PEM file"):
        choose_identity(None, directory, files.certificate, tmp_path / "x.key", files.authority, "ncm")
    chosen = choose_identity(None, directory, files.certificate, files.key, files.authority, "ncm")
    assert isinstance(chosen, ByCertificate)
    assert "PRIVATE" not in repr(chosen)


def test_identity_by_address_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ondemand"):
        chosen = choose_identity(ADDRESS, Directory(None), None, None, None, "ncm")
    assert isinstance(chosen, ByAddress)
    assert "identifies callers by socket address" in caplog.text


class Call:
    """A call from a given peer."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        """The peer."""
        return self._peer


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("ipv4:10.0.0.1:4711", "10-0-0-1"),
        ("ipv6:%5B::1%5D:4711", None),
        ("unix:/tmp/x", None),
        ("ipv4:999.0.0.1:1", None),
        ("", None),
    ],
)
def test_an_address_is_read_from_the_call_itself(peer: str, name: str | None) -> None:
    assert ByAddress(Directory(None)).caller(Call(peer)) == name


def test_hosts_are_found_by_name_and_by_address(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("# the first rack\nh1 10.0.0.1\nh2 10.0.0.2:7  # another port\n\n")
    directory = read_directory(path)
    assert directory.names == ("h1", "h2")
    assert (directory.find("h1"), directory.find("h2")) == (Endpoint("10.0.0.1", 50001), Endpoint("10.0.0.2", 7))
    assert (directory.name_of("10.0.0.2"), directory.name_of("10.0.0.3"), directory.find("h3")) == ("h2", None, None)
    assert Directory(None, 7).find("10-0-0-1") == Endpoint("10.0.0.1", 7)
    assert [Directory(None).find(name) for name in ("h1", "10-0-0-01", "10-0-0-256", "1-2-3")] == [None] * 4
    assert ByAddress(directory).caller(Call("ipv4:10.0.0.2:1")) == "h2"
    assert ByAddress(directory).caller(Call("ipv4:10.0.0.3:1")) == "10-0-0-3"
    assert name_after("::1") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "contains no host"),
        ("h1", "line 1: expected a name and an address, found 1 words"),
        ("h1 10.0.0.1\nH2 10.0.0.2", "line 2: invalid host name 'H2'"),
        ("10-0-0-1 10.0.0.2", "line 1: invalid host name '10-0-0-1'"),
        ("h1 host.example", "line 1: invalid address 'host.example': write IP, or IP:PORT"),
        ("h1 10.0.0.1:x", "line 1: invalid address '10.0.0.1:x'"),
        ("h1 10.0.0.1:70000", "line 1: '10.0.0.1:70000': a port is a number up to 65535"),
        ("h1 10.0.0.1\nh1 10.0.0.2", "line 2: the name or the address is used twice"),
        ("h1 10.0.0.1\nh2 10.0.0.1", "line 2: the name or the address is used twice"),
    ],
)
def test_a_wrong_file_of_hosts_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "hosts"
    path.write_text(text)
    with pytest.raises(BadDeployment, match=said):
        read_directory(path)
    with pytest.raises(BadDeployment, match="cannot be read"):
        read_directory(tmp_path / "away")


def test_endpoints_are_read_with_or_without_a_port() -> None:
    assert endpoint("10.0.0.1", 9016) == Endpoint("10.0.0.1", 9016)
    assert endpoint("10.0.0.1:1", 9016) == Endpoint("10.0.0.1", 1)
    assert endpoint("::1", 9016) == Endpoint("::1", 9016)
    assert str(endpoint("[::1]:1", 9016)) == "[::1]:1"
