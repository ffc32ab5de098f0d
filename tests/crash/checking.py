"""What must be true after a crash and its recovery. Pure: our report and the bank's books in, sentences out."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from tests.crash.cases import Case

LIVE = ("pending", "submitted", "acknowledged", "unknown")


def problems(
    case: Case,
    ours: dict[str, Any],
    bank: dict[str, Any],
    world: dict[str, Any],
    accepted: dict[str, str],
    *,
    opening: int,
) -> list[str]:
    """Everything that is wrong, in words; nothing, when the money is where both sides say and nothing came twice."""
    serial = next(iter(accepted)).partition(" ")[0]
    mine = [row for row in ours["transfers"] if row["external_id"].startswith(f"{serial} ")]
    numbers = {parts[name] for parts in world["transfers"] for name in ("account_number", "fund_number")}
    theirs = [row for row in bank["instructions"] if row["account_number"] in numbers]
    known = {row["id"] for row in mine}
    orders = [row for row in ours["instructions"] if row["transfer_id"] in known]
    return [
        *(f"{name} does not hold: {rows}" for name, rows in ours["broken"].items()),
        *_ends(case, mine, serial),
        *_one_each(mine, accepted),
        *_once_at_the_bank(theirs),
        *_same_on_both_sides(orders, theirs),
        *_ledger_is_the_bank(ours["ledger"], mine, theirs),
        *_accounts(bank, world, theirs, opening),
        *(f"event {row['event_id']} was told {row['times']} times" for row in ours["notified"]),
        *(f"callback {row['callback_id']} was never processed" for row in ours["callbacks"] if not row["processed_at"]),
        *(f"a statement is kept {row['times']} times" for row in ours["statements"] if row["times"] != 1),
        *_breaks_once(ours["breaks"]),
    ]


def _ends(case: Case, mine: list[dict[str, Any]], serial: str) -> list[str]:
    """Final, or blocked with its reason: exactly as this case must end."""
    found = {row["external_id"]: f"{row['state']} {row['blocker_code']}".strip() for row in mine}
    wanted = {f"{serial} {name}": state for name, state in zip(("first", "second"), case.ends, strict=True)}
    return [
        f"{name} ends as '{found.get(name)}', and not as '{state}'"
        for name, state in wanted.items()
        if found.get(name) != state
    ]


def _one_each(mine: list[dict[str, Any]], accepted: dict[str, str]) -> list[str]:
    times = Counter(row["external_id"] for row in mine)
    return [f"{name} was accepted once and exists {times[name]} times" for name in accepted if times[name] != 1]


def _effect(row: dict[str, Any]) -> int:
    return int(row["settled_amount"] - row["returned_amount"])


def _once_at_the_bank(theirs: list[dict[str, Any]]) -> list[str]:
    """The bank's own record alone: no transfer's leg moved money twice. A reference ends with its transfer."""
    times = Counter((row["reference"][-26:], row["kind"]) for row in theirs if _effect(row))
    return [f"the {kind} of {transfer} moved money {n} times" for (transfer, kind), n in times.items() if n > 1]


def _same_on_both_sides(orders: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[str]:
    here, there = ({row["key"]: row for row in rows} for rows in (orders, theirs))
    said = [f"the bank has {key}, which we do not know" for key in there.keys() - here.keys()]
    for key, row in here.items():
        known = there.get(key)
        if row["state"] in LIVE:
            said.append(f"{key} is still {row['state']}")
        elif row["state"] == "rejected" and known is not None and known["status"] != "rejected":
            said.append(f"{key} is rejected here and {known['status']} at the bank")
        elif row["state"] != "rejected" and (known is None or _effect(known) != _effect(row)):
            said.append(
                f"{key} is {row['state']} here with {_effect(row)}, at the bank with {known and _effect(known)}"
            )
    return said


def _ledger_is_the_bank(
    ledger: list[dict[str, Any]], mine: list[dict[str, Any]], theirs: list[dict[str, Any]]
) -> list[str]:
    """Per transfer: what our ledger says has left the investor and reached the fund is what the bank has moved."""
    moved: dict[tuple[str, str], int] = defaultdict(int)
    for row in theirs:
        moved[row["reference"][-26:], row["kind"]] += _effect(row)
    booked = {(row["transfer_id"], row["kind"]): row["amount"] for row in ledger}
    said = []
    for row in mine:
        tail = row["tail"]
        for place, amount in {
            "cash": moved[tail, "refund"] - moved[tail, "withdrawal"] + moved[tail, "deposit"],
            "clearing": moved[tail, "withdrawal"] - moved[tail, "deposit"] - moved[tail, "refund"],
        }.items():
            if booked.get((row["id"], place), 0) != amount:
                said.append(
                    f"{place} of {row['external_id']}: {booked.get((row['id'], place), 0)}, by the bank {amount}"
                )
    return said


def _accounts(bank: dict[str, Any], world: dict[str, Any], theirs: list[dict[str, Any]], opening: int) -> list[str]:
    """The accounts at the bank hold what its own record of orders explains, and all money adds up to nothing."""
    current = {row["number"]: row["current"] for row in bank["accounts"]}
    signs = {"withdrawal": -1, "refund": 1, "deposit": 1}
    said = [f"the bank's {currency} adds up to {total}" for currency, total in bank["total"].items() if total]
    for parts in world["transfers"]:
        for name, before in (("account_number", opening), ("fund_number", 0)):
            number = parts[name]
            explained = sum(signs[row["kind"]] * _effect(row) for row in theirs if row["account_number"] == number)
            if current[number] != before + explained:
                said.append(f"account {number} holds {current[number]}, and not {before + explained}")
    return said


def _breaks_once(breaks: list[dict[str, Any]]) -> list[str]:
    times = Counter((row["institution"], row["reference"], row["kind"]) for row in breaks)
    return [f"the break {place} is open {n} times" for place, n in times.items() if n > 1]
