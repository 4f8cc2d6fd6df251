"""Scenarios that random runs find too rarely, in the form of `conformance.vectors.on_demand_scenarios`."""

from __future__ import annotations

from typing import Final

ON_THE_TOPIC: Final = """
    add_port h1 red; add_port h2 red; open_topic red; restart h1; restart h2; greet h1 1; greet h2 1; ask h1 red; ask h2 red
    accept h1 1 red 1; accept h2 1 red 1; hear_acceptance h1 1 red 1; hear_acceptance h2 1 red 1; finish_opening red
"""

_BOTH: Final = """
    add_port h1 red; add_port h2 red; add_port h1 blue; add_port h2 blue; restart h1; restart h2; greet h1 1; greet h2 1
"""
"""Two hosts with a port in each of two VPCs."""


def _on(vpc: str) -> str:
    """The VPC moves to its topic, with both hosts."""
    asked = "".join(
        f"ask {host} {vpc}; accept {host} 1 {vpc} 1; hear_acceptance {host} 1 {vpc} 1; " for host in ("h1", "h2")
    )
    return f"open_topic {vpc}; {asked}finish_opening {vpc}; "


def _alone(vpc: str) -> str:
    """One of two hosts leaves the topic: the VPC is small then."""
    return f"remove_port h2 {vpc} 0 1; end_subscription h2 {vpc}; "


_MEANWHILE: Final = (
    # One VPC leaves its topic while the other goes to its own.
    f"""
    {_on("red")} {_alone("red")} open_topic blue; close_topic red; ask h1 blue; leave h1 red; ask h2 blue
    accept h1 1 blue 1; decline h2 1 blue 1; hear_acceptance h1 1 blue 1; hear_refusal h2 1 blue 1
    end_subscription h2 blue; end_subscription h1 red; change_rules blue; finish_closing red; publish blue
    """,
    f"{_on('red')} {_alone('red')} close_topic red; open_topic blue; leave h1 red",
    f"""
    {_on("red")} {_alone("red")} close_topic red; leave h1 red; end_subscription h1 red; open_topic blue; finish_closing red
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; ask h2 blue; accept h1 1 blue 1; {_alone("red")} close_topic red; leave h1 red
    hear_acceptance h1 1 blue 1; ask_again h2 blue; give_up h2 blue; end_subscription h2 blue; finish_opening blue
    """,
    f"{_on('red')} open_topic blue; ask h1 blue; ask h2 blue; {_alone('red')} close_topic red; leave h1 red; ask_again h1 blue",
    f"""
    {_on("red")} open_topic blue; ask h1 blue; decline h1 1 blue 1; {_alone("red")} close_topic red; leave h1 red
    hear_refusal h1 1 blue 1
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; decline h1 1 blue 1; {_alone("red")} close_topic red; hear_refusal h1 1 blue 1
    leave h1 red
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; ask_again h1 blue; {_alone("red")} close_topic red; give_up h1 blue; leave h1 red
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; ask h2 blue; ask_again h1 blue; {_alone("red")} close_topic red; leave h1 red
    give_up h1 blue; ask_again h2 blue
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; ask h2 blue; ask_again h1 blue; accept h2 1 blue 1; {_alone("red")}
    close_topic red; leave h1 red; end_subscription h1 red; give_up h1 blue; hear_acceptance h2 1 blue 1
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; ask_again h1 blue; {_alone("red")} close_topic red; leave h1 red
    end_subscription h1 red; give_up h1 blue; finish_closing red
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; ask h2 blue; ask_again h2 blue; decline h1 1 blue 1; change_rules red
    hear_refusal h1 1 blue 1; publish red; change_rules red; give_up h2 blue; publish red
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; accept h1 1 blue 1; hear_acceptance h1 1 blue 1; ask h2 blue
    accept h2 1 blue 1; hear_acceptance h2 1 blue 1; {_alone("red")} close_topic red; leave h1 red; finish_opening blue
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; accept h1 1 blue 1; hear_acceptance h1 1 blue 1; ask h2 blue
    accept h2 1 blue 1; hear_acceptance h2 1 blue 1; {_alone("red")} close_topic red; finish_opening blue; leave h1 red
    """,
    f"""
    {_on("red")} open_topic blue; ask h1 blue; accept h1 1 blue 1; {_alone("red")} close_topic red
    hear_acceptance h1 1 blue 1; leave h1 red
    """,
    # Both leave.
    f"{_on('red')} {_on('blue')} {_alone('red')} close_topic red; remove_port h2 blue 0 1; leave h1 red",
    f"{_on('red')} {_on('blue')} {_alone('red')} close_topic red; {_alone('blue')} close_topic blue; leave h1 red; leave h1 blue",
    f"""
    {_on("red")} {_on("blue")} {_alone("red")} close_topic red; {_alone("blue")} close_topic blue; leave h1 red
    end_subscription h1 red; finish_closing red; leave h1 blue; end_subscription h1 blue; finish_closing blue
    """,
    f"""
    {_on("red")} {_on("blue")} {_alone("red")} close_topic red; {_alone("blue")} close_topic blue; leave h1 red
    end_subscription h1 red; leave h1 blue; finish_closing red
    """,
    f"{_on('red')} {_on('blue')} {_alone('blue')} close_topic blue; change_rules red; leave h1 blue; publish red; receive h1 red 1",
    f"{_on('red')} {_on('blue')} change_rules red; change_rules blue; publish red; publish blue; receive h1 red 1",
    f"{_on('red')} {_on('blue')} change_rules blue; {_alone('red')} close_topic red; publish blue; receive h2 blue 1",
    """
    open_topic red; ask h1 red; ask h2 red; ask_again h2 red; accept h1 1 red 1; hear_acceptance h1 1 red 1; give_up h2 red
    end_subscription h2 red; finish_opening red; change_rules red; publish red; learn h2 1 red 1; receive h1 red 1
    """,
    # An agent cannot subscribe to one topic while another delivers to it.
    f"""
    {_on("blue")} open_topic red; ask h1 red; change_rules blue; publish blue; decline h1 1 red 1; receive h1 blue 1
    ask_again h1 red; decline h1 1 red 2; consume h1 blue 1
    """,
)

SCENARIOS: Final = (
    *(("two-networks", _BOTH + scenario) for scenario in _MEANWHILE),
    ("a-network", ON_THE_TOPIC),
    (
        "a-network",
        f"{ON_THE_TOPIC}; change_rules red; publish red; receive h1 red 1; consume h1 red 1; acknowledge h1 1 red 1",
    ),
    (
        "a-network",
        f"""
        {ON_THE_TOPIC}
        change_rules red; publish red; remove_port h2 red 0 1; end_subscription h2 red; close_topic red; leave h1 red
        end_subscription h1 red; finish_closing red
        """,
    ),
    (
        "a-pretender",
        """
        add_port h1 red; add_port h2 red; open_topic red; forge_hello h2 1; greet h2 1; ask h2 red; attach_unasked h2 red
        change_rules red; publish red; change_rules red; publish red; discard h2 red 1; discard h2 red 2
        forge_acceptance h2 1 red 1; hear_acceptance h2 1 red 1
        """,
    ),
)

KEPT: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "a-group",
        """
        add_port h1 red; add_port h1 red; restart h1; greet h1 1; change_rules red; send_directly red; learn h1 1 red 1
        acknowledge h1 1 red 1; report_done red 1; regroup red 2; open_topic red; ask h1 red; accept h1 1 red 1
        hear_acceptance h1 1 red 1; finish_opening red; change_rules red; publish red; receive h1 red 2; consume h1 red 2
        acknowledge h1 1 red 2; report_done red 2; regroup red 1; close_topic red; leave h1 red; end_subscription h1 red
        finish_closing red
        """,
        "A group alone makes a VPC large, and alone makes it small again.",
    ),
)
