"""Everything that claims read beside a state is found, wherever it occurs."""

from __future__ import annotations

from model.language import Promise, Sometimes
from model.language.transient import events_in, is_transient
from model.language.walk import unfolded
from model.reference.interpreter import Interpreter
from model.reference.state import initial_state
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from tests.toys.configurations import LOCK, LOCK_WORLD
from tests.toys.lock import Client, Turn, lend


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


def test_a_message_begins_in_the_step_that_sends_it_and_in_no_other() -> None:
    client, turn = lend.parameters
    begins = lend.begins(Client(client), Turn(turn)).node
    assert is_transient(begins)
    interpreter = Interpreter(LOCK, LOCK_WORLD)
    begun, states = [], [initial_state(LOCK, LOCK_WORLD)]
    for name in ("promise", "take", "give_back", "promise"):
        (step,) = [item for item in interpreter.enabled(states[-1], name) if item.choices[0][1] == "c1"]
        states.append(interpreter.apply(states[-1], step)[0])
        before, after = states[-2:]
        for number in (1, 2):
            values = {"client": "c1", "turn": number}
            found = interpreter.evaluate(begins, before, values, after=after)
            kept = [interpreter.forget_spent(state) for state in (before, after)]
            assert found == interpreter.evaluate(begins, kept[0], values, after=kept[1])
            begun += [(name, number)] * found
    assert begun == [("promise", 1), ("promise", 2)]
