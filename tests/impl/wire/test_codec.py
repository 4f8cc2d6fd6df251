"""Messages survive the wire, and malformed ones are refused with the name of the field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl import messages as m
from impl.wire import ondemand_pb2 as pb
from impl.wire.codec import MESSAGE_BYTES_MAX, MalformedMessage, decode, encode

texts = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["C", "Z"]), min_size=1, max_size=40
)
hosts = st.from_regex(m.HOST_NAME, fullmatch=True)
counts = st.integers(1, 2**63 - 1)
pods = st.builds(m.Pod, texts, texts)
vpcs = st.from_regex(m.VPC_NAME, fullmatch=True)
parts = st.lists(st.sampled_from(m.Kind), min_size=1, unique=True).flatmap(
    lambda kinds: st.tuples(
        *(st.builds(m.Part, st.just(kind), st.binary(max_size=50)) for kind in m.Kind if kind in kinds)
    )
)
messages = st.one_of(
    st.builds(m.Config, pods, counts, st.none() | hosts),
    st.builds(m.Report, pods, counts, st.sampled_from(m.Outcome)),
    st.builds(m.Registered, hosts, counts),
    st.builds(m.Deregistered, hosts, counts),
    st.builds(m.Hello, hosts, counts),
    st.builds(m.Request, hosts, counts, counts, pods, pods),
    st.builds(m.Applied, hosts, counts, pods, counts),
    st.builds(m.Route, hosts, counts, pods, counts, st.none() | hosts),
    st.builds(m.Granted, hosts, counts, counts, pods, counts, hosts),
    st.builds(m.Refused, hosts, counts, counts, st.sampled_from(m.Reason)),
    st.builds(m.Push, hosts, counts, vpcs, counts, parts),
    st.builds(m.Published, vpcs, counts, parts),
    *(st.builds(kind, hosts, counts, vpcs, counts) for kind in (m.Subscribe, m.Accepted, m.Declined, m.Confirmed)),
    st.builds(m.Told, hosts, vpcs, counts, st.binary(max_size=50)),
    st.builds(m.Goal, hosts, counts, vpcs, counts, st.binary(max_size=50)),
    st.builds(m.Attend, hosts, counts, vpcs, counts, st.integers(1, 65_535)),
    *(st.builds(kind, hosts, counts, vpcs, counts) for kind in (m.Leave, m.Left)),
    st.builds(m.Mark, hosts, st.just(0) | counts, vpcs, counts, st.integers(1, 65_535)),
    *(st.builds(kind, vpcs) for kind in (m.OpenTopic, m.CloseTopic)),
    *(st.builds(kind, hosts, vpcs) for kind in (m.Permit, m.EndSubscription)),
)


@given(messages)
def test_every_message_survives_the_wire(message: m.Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        message = decode(data)
    except MalformedMessage:
        return
    assert decode(encode(message)) == message


def test_the_generated_messages_are_current(tmp_path: Path) -> None:
    wire = Path(pb.__file__).parent
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{wire}",
        f"--python_out={tmp_path}",
        f"--pyi_out={tmp_path}",
    ]
    subprocess.run([*command, str(wire / "ondemand.proto")], check=True)
    for name in ("ondemand_pb2.py", "ondemand_pb2.pyi"):
        assert (wire / name).read_text() == (tmp_path / name).read_text(), f"generate {name} again from ondemand.proto"


def test_the_largest_revision_fits_into_a_message() -> None:
    half = m.PAYLOAD_BYTES_MAX // 2
    largest = (m.Part(m.Kind.SUBNET, bytes(half)), m.Part(m.Kind.GROUP_RULES, bytes(m.PAYLOAD_BYTES_MAX - half)))
    message = m.Push("h" * 63, 2**63 - 1, "v" * 127, 2**63 - 1, largest)
    assert decode(encode(message)) == message


def revision(*parts: tuple[int, bytes]) -> bytes:
    """The bytes of a published revision with these parts."""
    made = pb.Envelope()
    made.published.vpc, made.published.revision = "red", 1
    for kind, content in parts:
        made.published.parts.add(kind=kind, data=content)
    data: bytes = made.SerializeToString()
    return data


def envelope(kind: str, **fields: object) -> bytes:
    """The bytes of a message with these fields and no others."""
    made = pb.Envelope()
    target = getattr(made, kind)
    target.SetInParent()
    for name, value in fields.items():
        setattr(target, name, value)
    data: bytes = made.SerializeToString()
    return data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "an unknown kind"),
        (b"\xff\xff", "do not parse as a protobuf message"),
        (b"x" * (MESSAGE_BYTES_MAX + 1), "at most 16384"),
        (envelope("hello", host="h1"), "hello.epoch: expected a number"),
        (envelope("hello", epoch=1), "hello.host: expected a host's name"),
        (envelope("hello", host="h" * 300, epoch=1), "hello.host: expected a host's name"),
        (envelope("hello", host="h1/x", epoch=1), "hello.host: expected a host's name"),
        (envelope("registered", host="h1"), "registered.registration: expected a number"),
        (envelope("registered", host="h 1"), "registered.host: expected a host's name"),
        (envelope("request", host="h1", epoch=1, request=1), "request.source: is missing"),
        (envelope("refused", host="h1", epoch=1, request=1), "refused.reason: 0 is not a known reason"),
        (envelope("refused", host="h1", epoch=1, request=1, reason=99), "refused.reason: 99 is not a known reason"),
        (envelope("subscribe", host="h1", epoch=1, attempt=1), "subscribe.vpc: expected a VPC's name"),
        (envelope("subscribe", host="h1", epoch=1, vpc="a/b", attempt=1), "subscribe.vpc: expected a VPC's name"),
        (envelope("permit", host="h1", vpc="red-partition-1"), "permit.vpc: expected a VPC's name"),
        (envelope("accepted", host="h1", epoch=1, vpc="red"), "accepted.attempt: expected a number"),
        (envelope("confirmed", host="h1", epoch=1, vpc="red"), "confirmed.revision: expected a number"),
        (envelope("attend", host="h1", epoch=1, vpc="red", turn=1), "attend.slot: expected a number from 1 to 65535"),
        (envelope("mark", host="h1", vpc="red", turn=1), "mark.slot: expected a number from 1 to 65535"),
        (envelope("leave", host="h1", epoch=1, vpc="red"), "leave.turn: expected a number"),
        (
            envelope("told", host="h1", vpc="red", revision=1, data=bytes(m.PAYLOAD_BYTES_MAX + 1)),
            "told.data: 12289 bytes; a revision has at most 12288",
        ),
        (revision(), "published.parts: expected one or more, each kind once and in order"),
        (revision((1, b""), (1, b"")), "published.parts: expected one or more, each kind once and in order"),
        (revision((2, b""), (1, b"")), "published.parts: expected one or more, each kind once and in order"),
        (revision((0, b"")), "published.parts.kind: 0 is not a known kind"),
        (revision((7, b"")), "published.parts.kind: 7 is not a known kind"),
        (revision((1, bytes(m.PAYLOAD_BYTES_MAX + 1))), "12289 bytes; a revision has at most 12288"),
    ],
)
def test_what_is_no_message_is_refused_with_its_field(data: bytes, said: str) -> None:
    with pytest.raises(MalformedMessage, match=said):
        decode(data)
