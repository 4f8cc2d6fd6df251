"""Everything that claims read beside a state is found, wherever it occurs."""

from __future__ import annotations

from model.language import Promise, Sometimes
from model.language.transient import events_in, is_transient
from model.language.walk import unfolded
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND


def test_promises_about_states_are_about_nothing_else() -> None:
    for protocol in (ON_DEMAND, MESSAGE_QUEUE):
        for promise in protocol.promises:
            if promise.kind == "always":
                assert not is_transient(unfolded(promise.formula)), promise.name
                assert not events_in(promise.formula), promise.name


def test_what_reads_an_event_is_transient() -> None:
    claims: list[Promise | Sometimes] = [*ON_DEMAND.promises, *ON_DEMAND.sometimes]
    about = {claim.name: {item.name for item in events_in(claim.formula)} for claim in claims}
    assert any(about.values())
    for claim in claims:
        assert is_transient(claim.formula) or not about[claim.name], claim.name
    assert set().union(*about.values()) <= {symbol.name for symbol in ON_DEMAND.symbols if symbol.kind == "event"}
