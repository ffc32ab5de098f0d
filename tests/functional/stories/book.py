"""Makes docs/STORIES.md of the stories: `python -m tests.functional.stories.book`, with `--check` only to compare.

It reads the tests' source. What a test expects is what the ledger says, or the test fails; so the page is true without
running anything. The T-accounts are added up from the postings, and must come to the balances of the last step.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from textwrap import dedent

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "STORIES.md"
CHAPTERS = ("crossings", "rejections", "returns", "doubles", "closings", "claims", "strangers")
AS_PLANNED = ("W1 withdrawal in transit {0} ← investor {0}", "W2 clearing {0} ← withdrawal in transit {0}",
              "D1 deposit in transit {0} ← clearing {0}", "D2 fund {0} ← deposit in transit {0}")  # fmt: skip
BEGINNINGS = {"approved": 0, "withdrawing": 1, "withdrawn": 2, "depositing": 3, "completed": 4}
WIDTH, ABREAST = 30, 3
PREFACE = """# Stories as T-accounts

Written by `python -m tests.functional.stories.book` from the tests in `tests/functional/stories`, which play each story
against the real services and the sandbox bank; with `--check` it fails when this page is not current.

One investor, one account at one bank, one fund at another, 1,000.00 US dollars. Between the two lies the *settlement
account*, a segregated account of the investors' money; what is in it and on its way to nobody yet is `clearing`. Each
step says what happened, which rows of the posting table were posted, and how things then stand.

- **Debit** is where money went to (+), **credit** where it came from (−). Both sides of a posting are equal.
- `investor` and `fund` are memorandum accounts: what moved through Bridge, not what somebody owns.
- `firm` is the firm's own money in the settlement account, `advance` what of it is out for a transfer: an open claim.
- `fees` were kept by banks on the way, `suspense` is money that nobody has identified, `outside` the rest of the world.
- `t2` is a transfer split off the first one, with a life of its own. *Blocked* means that people must decide, and why.

The states are explained in [the lifecycle](LIFECYCLE.md). Every story ends with all invariants checked and with the
bank's own books compared with ours; those that the bookkeeping model tells too end with its figures.

| row | what happened | row | what happened |
|---|---|---|---|
| W1 | withdrawal ordered | R1 | refund ordered |
| W2 | withdrawal settled | R2 | refund settled |
| W3 | withdrawal rejected, or never received | R3 | refund rejected |
| W4 | withdrawal returned | R4 | refund returned |
| W5 | withdrawal settled late, or twice | R5 | refund settled late, or twice |
| D1 | deposit ordered | A1 | the firm's advance repaid |
| D2 | deposit settled | A2 | the firm's advance written off |
| D3 | deposit rejected | A3 | the firm puts money in |
| D4 | deposit returned, or recalled | A4 | the firm tops up a short pay |
| D5 | deposit settled late, or twice | F1 | a bank charge on no payment |
| S1 | a receipt that nobody has identified | Z1 | frozen |
| S2 | a receipt identified | Z2 | released |
| S3 | a receipt sent back | X1 | split |
| | | X2 | our own mistake undone |
"""


@dataclass
class Step:
    prose: str
    rows: list[str]
    stands: list[str]
    balances: str


@dataclass
class Story:
    title: str
    intro: str
    begins: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def chapters() -> Iterator[tuple[str, list[Story]]]:
    for name in CHAPTERS:
        path = HERE / f"test_{name}.py"
        if path.exists():
            tree = ast.parse(path.read_text())
            yield (ast.get_docstring(tree) or name), [_story(node) for node in tree.body if _is_story(node)]


def _is_story(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def _story(node: ast.AST) -> Story:
    assert isinstance(node, ast.FunctionDef)
    words = node.name.removeprefix("test_").replace("_", " ")
    story = Story(words[0].upper() + words[1:], ast.get_docstring(node) or "")
    for call in sorted(_calls(node), key=lambda call: call.lineno):
        assert isinstance(call.func, ast.Attribute)
        if call.func.attr == "begins":
            where = ast.literal_eval(call.args[0])
            story.begins = [row.format("1,000.00") for row in AS_PLANNED[: BEGINNINGS[where]]]
        elif call.func.attr == "reads":
            story.steps.append(_step(*[str(ast.literal_eval(argument)) for argument in call.args]))
    return story


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and ast.unparse(call.func.value) == "page"
        ):
            yield call


def _step(prose: str, text: str) -> Step:
    lines = [" ".join(line.split()) for line in dedent(text).strip().splitlines()]
    *told, last = lines
    rows = [line for line in told if line[0].isupper()]
    return Step(prose, rows, [line for line in told if line not in rows], last.removeprefix("= "))


# --- on paper


def written() -> str:
    parts = [PREFACE]
    for intro, stories in chapters():
        parts.append(f"\n## {intro.splitlines()[0].rstrip('.')}\n")
        parts += [_page(story) for story in stories]
    return "\n".join(parts)


def _page(story: Story) -> str:
    lines = [f"### {story.title}", "", story.intro, ""]
    if story.begins:
        lines += [f"It begins with {', '.join(row.split()[0] for row in story.begins)}, as planned.", ""]
    lines += ["| | row | debit | credit | then |", "|---|---|---|---|---|"]
    for number, step in enumerate(story.steps, 1):
        lines.append(f"| {number} | | **{step.prose}** | | {'; '.join(map(_stands, step.stands))} |")
        for row in step.rows:
            code, debit, credit = _sides(row)
            lines.append(f"| | {code} | {debit} | {credit} | |")
    rows = [*story.begins, *(row for step in story.steps for row in step.rows)]
    if rows:
        lines += ["", "```text", *_t_accounts(rows, story), "```"]
    return "\n".join([*lines, ""])


def _stands(line: str) -> str:
    name, rest = line.split(" ", 1)
    return f"{name} `{rest}`"


def _sides(row: str) -> tuple[str, str, str]:
    code, rest = row.split(" ", 1)
    debit, credit = rest.split(" ← ")
    return code, debit.replace(" + ", "<br>"), credit.replace(" + ", "<br>")


def _entries(row: str) -> Iterator[tuple[str, str, str, str]]:
    """`(account, side, row, amount)` of each line; the tag of a transfer is left out, the account is the same."""
    code, rest = row.split(" ", 1)
    for side, text in zip(("debit", "credit"), rest.split(" ← "), strict=True):
        for part in text.split(" + "):
            name, amount = part.rsplit(" ", 1)
            yield re.sub(r" t\d+$", "", name), side, code, amount


def _t_accounts(rows: list[str], story: Story) -> list[str]:
    sides: dict[str, dict[str, list[str]]] = {}
    totals: Counter[str] = Counter()
    for row in rows:
        for name, side, code, amount in _entries(row):
            sides.setdefault(name, {"debit": [], "credit": []})[side].append(f"{code} {amount:>10}")
            totals[name] += _minor(amount) * (1 if side == "debit" else -1)
    _must_agree(totals, story)
    drawn = [_drawn(name, found, totals[name]) for name, found in sides.items()]
    lines: list[str] = []
    for start in range(0, len(drawn), ABREAST):
        abreast = drawn[start : start + ABREAST]
        lines += [
            "   ".join(part.ljust(WIDTH) for part in line).rstrip() for line in zip_longest(*abreast, fillvalue="")
        ]
        lines.append("")
    return lines[:-1]


def _drawn(name: str, found: dict[str, list[str]], total: int) -> list[str]:
    half = WIDTH // 2
    lines = [name.center(WIDTH).rstrip(), "─" * half + "┬" + "─" * (half - 1)]
    for debit, credit in zip_longest(found["debit"], found["credit"], fillvalue=""):
        lines.append(f"{debit:<{half}}│ {credit}".rstrip())
    if total:
        text = f"= {_money(abs(total)):>10}"
        lines += ["─" * half + "┼" + "─" * (half - 1)]
        lines.append(f"{text if total > 0 else '':<{half}}│ {'' if total > 0 else text}".rstrip())
    return lines


def _must_agree(totals: Counter[str], story: Story) -> None:
    """The T-accounts come to the balances of the last step."""
    last: Counter[str] = Counter()
    if story.steps[-1].balances != "nothing":
        for part in story.steps[-1].balances.split(" · "):
            name, amount = part.rsplit(" ", 1)
            last[re.sub(r" t\d+$", "", name)] += _minor(amount)
    left = {name: amount for name, amount in totals.items() if amount}
    assert left == {name: amount for name, amount in last.items() if amount}, (story.title, left, dict(last))


def _minor(amount: str) -> int:
    return int(amount.replace(",", "").replace(".", ""))


def _money(amount: int) -> str:
    return f"{amount // 100:,}.{amount % 100:02d}"


def main() -> int:
    text = written()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            print(f"{PAGE} is not current: run python -m tests.functional.stories.book")
            return 1
        return 0
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
