"""Tests of the page on the design document: its claims about points that no variant states."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.language import Protocol, Step, Variant, variant
from model.language.terms import Formula
from model.proof.prove import prove
from model.proof.wellformed import wellformed
from spec.message_queue.definitions import large
from spec.message_queue.dpm import open_topic, send_directly
from spec.message_queue.promises import every_revision_goes_out
from spec.message_queue.protocol import PROTOCOL
from spec.message_queue.variants import sends_nothing_at_equality
from spec.message_queue.vocabulary import Channel, Vpc, channel, group, many_in_a_group, many_ports, size


def above(vpc: Vpc) -> Formula:
    """Large according to the code: more than a threshold."""
    return (many_ports(vpc) < size(vpc)) | (many_in_a_group(vpc) < group(vpc))


@variant(replaces=open_topic, breaks=[every_revision_goes_out])
def opens_above(vpc: Vpc) -> Step:
    """The topic is opened above the threshold."""
    return open_topic.but(without=[large(vpc)], when=[above(vpc)])


@variant(replaces=send_directly, breaks=[every_revision_goes_out])
def or_else_sends_directly(vpc: Vpc) -> Step:
    """Otherwise the revision is sent directly, including at the threshold."""
    return send_directly.but(
        without=[(channel(vpc) == Channel.grpc) & ~large(vpc) | (channel(vpc) == Channel.closing)],
        when=[(channel(vpc) == Channel.grpc) & ~above(vpc) | (channel(vpc) == Channel.closing)],
    )


def put_in(*variants: Variant) -> Protocol:
    """The protocol with several actions replaced, including in its alternatives."""
    instead = {each_variant.replaces: each_variant.action for each_variant in variants}
    for replaced, action in instead.items():
        object.__setattr__(action, "name", replaced.name)
    groups = []
    for group_of in PROTOCOL.alternatives:
        changed = replace(group_of, choices=tuple(instead.get(choice, choice) for choice in group_of.choices))
        object.__setattr__(changed, "name", group_of.name)
        groups.append(changed)
    actions = tuple(instead.get(each_action, each_action) for each_action in PROTOCOL.actions)
    return replace(PROTOCOL, name="changed", actions=actions, alternatives=tuple(groups))


def test_more_than_the_threshold_or_else_leaves_no_gap_and_breaks_nothing() -> None:
    """The code departs from the document at equality, and this breaks no promise."""
    built = put_in(opens_above, or_else_sends_directly)
    shape, proof = wellformed(built), prove(built)
    assert [claim.name for claim in (*shape.claims, *proof.claims) if claim.verdict != "holds"] == []


@pytest.mark.parametrize("strict", [opens_above, sends_nothing_at_equality])
def test_strict_on_both_sides_leaves_a_gap(strict: Variant) -> None:
    broken = [claim.name for claim in wellformed(put_in(strict)).claims if claim.verdict == "violated"]
    assert broken == ["sends_a_revision: exactly one applies"]
