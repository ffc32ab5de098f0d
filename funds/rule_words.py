"""Values of rules in words: what each sets, in money where it is money, and what it takes the place of."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html

from bridge.approvals.models import Approval
from bridge.kernel import clock
from bridge.kernel.money import display, is_currency
from funds.models import RuleParameters
from funds.rules.catalogue import BY_ID
from funds.rules.registry import TRANSFER, Rule, Values
from funds.rules.wording import value_words

S = RuleParameters.State


def activation_words(approval: Approval) -> list[tuple[str, object]]:
    """What it sets, each value with the one that it takes the place of; those are known only until it is decided."""
    row = RuleParameters.objects.select_related("fund").filter(pk=approval.subject_id).first()
    rule = BY_ID.get(row.rule) if row is not None else None
    if row is None or rule is None:  # the second of an earlier version
        return []
    new, old = approval.seen.get("values", {}), _replaced(row) if approval.state == Approval.State.OPEN else None
    url = f"{reverse('admin:funds_rule_replay')}?draft={row.pk}"
    replay = format_html('<a class="bridge-link" href="{}">replay it over past transfers</a>', url)
    return [
        ("rule", rule.asks),
        ("for", row.fund.name if row.fund else "all funds that have no values of their own"),
        *changed_values(rule=rule, new=new, old=old, currency=row.fund.currency if row.fund else ""),
        ("what it would change", replay),
    ]


def _replaced(row: RuleParameters) -> dict[str, Any]:
    """The values that are in force where these would begin."""
    begins = max(clock.now(), row.effective_from)
    others = RuleParameters.objects.filter(
        Q(effective_to__isnull=True) | Q(effective_to__gt=begins),
        Q(fund__isnull=True) | Q(fund=row.fund),
        rule=row.rule,
        state=S.ACTIVE,
        effective_from__lte=begins,
    )
    found = sorted(others, key=lambda other: other.fund_id is not None)
    return found[-1].values if found else {}


def changed_values(*, rule: Rule, new: Values, old: Values | None, currency: str = "") -> list[tuple[str, str]]:
    """Each value that is set or that goes back to its default, as (name, words). `old` None: not known any more.

    `currency` is the fund's, empty for all funds.
    """
    after, before = _whole(rule, new), _whole(rule, old) if old is not None else None
    lines = []
    for name, parameter in rule.parameters.items():
        same = before is None or before[name] == after[name]
        if name not in new and same:
            continue
        value = _words(rule, name, after, currency)
        if before is not None:
            unchanged = f"{value}, as before"
            value = unchanged if same else f"{_words(rule, name, before, currency)} → {value}"
        note = "" if name in new else " (the default, because it is left out)"
        about = parameter.help.partition(";")[0].rstrip(".").replace(", in minor units", "")  # `value` is money by now
        lines.append((name.replace("_", " "), f"{value}{note}: {about[:1].lower()}{about[1:]}"))
    return lines or [("values", "the defaults, as before" if old is not None else "the defaults")]


def _whole(rule: Rule, values: Values) -> Values:
    """With the defaults, and without what only an earlier version of the rule knew."""
    return rule.values({name: value for name, value in values.items() if name in rule.parameters})


def _words(rule: Rule, name: str, values: Values, currency: str) -> str:
    """One value for the eye. An amount in the currency of each transfer is in the fund's, where there is one."""
    value: Any = values[name]
    if isinstance(value, bool) or not isinstance(value, int) or rule.parameters[name].currency != TRANSFER:
        return value_words(rule, name, values)
    if is_currency(currency):
        return display(value, currency)
    return f"{value_words(rule, name, values)} (as {display(value, 'USD')})"
