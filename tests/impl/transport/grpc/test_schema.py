"""Alcor's messages have the same numbers here as in Alcor, in both numberings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from conformance.documents.golden import write_descriptors
from impl.errors import BadDeployment
from impl.wire.alcor.schema import HEAD, NUMBERINGS, PIN, descriptors, schema

ENUMERATIONS = {
    "ResourceType": "VPC SUBNET PORT NEIGHBOR SECURITYGROUP DHCP ROUTER GATEWAY",
    "OperationType": "INFO CREATE UPDATE GET DELETE",
    "OperationStatus": "SUCCESS FAILURE INVALID_ARG PENDING OUT_OF_ORDER",
    "RequestType": "ON_DEMAND AGENT_RESTARTED",
    "EtherType": "IPV4 IPV6",
    "Protocol": "TCP UDP ICMP HTTP ARP",
    "NetworkType": "VXLAN VLAN GRE GENEVE VXLAN_GPE",
    "UpdateType": "DELTA FULL",
    "NeighborType": "L2 L3",
    "GatewayType": "DEFAULT ZETA TGW IGW NGW",
    "DestinationType": "INTERNET VPC_GW",
    "SecurityGroupConfiguration.Direction": "EGRESS INGRESS",
    "SubscribeOperation": "Subscribe Unsubscribe",
}
"""The members of each, numbered from 0."""

COMMON = "1 revision_number uint32, 2 request_id string, 3 id string, 4 update_type UpdateType"
ADDRESSES = "1 ip_address string, 2 mac_address string"

MESSAGES = {
    "HostRequest": "1 format_version uint32, 2 state_requests rep HostRequest.ResourceStateRequest",
    "HostRequest.ResourceStateRequest": (
        "1 request_type RequestType, 2 request_id string, 3 tunnel_id uint32, 4 source_ip string, 5 source_port uint32, "
        "6 destination_ip string, 7 destination_port uint32, 8 ethertype EtherType, 9 protocol Protocol"
    ),
    "HostRequestReply": (
        "1 format_version uint32, 2 operation_statuses rep HostRequestReply.HostRequestOperationStatus, "
        "3 total_operation_time uint32"
    ),
    "HostRequestReply.HostRequestOperationStatus": "1 request_id string, 2 operation_status OperationStatus",
    "GoalStateOperationReply": (
        "1 format_version uint32, 2 operation_statuses rep GoalStateOperationReply.GoalStateOperationStatus, "
        "3 message_total_operation_time uint32"
    ),
    "GoalStateOperationReply.GoalStateOperationStatus": (
        "1 resource_id string, 2 resource_type ResourceType, 3 operation_type OperationType, "
        "4 operation_status OperationStatus, 5 dataplane_programming_time uint32, 6 network_configuration_time uint32, "
        "7 state_elapse_time uint32"
    ),
    "NodeSubscribeInfo": "1 subscribe_operation SubscribeOperation, 2 topic string, 3 key string",
    "SubscribeOperationReply": "1 operationStatus OperationStatus",
    "GoalState": (
        "1 format_version uint32, 2 vpc_states rep VpcState, 3 subnet_states rep SubnetState, 4 port_states rep PortState, "
        "5 neighbor_states rep NeighborState, 6 security_group_states rep SecurityGroupState, 7 dhcp_states rep DHCPState, "
        "8 router_states rep RouterState, 9 gateway_states rep GatewayState"
    ),
    "GoalStateV2": (
        "1 format_version uint32, 2 host_resources map HostResources, 3 vpc_states map VpcState, "
        "4 subnet_states map SubnetState, 5 port_states map PortState, 6 dhcp_states map DHCPState, "
        "7 neighbor_states map NeighborState, 8 security_group_states map SecurityGroupState, "
        "9 router_states map RouterState, 10 gateway_states map GatewayState"
    ),
    "HostResources": "1 resources rep ResourceIdType",
    "ResourceIdType": "1 type ResourceType, 2 id string",
    **{
        f"{kind}State": f"1 operation_type OperationType, 2 configuration {kind}Configuration"
        for kind in ("Vpc", "Subnet", "Port", "Neighbor", "SecurityGroup", "DHCP", "Router", "Gateway")
    },
    "VpcConfiguration": (
        f"{COMMON}, 5 project_id string, 6 name string, 7 cidr string, 8 tunnel_id uint32, 9 gateway_ids rep string"
    ),
    "SubnetConfiguration": (
        f"{COMMON}, 5 network_type NetworkType, 6 vpc_id string, 7 name string, 8 cidr string, 9 tunnel_id uint64, "
        "10 gateway SubnetConfiguration.Gateway, 11 dhcp_enable bool, "
        "12 extra_dhcp_options rep SubnetConfiguration.ExtraDhcpOption, "
        "13 dns_entry_list rep SubnetConfiguration.DnsEntry, 14 availability_zone string"
    ),
    "SubnetConfiguration.Gateway": ADDRESSES,
    "SubnetConfiguration.ExtraDhcpOption": "1 name string, 2 value string",
    "SubnetConfiguration.DnsEntry": "1 entry string",
    "PortConfiguration": (
        f"{COMMON}, 5 vpc_id string, 6 name string, 7 device_id string, 8 device_owner string, 9 mac_address string, "
        "10 admin_state_up bool, 11 host_info PortConfiguration.HostInfo, 12 fixed_ips rep PortConfiguration.FixedIp, "
        "13 allow_address_pairs rep PortConfiguration.AllowAddressPair, "
        "14 security_group_ids rep PortConfiguration.SecurityGroupId"
    ),
    "PortConfiguration.HostInfo": ADDRESSES,
    "PortConfiguration.FixedIp": "1 subnet_id string, 2 ip_address string",
    "PortConfiguration.AllowAddressPair": ADDRESSES,
    "PortConfiguration.SecurityGroupId": "1 id string",
    "NeighborConfiguration": (
        f"{COMMON}, 5 vpc_id string, 6 name string, 7 mac_address string, 8 host_ip_address string, "
        "9 fixed_ips rep NeighborConfiguration.FixedIp, 10 allow_address_pairs rep NeighborConfiguration.AllowAddressPair"
    ),
    "NeighborConfiguration.FixedIp": "1 neighbor_type NeighborType, 2 subnet_id string, 3 ip_address string",
    "NeighborConfiguration.AllowAddressPair": ADDRESSES,
    "DHCPConfiguration": (
        f"{COMMON}, 5 subnet_id string, 6 mac_address string, 7 ipv4_address string, 8 ipv6_address string, "
        "9 port_host_name string"
    ),
    "RouterConfiguration": (
        f"{COMMON}, 5 host_dvr_mac_address string, 6 subnet_routing_tables rep RouterConfiguration.SubnetRoutingTable"
    ),
    "RouterConfiguration.SubnetRoutingTable": "1 subnet_id string, 2 routing_rules rep RouterConfiguration.RoutingRule",
    "RouterConfiguration.RoutingRule": (
        "1 operation_type OperationType, 2 id string, 3 name string, 4 destination string, 5 next_hop_ip string, "
        "6 priority uint32, 7 routing_rule_extra_info RouterConfiguration.RoutingRuleExtraInfo"
    ),
    "RouterConfiguration.RoutingRuleExtraInfo": "1 destination_type DestinationType, 2 next_hop_mac string",
    "SecurityGroupConfiguration": (
        f"{COMMON}, 5 vpc_id string, 6 name string, "
        "7 security_group_rules rep SecurityGroupConfiguration.SecurityGroupRule"
    ),
    "SecurityGroupConfiguration.SecurityGroupRule": (
        "1 operation_type OperationType, 2 security_group_id string, 3 id string, "
        "4 direction SecurityGroupConfiguration.Direction, 5 ethertype EtherType, 6 protocol Protocol, "
        "7 port_range_min uint32, 8 port_range_max uint32, 9 remote_ip_prefix string, 10 remote_group_id string"
    ),
    "GatewayConfiguration": (
        "1 revision_number uint32, 2 request_id string, 3 id string, 4 gateway_type GatewayType, "
        "5 destinations rep GatewayConfiguration.destination, 6 zeta_info GatewayConfiguration.zeta"
    ),
    "GatewayConfiguration.destination": ADDRESSES,
    "GatewayConfiguration.zeta": "1 port_inband_operation uint32",
}
"""Number, name, label where there is one, and type of every field at the pin. A map's key is a string."""

LATER_ENUMERATIONS = {"GatewayType": "DEFAULT ZETA TGW IGW NGW ARION"}
LATER_MESSAGES = {
    "NeighborConfiguration": (
        f"{COMMON}, 5 vpc_id string, 6 name string, 7 mac_address string, 8 host_mac_address string, "
        "9 host_ip_address string, 10 fixed_ips rep NeighborConfiguration.FixedIp, "
        "11 allow_address_pairs rep NeighborConfiguration.AllowAddressPair"
    ),
    "NeighborConfiguration.FixedIp": (
        "1 neighbor_type NeighborType, 2 subnet_id string, 3 ip_address string, 4 arion_group string, 5 tunnel_id uint32"
    ),
    "GatewayConfiguration": f"{MESSAGES['GatewayConfiguration']}, 7 arion_info GatewayConfiguration.arion",
    "GatewayConfiguration.arion": "1 vpc_id string, 2 vni uint32, 3 subnet_id string, 4 port_inband_operation uint32",
    "NeighborRulesRequest": "1 format_version uint32, 2 request_id string, 3 neigborstates rep NeighborState",
}
"""The differences at HEAD."""

METHODS = {
    "GoalStateProvisioner": {
        "PushNetworkResourceStates": "GoalState -> GoalStateOperationReply",
        "PushGoalStatesStream": "stream GoalStateV2 -> stream GoalStateOperationReply",
        "RequestGoalStates": "HostRequest -> HostRequestReply",
    },
    "SubscribeInfoProvisioner": {"PushNodeSubscribeInfo": "NodeSubscribeInfo -> SubscribeOperationReply"},
}
LATER_METHOD = {"PushGoalstates": "NeighborRulesRequest -> GoalStateOperationReply"}


SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_BOOL: "bool",
}


def local(name: str) -> str:
    """A full name without the package, which it must have."""
    assert name.startswith("alcor.schema.")
    return name.removeprefix("alcor.schema.")


def field(item: Any) -> str:
    """A field in the form of the tables above."""
    label = "rep " if item.is_repeated else ""
    kind = SCALARS.get(item.type)
    if item.message_type is not None:
        kind = local(item.message_type.full_name)
        if item.message_type.GetOptions().map_entry:
            key, value = item.message_type.fields
            assert key.type == FieldDescriptor.TYPE_STRING
            label, kind = "map ", local(value.message_type.full_name)
    elif item.enum_type is not None:
        kind = local(item.enum_type.full_name)
    return f"{item.number} {item.name} {label}{kind}"


def everything(numbering: str) -> tuple[dict[str, str], dict[str, str]]:
    """All messages and enumerations of a numbering, in the form of the tables above."""
    messages: dict[str, str] = {}
    enumerations: dict[str, str] = {}

    def note_enumeration(enumeration: Any) -> None:
        assert [value.number for value in enumeration.values] == list(range(len(enumeration.values)))
        enumerations[local(enumeration.full_name)] = " ".join(value.name for value in enumeration.values)

    def note(message: Descriptor) -> None:
        if not message.GetOptions().map_entry:
            messages[local(message.full_name)] = ", ".join(map(field, message.fields))
            for enumeration in message.enum_types:
                note_enumeration(enumeration)
            for nested in message.nested_types:
                note(nested)

    known = schema(numbering)
    for name in known.files:
        file = known.pool.FindFileByName(name)
        assert file.package == "alcor.schema"
        for message in file.message_types_by_name.values():
            note(message)
        for enumeration in file.enum_types_by_name.values():
            note_enumeration(enumeration)
    return messages, enumerations


def test_every_number_of_the_pin_is_alcors() -> None:
    messages, enumerations = everything(PIN)
    assert messages == MESSAGES
    assert enumerations == ENUMERATIONS


def test_every_number_of_the_head_is_alcors() -> None:
    messages, enumerations = everything(HEAD)
    assert messages == MESSAGES | LATER_MESSAGES
    assert enumerations == ENUMERATIONS | LATER_ENUMERATIONS


@pytest.mark.parametrize("numbering", NUMBERINGS)
def test_the_services_are_alcors(numbering: str) -> None:
    found: dict[str, dict[str, str]] = {}
    for name in METHODS:
        service = schema(numbering).pool.FindServiceByName(f"alcor.schema.{name}")
        assert service.file.name == f"{name.lower()}.proto"
        found[name] = {
            method.name: f"{'stream ' * method.client_streaming}{local(method.input_type.full_name)} -> "
            f"{'stream ' * method.server_streaming}{local(method.output_type.full_name)}"
            for method in service.methods
        }
    later = {"GoalStateProvisioner": METHODS["GoalStateProvisioner"] | LATER_METHOD} if numbering == HEAD else {}
    assert found == METHODS | later


@pytest.mark.parametrize("numbering", NUMBERINGS)
def test_the_generated_descriptors_are_current(numbering: str, tmp_path: Path) -> None:
    write_descriptors(numbering, tmp_path / "made")
    made = (tmp_path / "made").read_bytes()
    assert descriptors(numbering).read_bytes() == made, "type: ondemand golden wire"


texts = st.text(st.characters(exclude_categories=["C"]), max_size=12)


def values(descriptor: Any, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Fields of a message of this kind, as keyword arguments of its class."""
    return st.fixed_dictionaries(
        {},
        optional={
            each_field.name: value(each_field, depth) for each_field in descriptor.fields if fits(each_field, depth)
        },
    )


def fits(item: Any, depth: int) -> bool:
    """Nested messages are tried three levels deep; maps are filled elsewhere."""
    return item.message_type is None or (depth < 3 and not item.message_type.GetOptions().map_entry)


def value(item: Any, depth: int) -> st.SearchStrategy[Any]:
    """A value of a field."""
    single: st.SearchStrategy[Any]
    if item.message_type is not None:
        single = values(item.message_type, depth + 1)
    elif item.enum_type is not None:
        single = st.sampled_from([member.number for member in item.enum_type.values])
    else:
        single = {
            FieldDescriptor.TYPE_STRING: texts,
            FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
            FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
            FieldDescriptor.TYPE_BOOL: st.booleans(),
        }[item.type]
    return st.lists(single, max_size=2) if item.is_repeated else single


@pytest.mark.parametrize("numbering", NUMBERINGS)
@given(data=st.data())
def test_what_is_said_in_one_numbering_is_read_in_it(numbering: str, data: st.DataObject) -> None:
    kind = getattr(schema(numbering), data.draw(st.sampled_from(["GoalState", "HostRequest", "HostRequestReply"])))
    said = kind(**data.draw(values(kind.DESCRIPTOR)))
    assert kind.FromString(said.SerializeToString()) == said


def test_the_head_takes_a_neighbors_host_for_a_mac_address() -> None:
    """The host's IP ends up in the MAC address of the host, and a fixed address in the IP of the host."""
    pin, head = schema(PIN), schema(HEAD)
    said = pin.NeighborConfiguration(
        revision_number=3, id="p1_n", mac_address="6c:dd:ee:00:00:01", host_ip_address="127.0.0.2"
    )
    fixed = said.fixed_ips.add(subnet_id="s1", ip_address="10.0.0.1")
    understood = head.NeighborConfiguration.FromString(said.SerializeToString())
    assert (understood.revision_number, understood.id, understood.mac_address) == (3, "p1_n", "6c:dd:ee:00:00:01")
    assert understood.host_mac_address == "127.0.0.2"
    assert understood.host_ip_address.encode() == fixed.SerializeToString()
    assert not understood.fixed_ips


def test_the_pin_takes_a_neighbors_host_for_a_fixed_address() -> None:
    """The host's MAC address ends up in its IP. Its IP, read as a message, does not parse, or happens to parse as an empty one."""
    pin, head = schema(PIN), schema(HEAD)
    said = head.NeighborConfiguration(host_mac_address="6c:dd:ee:00:00:02", host_ip_address="127.0.0.2")
    understood = pin.NeighborConfiguration.FromString(said.SerializeToString())
    assert understood.host_ip_address == "6c:dd:ee:00:00:02"
    (fixed,) = understood.fixed_ips
    assert not fixed.ip_address, "the nine characters are a key and a number of eight bytes"
    said.host_ip_address = "10.0.0.2"
    with pytest.raises(DecodeError):
        pin.NeighborConfiguration.FromString(said.SerializeToString())


def test_a_numbering_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadDeployment, match="Unknown numbering 'tail' of Alcor's messages: choose among pin, head"):
        schema("tail")
    with pytest.raises(AttributeError, match=r"head: there is no message or enumeration alcor\.schema\.GoalStateV3"):
        _ = schema(HEAD).GoalStateV3
