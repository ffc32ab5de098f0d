"""The funds of the demo and its logins: what they are for, in data. Amounts in minor units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.kernel.results import Role
from funds.services import NewFund

INVESTORS_BANK, FUNDS_BANK = "meridian", "harbor"
ROUTING = {INVESTORS_BANK: "021000021", FUNDS_BANK: "026009593"}
M = 1_000_000_00  # one million, in cents

FLAGSHIP, BUYOUT = "northlight-ventures-iv", "harborline-buyout-iii"
NEARLY_FULL, HIGH_MINIMUM = "kestrel-real-assets", "aldersgate-founders"
CLOSING_SOON, SMALL_CAP = "summit-bridge-loan-2026b", "orchard-street-opportunities"
HOLDS, EURO = "longstone-private-credit", "rheinufer-wohnen-europa"
PAUSED, CLOSED, DRAFT = "palisade-market-neutral", "harborline-buyout-ii", "tessera-climate"


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    name: str
    roles: tuple[Role, ...] = ()
    is_superuser: bool = False


LOGINS = (
    *(Login(f"investor{n}", f"Investor login {n}", (Role.INVESTOR,)) for n in range(1, 9)),
    Login("service1", "Wealth platform", (Role.SERVICE,)),
    Login("service2", "Subscription portal", (Role.SERVICE,)),
    Login("maker1", "Mara Kessler", (Role.MAKER,)),
    Login("maker2", "Tom Adeyemi", (Role.MAKER,)),
    Login("checker1", "Ines Halvorsen", (Role.CHECKER,)),
    Login("checker2", "Paul Winterbourne", (Role.CHECKER,)),
    Login("compliance1", "Dr. Lena Ostrowski", (Role.COMPLIANCE,)),
    Login("auditor1", "Gwen Farrow", (Role.AUDITOR,)),
    Login("admin", "Administrator", (), True),
)


def funds(now: datetime) -> list[NewFund]:
    """Funds as of `now`: each shows something that the others do not."""
    year = timedelta(days=365)

    def fund(number: int, code: str, name: str, kind: str, description: str, **given: object) -> NewFund:
        values: dict[str, object] = {
            "currency": "USD",
            "status": "open",
            "opens_at": now - timedelta(days=45),
            "closes_at": now + year,
            "minimum": 25_000_00,
            **given,
        }
        return NewFund(
            code=code,
            name=name,
            kind=kind,
            description=description,
            institution=FUNDS_BANK,
            account_number=f"88{number:06d}",
            routing_number=ROUTING[FUNDS_BANK],
            **values,  # type: ignore[arg-type]
        )

    return [
        fund(
            101,
            FLAGSHIP,
            "Northlight Ventures IV",
            "venture",
            "Early-stage software and life-science companies in North America. Ten-year term, capital called in full "
            "at subscription.",
            seat_limit=450,
            hard_cap=600 * M,
        ),
        fund(
            102,
            BUYOUT,
            "Harborline Buyout Partners III",
            "buyout",
            "Controlling stakes in family-owned manufacturers with revenues of 50 to 300 million dollars.",
            minimum=100_000_00,
            maximum=40 * M,
            seat_limit=250,
            hard_cap=800 * M,
        ),
        fund(
            103,
            NEARLY_FULL,
            "Kestrel Real Assets Club",
            "real_estate",
            "A club of few investors that owns logistics parks along the I-81 corridor. Almost all places are gone.",
            minimum=50_000_00,
            seat_limit=6,
            hard_cap=60 * M,
        ),
        fund(
            104,
            HIGH_MINIMUM,
            "Aldersgate Founders Fund",
            "venture",
            "Late-stage secondaries for institutions. Five million dollars or more per investor.",
            minimum=5 * M,
            seat_limit=40,
            hard_cap=900 * M,
        ),
        fund(
            105,
            CLOSING_SOON,
            "Summit Bridge Loan 2026-B",
            "credit",
            "Nine-month senior bridge loans to hotel developers. The books close tonight.",
            minimum=10_000_00,
            seat_limit=300,
            hard_cap=150 * M,
            closes_at=now + timedelta(hours=6),
        ),
        fund(
            106,
            SMALL_CAP,
            "Orchard Street Opportunities",
            "real_estate",
            "One mixed-use building, one raise of two million dollars. What does not fit waits.",
            seat_limit=60,
            hard_cap=2 * M,
        ),
        fund(
            107,
            HOLDS,
            "Longstone Private Credit",
            "credit",
            "Unitranche loans to mid-sized European companies, in dollars. Its administrator wants every failed "
            "deposit looked at by a person.",
            seat_limit=200,
            hard_cap=300 * M,
            on_deposit_failure="hold",
        ),
        fund(
            108,
            EURO,
            "Rheinufer Wohnen Europa",
            "real_estate",
            "Rented flats in Cologne, Lyon and Rotterdam. Euro only.",
            currency="EUR",
            minimum=20_000_00,
            seat_limit=150,
            hard_cap=250 * M,
        ),
        fund(
            109,
            PAUSED,
            "Palisade Market Neutral",
            "hedge",
            "Long-short equity. Subscriptions rest while the new prospectus is with the regulator.",
            status="paused",
            seat_limit=100,
            hard_cap=400 * M,
            closes_at=None,
        ),
        fund(
            110,
            CLOSED,
            "Harborline Buyout Partners II",
            "buyout",
            "Fully invested since last year; kept here for its investors' records.",
            status="closed",
            opens_at=now - 3 * year,
            closes_at=now - year,
            seat_limit=120,
            hard_cap=350 * M,
        ),
        fund(
            111,
            DRAFT,
            "Tessera Climate Infrastructure",
            "credit",
            "Grid batteries and district heat. In preparation; opens when its documents are signed.",
            status="draft",
            opens_at=now + timedelta(days=60),
            seat_limit=500,
            hard_cap=1_000 * M,
        ),
    ]


def account_number_of(code: str, *, now: datetime) -> str:
    """The account at the funds' bank of a fund of the demo."""
    return next(fund.account_number for fund in funds(now) if fund.code == code)
