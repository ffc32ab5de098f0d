"""The page docs/LIFECYCLE.md, from the transitions of the model, the sets of states and the policy's waits.

Only the sentences are written here; a state without its sentence stops the command.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.kernel.waits import BusinessDays
from transfers.checks import PLACES_OF_MONEY
from transfers.models import Transfer
from transfers.policy import DAY, MINUTE, Policy
from transfers.states import EDGES, ENDED, HELD, LIVE, ON_THE_BRIDGE, RESERVING, UNANSWERED, InstructionState, State

HEAD = """# Lifecycle

Written by `manage.py lifecycle` from `transfers/states.py`, the transitions of `transfers/models/transfer.py`, and the
waits of `transfers/policy.py`; `manage.py lifecycle --check` fails when this page is not current.

A transfer has one protected field `state`. Its methods only stamp fields; services lock, decide, post, and write the
event. The database keeps the same edges: a statement-level trigger (`transfers/guards.py`) refuses a transfer whose
state changed without a legal edge, the next version and its event, and one that is inserted anywhere but where a
single edge leads from `requested`. A split child may also begin in `withdrawn` or `completed`.
"""

# What moves it next, and what else a reader should know.
NEXT: dict[State, str] = {
    State.REQUESTED: "its verification, in the same transaction: no row is ever stored in this state",
    State.IN_REVIEW: "a checker who did not ask for it: approve, reject; the owner: cancel",
    State.WAITLISTED: "a place that becomes free, in the order of requests; it outranks a review",
    State.APPROVED: "the engine, as the lowest approved number of its account; the rules run again",
    State.WITHDRAWING: "the investor's bank: reply, callback, or our question by key",
    State.WITHDRAWN: "`next_step`: `deposit` and `refund` are the engine's, `none` waits for people and has a blocker",
    State.DEPOSITING: "the fund's bank: reply, callback, or our question by key",
    State.COMPLETED: "nothing; a deposit that comes back reopens it, also after the window",
    State.REFUNDING: "the investor's bank: reply, callback, or our question by key",
    State.FROZEN: "compliance, two people; never the engine",
    State.FAILED: "nothing; money that arrives after all reopens it",
    State.REFUNDED: "nothing; a refund that comes back reopens it",
    State.RETURNED: "nothing; a return that is undone reopens it",
    State.REJECTED: "nothing",
    State.CANCELLED: "nothing",
    State.EXPIRED: "nothing",
}
DEADLINES: dict[State, tuple[tuple[str, str], ...]] = {
    State.IN_REVIEW: (("expires after", "review"),),
    State.WAITLISTED: (("expires after", "waitlist"),),
    State.APPROVED: (("the reservation expires after", "reservation"),),
    State.WITHDRAWING: (("asked by key after", "answer"), ("then at the latest every", "ask_last")),
    State.DEPOSITING: (("asked by key after", "answer"), ("then at the latest every", "ask_last")),
    State.REFUNDING: (("asked by key after", "answer"), ("then at the latest every", "ask_last")),
    State.COMPLETED: (("`final_at` after", "return_window"),),
}


@dataclass(frozen=True, slots=True)
class Instruction:
    meaning: str
    leaves_to: tuple[InstructionState, ...]


I = InstructionState  # noqa: E741
INSTRUCTIONS: dict[InstructionState, Instruction] = {
    I.PENDING: Instruction("must not be sent yet: the institution's circuit is open", (I.SUBMITTED,)),
    I.SUBMITTED: Instruction(
        "committed with its key; from this commit on it may be at the bank",
        (I.ACKNOWLEDGED, I.SETTLED, I.REJECTED, I.UNKNOWN),
    ),
    I.UNKNOWN: Instruction(
        "sent, and nobody knows whether the bank acted: asked by key, sent again under the same key only after the "
        "finality window, never taken for failed",
        (I.ACKNOWLEDGED, I.SETTLED, I.REJECTED),
    ),
    I.ACKNOWLEDGED: Instruction(
        "accepted; the bank's balances are net of it; the next withdrawal of the account may begin",
        (I.SETTLED, I.REJECTED),
    ),
    I.SETTLED: Instruction("the money has moved", (I.RETURNED,)),
    I.REJECTED: Instruction("the bank did not and will not act; a retry is a new instruction with a new key", ()),
    I.RETURNED: Instruction("the bank sent the money back after settlement", ()),
}


def render() -> str:
    """The whole page. Raises `KeyError` for a state that has no sentence."""
    parts = [HEAD, "## A transfer\n", _graph(), _states(), _transitions(), "## A bank instruction\n"]
    parts += [_instruction_graph(), _instructions(), _waits()]
    return "\n".join(parts)


def _graph() -> str:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> requested"]
    lines += [f"    {source} --> {target}: {name}" for source, target, name in _edges()]
    lines += [f"    {state} --> [*]" for state in State if state in ENDED]
    return "\n".join([*lines, "```", ""])


def _edges() -> list[tuple[State, State, str]]:
    """Every transition of the model in the order of `EDGES`, with the method that makes it."""
    field = Transfer._meta.get_field("state")
    names = {
        (State(str(found.source)), State(str(found.target))): found.name
        for found in field.get_all_transitions(Transfer)  # type: ignore[union-attr]
    }
    return [(source, target, names[source, target]) for source, targets in EDGES.items() for target in targets]


def _states() -> str:
    rows = ["| state | where the money is | hold | place in the fund | leaves to | what moves it next | deadline |"]
    rows.append("|---|---|---|---|---|---|---|")
    for state in State:
        hold = "held" if state in HELD else "–"
        leaves = ", ".join(f"`{target}`" for target in EDGES[state]) or "–"
        deadline = "; ".join(f"{words} {_span(name)}" for words, name in DEADLINES.get(state, ())) or "–"
        cells = (f"`{state}`", _money(state), hold, _place(state), leaves, NEXT[state], deadline)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, ""])


def _money(state: State) -> str:
    for kind, where in PLACES_OF_MONEY.items():
        if where == state:
            return f"ledger: `{kind}`"
    if state in ON_THE_BRIDGE:
        raise KeyError(state)
    if state == State.COMPLETED:
        return "the fund"
    return "with the investor" if state not in (State.RETURNED, State.REFUNDED) else "with the investor again"


def _place(state: State) -> str:
    if state == State.COMPLETED:
        return "confirmed"
    if state == State.WITHDRAWN:
        return "reserved, until a refund or freeze begins"
    return "reserved" if state in RESERVING else "–"


def _transitions() -> str:
    rows = [
        "Each edge is one method of `Transfer`, called by services only:",
        "",
        "| method | from | to |",
        "|---|---|---|",
    ]
    edges = _edges()
    for name in dict.fromkeys(name for _, _, name in edges):
        sources = ", ".join(f"`{source}`" for source, _, other in edges if other == name)
        (target,) = {target for _, target, other in edges if other == name}
        rows.append(f"| `{name}` | {sources} | `{target}` |")
    return "\n".join([*rows, ""])


def _instruction_graph() -> str:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> submitted", "    [*] --> pending"]
    for state, row in INSTRUCTIONS.items():
        lines += [f"    {state} --> {target}" for target in row.leaves_to]
    return "\n".join([*lines, "```", ""])


def _instructions() -> str:
    rows = ["| state | meaning | live | an account's next withdrawal waits | leaves to |", "|---|---|---|---|---|"]
    for state in InstructionState:
        row = INSTRUCTIONS[state]
        leaves = ", ".join(f"`{target}`" for target in row.leaves_to) or "–"
        live, waits = ("yes" if state in states else "no" for states in (LIVE, UNANSWERED))
        rows.append(f"| `{state}` | {row.meaning} | {live} | {waits} | {leaves} |")
    return "\n".join([*rows, ""])


def _waits() -> str:
    policy = Policy()
    return (
        "A transfer has at most one live instruction of a kind (`instruction_one_live`), an account at most one\n"
        'unanswered withdrawal (`withdrawal_one_unanswered`). "Not found" is no evidence until '
        f"{_span('finality')} after sending; nothing is\nsent again after {policy.resend_share} per cent of "
        f"the key's {_span('key_lifetime')}. `BRIDGE_POLICY` in the settings changes the waits; this page shows the\n"
        "defaults.\n"
    )


def _span(name: str) -> str:
    seconds = getattr(Policy(), name)
    if isinstance(seconds, BusinessDays):
        return str(seconds)
    for size, word in ((DAY, "day"), (3600, "hour"), (MINUTE, "minute"), (1, "second")):
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {word}{'s' if count != 1 else ''}"
    raise ValueError(seconds)
