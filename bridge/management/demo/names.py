"""Believable investors from a seed: the same names, countries and account numbers in every installation. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

SEED = 20_261_123
_PEOPLE = {
    "US": (
        "James Maria Robert Linda Michael Patricia David Jennifer Carlos Angela Kevin Denise Andre Naomi Grace Walter",
        "Hale Okafor Bennett Castillo Whitfield Nguyen Sorensen Delgado Pruitt Abernathy Chaudhry Lindqvist Marlowe",
    ),
    "GB": (
        "Oliver Amelia Harriet George Imogen Rupert Fiona Alistair",
        "Ashworth Pemberton Kaur Gallagher Finch Lennox",
    ),
    "DE": (
        "Katharina Jürgen Anneliese Matthias Sabine Tobias Frauke",
        "Brandt Vogel Schäfer Lindner Kellermann Özdemir",
    ),
    "FR": ("Camille Étienne Margaux Théo Solène Bastien", "Lefèvre Moreau Garnier Chevalier Benali Rousselet"),
    "CH": ("Beat Regula Lukas Corinne Andrin", "Zumstein Bühler Wyss Rochat Bernasconi"),
    "CA": ("Claire Ethan Priya Gordon Mireille", "Tremblay MacLeod Singh Beaulieu Fraser"),
    "SG": ("Wei Ling Arjun Mei Hui Siti Jun", "Tan Lim Rajan Ong Chua"),
}
_FIRST = [
    "Cedar",
    "Granite",
    "Harbor",
    "Juniper",
    "Larkspur",
    "Meridian",
    "Northgate",
    "Oakhaven",
    "Pinnacle",
    "Quarry",
    "Ridgeline",
    "Saltmarsh",
    "Thornbury",
    "Umber",
    "Vantage",
    "Westbrook",
    "Yarrow",
    "Bluewater",
    "Cobalt",
    "Drummond",
    "Ellery",
    "Foxglove",
    "Greystone",
    "Hollins",
]
_FORMS = {
    "US": ("Family Office LLC", "Foundation", "Teachers' Pension Fund", "Endowment", "Capital Partners LP", "Trust"),
    "GB": ("Holdings Ltd", "Pension Scheme", "Charitable Trust"),
    "DE": ("Beteiligungs GmbH", "Versorgungswerk"),
    "FR": ("Patrimoine SAS", "Mutuelle"),
    "CH": ("Vorsorgestiftung", "Invest AG"),
    "CA": ("Holdings Inc.", "Pension Board"),
    "SG": ("Investments Pte. Ltd.", "Family Office Pte. Ltd."),
}
_WEIGHTS = {"US": 58, "GB": 9, "DE": 10, "FR": 7, "CH": 5, "CA": 6, "SG": 5}
EURO_HOMES = ("DE", "FR")


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """`balance` in minor units of `currency`, at the sandbox bank."""

    number: str
    name: str
    currency: str
    balance: int


@dataclass(frozen=True, slots=True)
class DemoInvestor:
    kind: str
    legal_name: str
    country: str
    email: str
    accounts: list[DemoAccount] = field(default_factory=list)


def investors(*, count: int = 200, seed: int = SEED) -> list[DemoInvestor]:
    """`count` investors with one or two accounts each; no name comes twice."""
    chance = random.Random(seed)  # noqa: S311 names, not secrets
    taken: set[str] = set()
    made: list[DemoInvestor] = []
    while len(made) < count:
        country = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        entity = chance.random() < 0.35
        name = _entity(chance, country) if entity else _person(chance, country)
        if name in taken:
            continue
        taken.add(name)
        number = len(made)
        made.append(
            DemoInvestor(
                kind="entity" if entity else "natural_person",
                legal_name=name,
                country=country,
                email=f"{'office' if entity else 'investor'}{number + 1:03}@example.com",
                accounts=list(_accounts(chance, number, country=country, entity=entity)),
            )
        )
    return made


def _person(chance: random.Random, country: str) -> str:
    first, last = _PEOPLE[country]
    middle = f"{chance.choice('ABCDEFGHJKLMNPRSTW')}. " if country in ("US", "CA") and chance.random() < 0.5 else ""
    return f"{chance.choice(first.split())} {middle}{chance.choice(last.split())}"


def _entity(chance: random.Random, country: str) -> str:
    stem = chance.choice(_FIRST) if chance.random() < 0.6 else chance.choice(_PEOPLE[country][1].split())
    return f"{stem} {chance.choice(_FORMS[country])}"


def _accounts(chance: random.Random, number: int, *, country: str, entity: bool) -> list[DemoAccount]:
    least, most = (2_000_000, 60_000_000) if entity else (250_000, 6_000_000)

    def account(place: int, name: str, currency: str) -> DemoAccount:
        whole = round(chance.uniform(least, most) / 1000) * 1000
        return DemoAccount(f"44{number:05d}{place}{(number * 7 + place * 3) % 10}", name, currency, whole * 100)

    made = [account(1, "Custody account" if entity else "Cash account", "USD")]
    if country in EURO_HOMES or (entity and chance.random() < 0.1):
        made.append(account(2, "Euro account", "EUR"))
    elif chance.random() < 0.2:
        made.append(account(3, "Reserve account", "USD"))
    return made
