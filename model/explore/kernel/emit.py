"""LLVM code for a grounded protocol: one function per action, one for the claims.

| function | result |
|---|---|
| `expand(state, out, counters) -> n` | writes the n successors of a state consecutively into `out` |
| `check(state) -> mask` | bit i: promise i is broken; bit 32 + j: claim j is reached |
| `no_end(state) -> 0 or 1` | whether the state is a deadlock if no role has an enabled action in it |
| `cut(state, counts) -> n` | the number of steps that are cut; adds them to `counts`, in the order of `cut_reasons` |
| `goals(state, out)` | two bits for each goal, see `model.explore.kernel.goals` |

`counters` are six 64-bit numbers that `expand` updates: transitions, those that change the state and are due to roles (not the
environment), a mask of promises about steps that were broken, a mask of claims about steps that were reached, a mask of the actions
that were taken, and the successors written.

A guard's single-bit tests on one word become one comparison, and instances that take the same message share one test of its bit, so
most of them are skipped in two operations.

With `labelled`, `expand` appends one more word to each successor: the number of the instance that leads to it.

With `switched`, `expand` calls for each action the function whose address follows the counters, instead of the action's own code.
One kernel thus explores many protocols that differ in one action.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from model.bad_input import BadInput
from model.explore.kernel.boolean import Expression
from model.explore.kernel.goals import GOALS_OF_A_WORD, Goal
from model.explore.kernel.ground import AFTER, Ground
from model.explore.kernel.instances import Instance
from model.explore.kernel.layout import Layout
from model.explore.kernel.standing import no_end
from model.language import Action, Message, Promise, Sometimes
from model.language.transient import is_transient

TRANSITIONS, PROGRESS, BROKEN, REACHED, ACTIONS, SUCCESSORS = range(6)
"""The counters, by position."""

ADDRESSES: Final = 8
"""The index in the counters of a switched kernel at which the addresses of the actions' functions start."""


STATE_BITS = 32
"""Promises about states and claims about states share one word."""

WORD_BITS = 64
"""Promises and claims about steps, and actions, have one word each."""


@dataclass(frozen=True)
class Claims:
    """What is checked, in the order of the masks' bits."""

    always: tuple[Promise, ...]
    two_state: tuple[Promise, ...]
    in_states: tuple[Sometimes, ...]
    in_steps: tuple[Sometimes, ...]
    goals: tuple[Goal, ...] = ()
    """The grounded eventualities."""


def sorted_claims(promises: Iterable[Promise], sometimes: Iterable[Sometimes]) -> Claims:
    """Separates claims about states from those about steps."""
    promises, sometimes = list(promises), list(sometimes)
    return Claims(
        tuple(promise for promise in promises if promise.kind == "always"),
        tuple(promise for promise in promises if promise.kind == "two-state"),
        tuple(claim for claim in sometimes if not is_transient(claim.formula)),
        tuple(claim for claim in sometimes if is_transient(claim.formula)),
    )


@dataclass
class _Code:
    """The text of a function, and the values computed in the current block."""

    layout: Layout
    lines: list[str] = field(default_factory=list)
    known: dict[object, str] = field(default_factory=dict)
    count: int = 0

    def put(self, text: str) -> str:
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.known = {}

    def new_label(self) -> str:
        self.count += 1
        return f"b{self.count}"

    # -------------------------------------------------------------------------------------------- expressions

    def truth(self, expression: Expression, words: Sequence[str], after: Sequence[str] = ()) -> str:
        """An expression as an i1."""
        if isinstance(expression, bool):
            return "true" if expression else "false"
        key = (expression, tuple(words), tuple(after))
        if key not in self.known:
            self.known[key] = self._truth(expression, words, after)
        return self.known[key]

    def _truth(self, expression: Expression, words: Sequence[str], after: Sequence[str]) -> str:
        kind = expression[0]
        if kind == "is" or (kind == "not" and expression[1][0] == "is"):
            return self._tests([expression], words, after, conjunction=True)[0]
        if kind == "not":
            return self.put(f"xor i1 {self.truth(expression[1], words, after)}, true")
        simple = [part for part in expression[1] if part[0] == "is" or (part[0] == "not" and part[1][0] == "is")]
        others = sorted((part for part in expression[1] if part not in simple), key=repr)
        tests = self._tests(simple, words, after, conjunction=kind == "and")
        tests += [self.truth(part, words, after) for part in others]
        result = tests[0]
        for test in tests[1:]:
            result = self.put(f"{kind} i1 {result}, {test}")
        return result

    def _tests(
        self, parts: list[Expression], words: Sequence[str], after: Sequence[str], *, conjunction: bool
    ) -> list[str]:
        """Tests of single fields, combined if they are on one word."""
        together: dict[str, list[tuple[int, int]]] = {}
        tests = []
        for part in sorted(parts, key=repr):
            positive = part[0] == "is"
            _, place, value = part if positive else part[1]
            slot = self.layout.slots[place % AFTER]
            word = (after if place >= AFTER else words)[slot.word]
            if not positive and len(slot.values) == 2:
                value = next(other for other in slot.values if other != value)
                positive = True
            code = slot.code(value)
            single = slot.width == 1
            if conjunction and positive:
                together.setdefault(word, []).append((slot.mask, code))
            elif not conjunction and single and positive:
                # one of several bits set, or one of several clear: the latter as bits of the inverted word
                inverted = word if code else f"~{word}"
                together.setdefault(inverted, []).append((slot.mask, slot.mask))
            else:
                masked = self.put(f"and i64 {word}, {_signed(slot.mask)}")
                compare = "eq" if positive else "ne"
                tests.append(self.put(f"icmp {compare} i64 {masked}, {_signed(code)}"))
        for word, fields in together.items():
            mask = sum(bits for bits, _ in fields)
            if conjunction:
                masked = self.put(f"and i64 {word}, {_signed(mask)}")
                tests.append(self.put(f"icmp eq i64 {masked}, {_signed(sum(code for _, code in fields))}"))
            elif word.startswith("~"):
                masked = self.put(f"and i64 {word[1:]}, {_signed(mask)}")
                tests.append(self.put(f"icmp ne i64 {masked}, {_signed(mask)}"))
            else:
                masked = self.put(f"and i64 {word}, {_signed(mask)}")
                tests.append(self.put(f"icmp ne i64 {masked}, 0"))
        return tests

    def add(self, counter: int, amount: str) -> None:
        """Adds to a counter."""
        pointer = self.put(f"getelementptr i64, ptr %counters, i64 {counter}")
        old = self.put(f"load i64, ptr {pointer}")
        self.do(f"store i64 {self.put(f'add i64 {old}, {amount}')}, ptr {pointer}")

    def mark(self, counter: int, bits: str) -> None:
        """Sets bits in a counter."""
        pointer = self.put(f"getelementptr i64, ptr %counters, i64 {counter}")
        old = self.put(f"load i64, ptr {pointer}")
        self.do(f"store i64 {self.put(f'or i64 {old}, {bits}')}, ptr {pointer}")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


class Emitter:
    """Generates the code of a grounded protocol."""

    def __init__(
        self,
        ground: Ground,
        layout: Layout,
        claims: Claims,
        *,
        forget_spent: bool,
        labelled: bool = False,
        switched: bool = False,
    ) -> None:
        join, keep = "join some of them by &", "delete those that follow from others"
        for what, given, most, remedy in (
            ("promises about states", claims.always, STATE_BITS, join),
            ("claims about states that must be reachable", claims.in_states, STATE_BITS, keep),
            ("promises about steps", claims.two_state, WORD_BITS, join),
            ("claims about steps that must be reachable", claims.in_steps, WORD_BITS, keep),
            ("actions", ground.actions, WORD_BITS, "leave some of them out by without, in several configurations"),
        ):
            if len(given) > most:
                raise BadInput(
                    f"{ground.protocol.name}: {len(given)} {what} exceed the limit of {most} per search; {remedy}"
                )
        self._ground = ground
        self._layout = layout
        self._claims = claims
        self._forget = forget_spent
        self._labelled = labelled
        self._switched = switched
        self._spent = {
            place: ground.spent(place)
            for place in layout.slots
            if isinstance(ground.places[place][0], Message) and forget_spent
        }
        self._spent_reads = {place: _fields(expression) for place, expression in self._spent.items()}

    def text(self) -> str:
        """The whole module."""
        actions = enumerate(self._ground.actions)
        inside = not self._switched
        parts = [self.function(f"action{number}", number, action, internal=inside) for number, action in actions]
        return "\n".join([*parts, self._expand(), self._check(), self._no_end(), self._cut(), self._goals()])

    def _expand(self) -> str:
        calls = ["define i64 @expand(ptr %state, ptr noalias %out, ptr noalias %counters) {"]
        total = "0"
        for number, action in enumerate(self._ground.actions):
            calls.append(f"  %p{number} = getelementptr i64, ptr %out, i64 {total}")
            function = f"@action{number}"
            if self._switched:
                calls.append(f"  %a{number} = getelementptr i64, ptr %counters, i64 {ADDRESSES + number}")
                calls.append(f"  %w{number} = load i64, ptr %a{number}")
                calls.append(f"  %f{number} = inttoptr i64 %w{number} to ptr")
                function = f"%f{number}"
            calls.append(f"  %n{number} = call i64 {function}(ptr %state, ptr %p{number}, ptr %counters)")
            calls.append(f"  %t{number} = add i64 {total}, %n{number}")
            total = f"%t{number}"
            assert action
        calls.append(f"  %written = udiv i64 {total}, {self._layout.words + self._labelled}")
        calls.append("  ret i64 %written\n}")
        return "\n".join(calls)

    def _load(self, code: _Code) -> list[str]:
        words = []
        for word in range(self._layout.words):
            pointer = code.put(f"getelementptr i64, ptr %state, i64 {word}")
            words.append(code.put(f"load i64, ptr {pointer}"))
        return words

    # ------------------------------------------------------------------------------------------------- actions

    def function(self, name: str, number: int, action: Action, *, internal: bool = True) -> str:
        """The function of an action, which writes its successors as `expand` does; `number`: its bit in the mask of taken ones."""
        code = _Code(self._layout)
        linkage = "internal " if internal else ""
        head = f"define {linkage}i64 @{name}(ptr %state, ptr noalias %out, ptr noalias %counters) {{\nentry:"
        code.do("%written = alloca i64")
        code.do("%taken = alloca i64")
        code.do("store i64 0, ptr %written")
        code.do("store i64 0, ptr %taken")
        words = self._load(code)
        groups: dict[tuple[int, ...], list[tuple[int, Instance]]] = {}
        for label, instance in enumerate(self._ground.instances):
            if instance.action is action:
                groups.setdefault(
                    tuple(message for message in instance.taken if message in self._layout.slots), []
                ).append((label, instance))
        grouped = [taken for taken in groups if taken]
        end = code.new_label()
        if len(grouped) > 1 and () not in groups:
            begin = code.new_label()
            any_taken = ("or", frozenset(("is", taken[0], 1) for taken in grouped))
            code.do(f"br i1 {code.truth(any_taken, words)}, label %{begin}, label %{end}")
            code.label(begin)
        for taken, instances in groups.items():
            after = code.new_label()
            if taken and len(instances) > 1:
                inside = code.new_label()
                test = code.truth(("is", taken[0], 1), words)
                code.do(f"br i1 {test}, label %{inside}, label %{after}")
                code.label(inside)
            for label, instance in instances:
                self._instance(code, label, instance, words)
            code.do(f"br label %{after}")
            code.label(after)
        code.do(f"br label %{end}")
        code.label(end)
        taken_count = code.put("load i64, ptr %taken")
        some = code.new_label()
        done = code.new_label()
        code.do(f"br i1 {code.put(f'icmp ne i64 {taken_count}, 0')}, label %{some}, label %{done}")
        code.label(some)
        code.add(TRANSITIONS, taken_count)
        code.mark(ACTIONS, str(_signed(1 << number)))
        code.do(f"br label %{done}")
        code.label(done)
        code.do(f"ret i64 {code.put('load i64, ptr %written')}")
        return "\n".join([head, *code.lines, "}"])

    def _instance(self, code: _Code, label: int, instance: Instance, words: list[str]) -> None:
        guard = code.truth(instance.guard, words)
        inside, after = code.new_label(), code.new_label()
        code.do(f"br i1 {guard}, label %{inside}, label %{after}")
        code.label(inside)
        taken = code.put("load i64, ptr %taken")
        code.do(f"store i64 {code.put(f'add i64 {taken}, 1')}, ptr %taken")
        new = self._assigned(code, instance, words)
        self._step_claims(code, instance, words, new)
        new = self._forgotten(code, instance, new)
        if new != words:
            self._write(code, label, instance, words, new, after)
        code.do(f"br label %{after}")
        code.label(after)

    def _assigned(self, code: _Code, instance: Instance, words: list[str]) -> list[str]:
        new = list(words)
        for assignment in instance.assignments:
            slot = self._layout.slots.get(assignment.field)
            if slot is None:
                continue
            word = new[slot.word]
            kept = code.put(f"and i64 {word}, {_signed(~slot.mask & (1 << 64) - 1)}")
            changed = code.put(f"or i64 {kept}, {_signed(slot.code(assignment.value))}")
            condition = code.truth(assignment.condition, words)
            new[slot.word] = (
                changed if condition == "true" else code.put(f"select i1 {condition}, i64 {changed}, i64 {word}")
            )
        return new

    def _step_claims(self, code: _Code, instance: Instance, words: list[str], new: list[str]) -> None:
        touched = {assignment.field for assignment in instance.assignments}
        for bit, promise in enumerate(self._claims.two_state):
            broken = self._ground.broken_by(promise, instance)
            if broken is not False:
                code.mark(BROKEN, self._bit(code, broken, bit, words, new))
        for bit, claim in enumerate(self._claims.in_steps):
            reached = self._ground.settle(self._ground.reached(claim, instance), touched)
            if reached is not False:
                code.mark(REACHED, self._bit(code, reached, bit, words, new))

    def _bit(self, code: _Code, expression: Expression, bit: int, words: list[str], new: list[str]) -> str:
        if expression is True:
            return str(_signed(1 << bit))
        return code.put(f"select i1 {code.truth(expression, words, new)}, i64 {_signed(1 << bit)}, i64 0")

    def _forgotten(self, code: _Code, instance: Instance, words: list[str]) -> list[str]:
        touched = {assignment.field for assignment in instance.assignments}
        new = list(words)
        for place, spent in self._spent.items():
            if place in touched or self._spent_reads[place] & touched:
                slot = self._layout.slots[place]
                kept = code.put(f"and i64 {new[slot.word]}, {_signed(~slot.mask & (1 << 64) - 1)}")
                condition = code.truth(spent, words, words)
                new[slot.word] = (
                    kept
                    if condition == "true"
                    else code.put(f"select i1 {condition}, i64 {kept}, i64 {new[slot.word]}")
                )
        return new

    def _write(self, code: _Code, label: int, instance: Instance, words: list[str], new: list[str], after: str) -> None:
        """Steps that lead back to the same state are counted, and not written."""
        difference = "0"
        for old_word, new_word in zip(words, new, strict=True):
            if old_word != new_word:
                difference = code.put(f"or i64 {difference}, {code.put(f'xor i64 {old_word}, {new_word}')}")
        write = code.new_label()
        code.do(f"br i1 {code.put(f'icmp ne i64 {difference}, 0')}, label %{write}, label %{after}")
        code.label(write)
        written = code.put("load i64, ptr %written")
        new = [*new, *([str(label)] if self._labelled else [])]
        for word, value in enumerate(new):
            index = code.put(f"add i64 {written}, {word}")
            code.do(f"store i64 {value}, ptr {code.put(f'getelementptr i64, ptr %out, i64 {index}')}")
        code.do(f"store i64 {code.put(f'add i64 {written}, {len(new)}')}, ptr %written")
        if not instance.action.role.environment:
            code.add(PROGRESS, "1")

    # -------------------------------------------------------------------------------------------------- claims

    def _check(self) -> str:
        code = _Code(self._layout)
        words = self._load(code)
        mask = "0"
        expressions = [(bit, self._ground.broken(promise)) for bit, promise in enumerate(self._claims.always)]
        expressions += [(32 + bit, self._ground.reached(claim)) for bit, claim in enumerate(self._claims.in_states)]
        for bit, expression in expressions:
            if expression is not False:
                mask = code.put(f"or i64 {mask}, {self._bit(code, expression, bit, words, words)}")
        code.do(f"ret i64 {mask}")
        return "\n".join(["define i64 @check(ptr %state) {", *code.lines, "}"])

    def _no_end(self) -> str:
        code = _Code(self._layout)
        words = self._load(code)
        holds = code.truth(no_end(self._ground), words)
        code.do(f"ret i64 {code.put(f'zext i1 {holds} to i64')}")
        return "\n".join(["define i64 @no_end(ptr %state) {", *code.lines, "}"])

    def _cut(self) -> str:
        code = _Code(self._layout)
        words = self._load(code)
        total = "0"
        for place, cut in enumerate(self._ground.cut_reasons()):
            count = "0"
            for step in self._ground.cuts:
                if step.why == cut:
                    one = code.put(f"zext i1 {code.truth(step.condition, words)} to i64")
                    count = code.put(f"add i64 {count}, {one}")
            code.add(place, count)
            total = code.put(f"add i64 {total}, {count}")
        code.do(f"ret i64 {total}")
        return "\n".join(["define i64 @cut(ptr %state, ptr noalias %counters) {", *code.lines, "}"])

    def _goals(self) -> str:
        code = _Code(self._layout)
        words = self._load(code)
        for first in range(0, len(self._claims.goals), GOALS_OF_A_WORD):
            found = "0"
            for place, goal in enumerate(self._claims.goals[first : first + GOALS_OF_A_WORD]):
                for bit, expression in ((2 * place, goal.premise), (2 * place + 1, goal.conclusion)):
                    if expression is not False:
                        found = code.put(f"or i64 {found}, {self._bit(code, expression, bit, words, words)}")
            pointer = code.put(f"getelementptr i64, ptr %out, i64 {first // GOALS_OF_A_WORD}")
            code.do(f"store i64 {found}, ptr {pointer}")
        code.do("ret i64 0")
        return "\n".join(["define i64 @goals(ptr %state, ptr %out) {", *code.lines, "}"])


def _fields(expression: Expression) -> set[int]:
    if isinstance(expression, bool):
        return set()
    if expression[0] == "is":
        return {expression[1] % AFTER}
    if expression[0] == "not":
        return _fields(expression[1])
    return set().union(*map(_fields, expression[1]))


def claim_expressions(ground: Ground, claims: Claims) -> list[Expression]:
    """All expressions that the claims read, for the layout."""
    found = [ground.broken(promise) for promise in claims.always]
    found += [ground.reached(claim) for claim in claims.in_states]
    found += [part for goal in claims.goals for part in (goal.premise, goal.conclusion)]
    for instance in ground.instances:
        found += [ground.broken_by(promise, instance) for promise in claims.two_state]
        found += [ground.reached(claim, instance) for claim in claims.in_steps]
    return [*found, no_end(ground)]
