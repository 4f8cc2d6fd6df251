"""A trace as a sequence diagram: lifelines, the messages that are received, and the steps.

The same diagram is drawn as text, in Mermaid and as SVG. A message is drawn at the step that receives it, with the number of the
step that sent it if that is not the step before. A message that is not received ends between lifelines, at the step that sent it.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

from model.language import Message, Protocol, Role
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, Trace, Tuple


@dataclass(frozen=True)
class Arrow:
    """A message between two lifelines, which are given by their places. `arrives`: whether it is received."""

    source: int
    target: int
    label: str
    arrives: bool


@dataclass(frozen=True)
class Note:
    """A step, at the lifeline of its role."""

    lifeline: int
    step: int
    label: str


@dataclass(frozen=True)
class Diagram:
    """Lifelines from left to right, and rows from top to bottom."""

    title: str
    lifelines: tuple[str, ...]
    rows: tuple[Arrow | Note, ...]
    loop: int | None = None
    """The number of rows before those that repeat for ever; None if none do."""


def printable(text: str) -> str:
    """The text in one line, without characters that control a terminal or that XML does not allow: files are not trusted."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def call_of(name: str, arguments: Tuple) -> str:
    """A name with its arguments: name(a, b)."""
    return f"{name}({', '.join(map(str, arguments))})"


def diagram_of(trace: Trace, protocol: Protocol) -> Diagram:
    """The diagram of a trace."""
    return _Drawing(trace, protocol).diagram()


class _Drawing:
    def __init__(self, trace: Trace, protocol: Protocol) -> None:
        self._trace = trace
        self._interpreter = Interpreter(protocol, trace.configuration)
        self._actions = {action.name: action for action in protocol.actions}
        self._messages = protocol.messages
        self._lifelines: list[str] = []
        seen: dict[str, str] = {}
        for role in protocol.roles:
            members = trace.configuration.sorts[role.each.__name__] if role.each is not None else (role.name,)
            for member in members:
                # Several roles of a member share one lifeline: a Byzantine agent is drawn where a correct one would be.
                seen.setdefault(member, role.name if role.each is None else f"{role.name} {member}")
        self._places = {member: place for place, member in enumerate(seen)}
        self._lifelines = list(seen.values())

    def diagram(self) -> Diagram:
        taken = [self._taken(number) for number in range(len(self._trace.steps))]
        ever = {key for keys in taken for key in keys}
        sent: dict[tuple[str, Tuple], int] = {}
        rows: list[Arrow | Note] = []
        loop = None
        for number, step in enumerate(self._trace.steps):
            loop = len(rows) if number == self._trace.loop else loop
            actor = self._actor(step)
            for name, arguments in taken[number]:
                message = next(known for known in self._messages if known.name == name)
                since = sent.get((name, arguments), number - 1)
                late = f"  (sent in step {since + 1})" if since != number - 1 else ""
                source = self._place(message.sender, message, arguments, self._actor(self._trace.steps[since]))
                target = self._place(message.receiver, message, arguments, actor)
                rows.append(Arrow(source, target, f"{call_of(name, arguments)}{late}", True))
            rows.append(Note(actor, number + 1, self._label(step)))
            for message in self._messages:
                before = self._trace.states[number].relations[message.name]
                for arguments in sorted(self._trace.states[number + 1].relations[message.name] - before):
                    sent[message.name, arguments] = number
                    if (message.name, arguments) not in ever:
                        source = self._place(message.sender, message, arguments, actor)
                        anybody = self._anybody(message.receiver)
                        target = self._place(message.receiver, message, arguments, anybody)
                        rows.append(Arrow(source, target, call_of(message.name, arguments), False))
        return Diagram(printable(self._trace.description), tuple(self._lifelines), tuple(rows), loop)

    def _taken(self, number: int) -> list[tuple[str, Tuple]]:
        step, state = self._trace.steps[number], self._trace.states[number]
        given = dict(step.choices)
        return [
            (take.symbol.name, tuple(self._interpreter.evaluate(argument, state, given) for argument in take.arguments))
            for take in self._actions[step.action].takes
        ]

    def _place(self, role: Role, message: Message[Any], arguments: Tuple, otherwise: int) -> int:
        """The lifeline of a message's sender or receiver; `otherwise` if the message does not identify the member of the role."""
        if role.each is None:
            return self._places[role.name]
        fields = zip(message.parameters, arguments, strict=True)
        return next((self._places[str(value)] for field, value in fields if field.sort is role.each), otherwise)

    def _anybody(self, role: Role) -> int:
        """The first lifeline of a role."""
        members = self._trace.configuration.sorts[role.each.__name__] if role.each is not None else (role.name,)
        return self._places[members[0]]

    def _actor(self, step: Occurrence) -> int:
        role = self._actions[step.action].role
        return self._places[role.name if role.each is None else str(step.choices[0][1])]

    def _label(self, step: Occurrence) -> str:
        role = self._actions[step.action].role
        choices = step.choices if role.each is None else step.choices[1:]
        return call_of(step.action, tuple(value for _, value in choices))


# ---------------------------------------------------------------------------------------------------------- text

GAP_MIN, GAP_MAX = 12, 36
"""The columns between two lifelines."""

LEGEND = "■ step   ▶ message received   × message not received here"


def as_text(diagram: Diagram, width: int = 120) -> str:
    """The diagram as text. Labels that would pass the right edge are moved to the left, over the lifelines."""
    gap = max(GAP_MIN, min(GAP_MAX, (width - 10) // max(len(diagram.lifelines) - 1, 1)))
    columns = [4 + gap * place for place in range(len(diagram.lifelines))]
    lines = [_heading(diagram.lifelines, columns)]
    for row in diagram.rows:
        lines += _note(row, columns, width) if isinstance(row, Note) else _arrow(row, columns, width)
    lines += [_bars(columns), LEGEND]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _heading(lifelines: tuple[str, ...], columns: list[int]) -> str:
    line = ""
    for name, column in zip(lifelines, columns, strict=True):
        start = max(column - len(name) // 2, len(line) + 1)
        line = line.ljust(start) + name
    return line


def _bars(columns: list[int]) -> str:
    line = ""
    for column in columns:
        line = line.ljust(column) + "│"
    return line


def _over(line: str, start: int, text: str) -> str:
    return line.ljust(start)[:start] + text + line[start + len(text) :]


def _note(row: Note, columns: list[int], width: int) -> list[str]:
    label, column = f"{row.step}. {row.label}", columns[row.lifeline]
    if column + len(label) + 2 <= width:
        return [_over(_bars(columns), column, f"■ {label}")]
    return [_over(_bars(columns), max(column - len(label) - 1, 0), f"{label} ■")]


def _arrow(row: Arrow, columns: list[int], width: int) -> list[str]:
    start, end = sorted((columns[row.source], columns[row.target]))
    rightwards = row.target > row.source
    end_mark = ("▶" if rightwards else "◀") if row.arrives else "×"
    length = end - start - 1
    if not row.arrives:
        length = length // 2
    body = "─" * (length - 1)
    text = f"{body}{end_mark}" if rightwards else f"{end_mark}{body}"
    line = _over(_bars(columns), start + 1 if rightwards or row.arrives else end - length, text)
    label = f" {row.label} "
    if len(label) <= length - 4:
        place = (start + 3) if rightwards else (end - length + 3)
        return [_over(line, place, label)]
    return [_over(_bars(columns), max(min(start + 2, width - len(row.label)), 0), row.label), line]


# ------------------------------------------------------------------------------------------------------- mermaid


def as_mermaid(diagram: Diagram, marked: int | None = None) -> str:
    """The diagram in Mermaid. `marked`: the number of a step to highlight. The steps that repeat for ever have a frame."""
    lines = ["sequenceDiagram"]
    lines += [f"    participant L{place} as {name}" for place, name in enumerate(diagram.lifelines)]
    for place, row in enumerate(diagram.rows):
        if place == diagram.loop:
            lines.append("    loop for ever")
        if isinstance(row, Note):
            note = f"    Note over L{row.lifeline}: {row.step}. {row.label}"
            lines += ["    rect rgb(255, 214, 214)", note, "    end"] if row.step == marked else [note]
        else:
            arrow = "->>" if row.arrives else "-x"
            lines.append(f"    L{row.source}{arrow}L{row.target}: {row.label}")
    if diagram.loop is not None:
        lines.append("    end")
    return "\n".join(lines) + "\n"


# ----------------------------------------------------------------------------------------------------------- svg

_STEP, _GAP_MIN, _MARGIN_MIN = 30, 200, 70
LETTER = 7.4
"""The width of a letter at this size; generous, since fonts differ."""
_escaped = partial(escape, quote=False)
_FONT = "font-family='ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace' font-size='12'"
_TITLE_LINE = 16


def as_svg(diagram: Diagram) -> str:
    """The diagram as an SVG picture, as wide as its longest labels need."""
    columns, width = _svg_columns(diagram)
    title = textwrap.wrap(diagram.title, int((width - 32) / LETTER)) if diagram.title else []
    head = 22 + _TITLE_LINE * len(title)
    top = head + 58
    height = top + _STEP * (len(diagram.rows) + 2)
    foot = height - 40
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>",
        "<defs><marker id='head' viewBox='0 0 10 10' refX='9' refY='5' markerWidth='7' markerHeight='7' orient='auto'>"
        "<path d='M0 0 L10 5 L0 10 z' fill='#1f5fa8'/></marker></defs>",
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
    ]
    for place, line in enumerate(title):
        parts.append(f"<text x='16' y='{22 + _TITLE_LINE * place}' {_FONT} fill='#555555'>{_escaped(line)}</text>")
    for name, x in zip(diagram.lifelines, columns, strict=True):
        half = max(52, round(len(name) * LETTER / 2) + 10)
        parts.append(f"<line x1='{x}' y1='{head + 28}' x2='{x}' y2='{foot}' stroke='#b5bcc6' stroke-dasharray='3 4'/>")
        parts.append(
            f"<rect x='{x - half}' y='{head}' width='{2 * half}' height='28' rx='5' fill='#eef3f9' stroke='#8aa4c4'/>"
        )
        parts.append(
            f"<text x='{x}' y='{head + 19}' text-anchor='middle' {_FONT} font-weight='bold'>{_escaped(name)}</text>"
        )
    for place, row in enumerate(diagram.rows):
        y = top + _STEP * place
        parts += _svg_note(row, columns, y) if isinstance(row, Note) else _svg_arrow(row, columns, y)
    parts.append(
        f"<text x='16' y='{height - 14}' {_FONT} fill='#555555'>blue: message received; "
        "red, with ×: message not received here</text>"
    )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _note_half(row: Note) -> int:
    return round(LETTER * len(f"{row.step}. {row.label}") / 2) + 8


def _svg_columns(diagram: Diagram) -> tuple[list[int], int]:
    """The positions of the lifelines and the width of the picture, with room for every note and label."""
    last = len(diagram.lifelines) - 1
    left = right = _MARGIN_MIN
    gap = _GAP_MIN
    for row in diagram.rows:
        if isinstance(row, Arrow):
            gaps = 1 if not row.arrives else max(abs(row.source - row.target), 1)
            gap = max(gap, round((len(row.label) * LETTER + 24) / gaps))
            continue
        left = max(left, _note_half(row) + 8 if row.lifeline == 0 else 0)
        right = max(right, _note_half(row) + 8 if row.lifeline == last else 0)
    columns = [left + gap * place for place in range(last + 1)]
    return columns, columns[-1] + right


def _svg_note(row: Note, columns: list[int], y: int) -> list[str]:
    half, x = _note_half(row), columns[row.lifeline]
    label = _escaped(f"{row.step}. {row.label}")
    return [
        f"<rect x='{x - half}' y='{y - 15}' width='{2 * half}' height='22' rx='4' fill='#fff6dc' stroke='#d8b64c'/>",
        f"<text x='{x}' y='{y}' text-anchor='middle' {_FONT}>{label}</text>",
    ]


def _svg_arrow(row: Arrow, columns: list[int], y: int) -> list[str]:
    start, end = columns[row.source], columns[row.target]
    color, head, anchor, x = "#1f5fa8", "marker-end='url(#head)'", "middle", (start + end) // 2
    if not row.arrives:
        # The line ends behind its label; both begin at the sender.
        sign = 1 if end > start else -1
        color, head, anchor, x = "#b03a3a", "", "start" if sign > 0 else "end", start + 8 * sign
        end = start + sign * max((columns[1] - columns[0]) // 2, round(len(row.label) * LETTER) + 18)
    parts = [f"<line x1='{start}' y1='{y}' x2='{end}' y2='{y}' stroke='{color}' stroke-width='1.4' {head}/>"]
    if not row.arrives:
        cross = f"M{end - 4} {y - 4} L{end + 4} {y + 4} M{end - 4} {y + 4} L{end + 4} {y - 4}"
        parts.append(f"<path d='{cross}' stroke='{color}' stroke-width='1.6'/>")
    parts.append(
        f"<text x='{x}' y='{y - 6}' text-anchor='{anchor}' {_FONT} fill='{color}' "
        f"stroke='#ffffff' stroke-width='4' paint-order='stroke'>{_escaped(row.label)}</text>"
    )
    return parts
