"""The table of docs/PARAMETERS.md, from the catalogue and the policy's defaults."""

from __future__ import annotations

from transfers.admin.parameter_texts import shown
from transfers.parameters import PARAMETERS, SETTINGS_ONLY
from transfers.policy import BY_RAIL, Policy

HEAD = """# Parameters

How long Bridge waits, what it tolerates and when it stops: each name with its default. Written by
`manage.py parameters` from `transfers/parameters.py` and `transfers/policy.py`; `manage.py parameters --check` fails
when this page is not current. What people do with them is in [CONTROLS](CONTROLS.md).

**Who decides.** The first that says anything: the fund, the institution on that rail, the institution, the rail, the
house, the setting `BRIDGE_POLICY`, what is usual on the rail, the default below. For a withdrawal or a refund the
institution is the one of the investor's account, for a deposit or a recall the fund's; the rail is that of the account
or the fund (`ach`, `same_day_ach`, `fedwire`, `fednow`, `rtp`; empty: the institution's usual way, a wire).

**How they change.** One person proposes all values of a scope, with a reason and, if it is not to be at once, a moment;
another approves. The row is permanent, counts from its moment until the scope's next row, and never changes the past. A
unit of work reads what is in force once, when it first asks: a new row counts from the next unit of work on.

**Waits** are seconds, or business days of the Federal Reserve Banks ("2 business days"): until 19:00 in New York, when
Fedwire closes, on the business day that is so many after the day on which the wait begins; 0 is the same day's close.

**Amounts** are integers of minor units per currency, such as `{"USD": 25000000}`; the console takes "USD 250,000.00". A
currency that is not named has none.

| name | what it is | default | unit | source |
|---|---|---|---|---|
"""

TAIL = """
A retry of a deposit is for what passes with time only (`transfers/services/retrying.py`): ISO 20022 reason codes of an
agent that was offline, timed out or missed a cut-off. What becomes of a deposit that failed for good is set on the fund
(`on_deposit_failure`, refund by default), and so is an amount from which a second person must agree, where the fund has
one of its own. `lease` is set in `BRIDGE_POLICY` only: it is how the engine works, no matter of business.
"""


def render() -> str:
    """The whole page."""
    defaults, rows = Policy(), []
    for name, parameter in PARAMETERS.items():
        default = shown(parameter, getattr(defaults, name))
        usual = [f"{rail}: {shown(parameter, values[name])}" for rail, values in BY_RAIL.items() if name in values]
        unit = f"{parameter.unit} {', '.join(parameter.choices)}" if parameter.choices else str(parameter.unit)
        where = " (settings only)" if name in SETTINGS_ONLY else " (house only)" if parameter.house_only else ""
        says = f"{parameter.says}{where}"
        rows.append(f"| `{name}` | {says} | {'; '.join([default, *usual])} | {unit} | {parameter.source} |")
    return HEAD + "\n".join(rows) + "\n" + TAIL
