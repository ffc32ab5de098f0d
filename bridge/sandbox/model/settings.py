"""How the bank behaves when nothing goes wrong: delays, rails, cut-offs, how long it keeps keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from bridge.sandbox.model.calendar import CALENDARS, parse_time, zone

WEEK = 7 * 24 * 3600


@dataclass(slots=True)
class Rail:
    """When an order settles. With all zeros it settles at once, in the reply.

    `business_days` and `cutoff` ("17:00") count in the bank's time zone on `calendar`; an order after the cut-off,
    or on a day off, counts as of the next business day's `opens`.
    """

    delay_seconds: float = 1.0
    business_days: int = 0
    cutoff: str = ""
    opens: str = "08:30"
    calendar: str = "every_day"

    def __post_init__(self) -> None:
        _check(isinstance(self.delay_seconds, int | float), "delay_seconds must be a number")
        _check(0 <= self.delay_seconds <= 366 * 86400, "delay_seconds must be between 0 and a year")
        _check(type(self.business_days) is int and 0 <= self.business_days <= 30, "business_days must be 0 to 30")
        _check(self.calendar in CALENDARS, f"calendar must be one of {', '.join(CALENDARS)}")
        parse_time(self.opens)
        if self.cutoff:
            parse_time(self.cutoff)


@dataclass(slots=True)
class InstitutionSettings:
    """`fee` is what the institution keeps of every payment on the way, in minor units."""

    name: str
    default_rail: str = "wire"
    rails: dict[str, Rail] = field(default_factory=lambda: {"wire": Rail(), "ach": Rail(delay_seconds=3.0)})
    fee: int = 0

    def __post_init__(self) -> None:
        _check(isinstance(self.name, str) and 0 < len(self.name) <= 100, "name must be a text of 1 to 100 characters")
        _check(self.default_rail in self.rails, f"default_rail must be one of {', '.join(self.rails)}")
        _check(type(self.fee) is int and 0 <= self.fee <= 10**9, "fee must be an integer of minor units")


def default_institutions() -> dict[str, InstitutionSettings]:
    return {
        "meridian": InstitutionSettings(name="Meridian Custody Bank"),
        "harbor": InstitutionSettings(name="Harbor Trust"),
    }


@dataclass(slots=True)
class Settings:
    """`timeout_seconds` is how long a silent connection is held. `callback_on_reply` also calls back what the reply
    has said already. Without `settlement_overdraft` a payment that the settlement account cannot cover is rejected.
    With `recall_honoured` a recalled deposit comes back by itself after the rail's delay."""

    table: ClassVar[str] = "settings"

    institutions: dict[str, InstitutionSettings] = field(default_factory=default_institutions)
    timeout_seconds: float = 2.0
    key_lifetime_seconds: float = WEEK
    timezone: str = "UTC"
    callback_on_reply: bool = False
    settlement_overdraft: bool = True
    recall_honoured: bool = False

    def __post_init__(self) -> None:
        for name, most in (("timeout_seconds", 300), ("key_lifetime_seconds", 10 * 366 * 86400)):
            value = getattr(self, name)
            _check(isinstance(value, int | float) and not isinstance(value, bool), f"{name} must be a number")
            _check(0 <= value <= most, f"{name} must be between 0 and {most}")
        for name in ("callback_on_reply", "settlement_overdraft", "recall_honoured"):
            _check(isinstance(getattr(self, name), bool), f"{name} must be true or false")
        zone(self.timezone)

    @property
    def pk(self) -> str:
        return "settings"


def settings_from(data: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """New settings: those of `base` with what `data` names put over them, down to single rails.

    Raises `ValueError` with a message for people where a name or value is wrong.
    """
    start = base or Settings()
    institutions = dict(start.institutions)
    named = data.get("institutions", {})
    _check(isinstance(named, Mapping), "institutions must be an object")
    for code, given in named.items():
        _check(code.isalnum() and code.islower() and len(code) <= 40, "an institution's code is lower-case letters")
        _check(code not in RESERVED_CODES, f"the code {code} is taken by the bank itself")
        institutions[code] = _institution(code, given, institutions.get(code))
    rest = {key: value for key, value in data.items() if key != "institutions"}
    _known(rest, Settings, "settings")
    kept = {f.name: getattr(start, f.name) for f in fields(Settings) if f.name != "institutions"}
    return Settings(institutions=institutions, **(kept | rest))


RESERVED_CODES = frozenset({"settlement", "bank", "control"})


def _institution(code: str, given: Any, base: InstitutionSettings | None) -> InstitutionSettings:
    _check(isinstance(given, Mapping), f"institutions.{code} must be an object")
    _known(given, InstitutionSettings, f"institutions.{code}")
    start = base or InstitutionSettings(name=code.title())
    rails = dict(start.rails)
    named = given.get("rails", {})
    _check(isinstance(named, Mapping), f"institutions.{code}.rails must be an object")
    for name, rail in named.items():
        _check(isinstance(rail, Mapping), f"rail {name} must be an object")
        _known(rail, Rail, f"rail {name}")
        before = rails.get(name, Rail())
        rails[name] = Rail(**({f.name: getattr(before, f.name) for f in fields(Rail)} | dict(rail)))
    return InstitutionSettings(
        name=given.get("name", start.name),
        default_rail=given.get("default_rail", start.default_rail),
        rails=rails,
        fee=given.get("fee", start.fee),
    )


def _known(data: Mapping[str, Any], cls: type[Any], where: str) -> None:
    unknown = set(data) - {f.name for f in fields(cls)}
    _check(not unknown, f"{where} has no {', '.join(sorted(map(str, unknown)))}")


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
