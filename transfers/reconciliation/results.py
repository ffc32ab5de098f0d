"""What one comparison found, before anything is written. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from transfers.reconciliation.matching import Difference, Matching


@dataclass(slots=True)
class Compared:
    """`judged`: the institutions that answered, whose open breaks may be judged again. `agreed`: institution and
    reference of everything on which both sides say the same. `problems`: who did not answer, and why. `unstated`:
    currencies whose settlement account moved on the day, without a statement to compare that with."""

    judged: set[str] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    agreed: set[tuple[str, str]] = field(default_factory=set)
    matched: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)
    unstated: list[str] = field(default_factory=list)

    def add(self, institution: str, matching: Matching) -> None:
        self.judged.add(institution)
        self.differences += matching.differences
        self.agreed |= {(institution, reference) for reference in matching.agreed}
        self.matched += matching.matched

    def by_reference(self) -> dict[tuple[str, str], Difference]:
        """One difference per institution and reference; the first found stands for the others."""
        found: dict[tuple[str, str], Difference] = {}
        for difference in self.differences:
            found.setdefault((difference.institution, difference.reference), difference)
        return found
