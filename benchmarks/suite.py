"""Which figures are taken, in which order, and what becomes of them. Every rate stands between two runs of pgbench."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks import core, engine, hordak, intake, latency, reads, web
from benchmarks.people import AT_ONCE, People, fill, settle_in
from benchmarks.pgbench import Pgbench
from benchmarks.samples import Paired, Reference, percentile, summary
from benchmarks.servers import Servers, children, resident
from benchmarks.usage import usage

PARTS = ("engine", "core", "intake", "latency", "reads")
MORE = ("hordak",)  # only where asked for: it installs something
DATABASE = "bridge"
CORE_BATCH = 2_000
TWO = 2  # workers: what the goals are about; more are measured with the largest batch only


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `seconds` is what one sample should take, once its rate is known."""

    parts: Sequence[str] = PARTS
    samples: int = 3
    seconds: float = 5.0
    accounts: int = 10_000
    funds: int = 1_000
    batches: Sequence[int] = (1, 100, 500, 2_000)
    workers: Sequence[int] = (1, 2, 4)
    latencies: int = 100

    @classmethod
    def quick(cls, parts: Sequence[str] = PARTS) -> Plan:
        return cls(
            parts=parts, samples=3, seconds=2.0, accounts=4_000, batches=(500, 2_000), workers=(1, 2, 4), latencies=30
        )


class Suite:
    """One run over one fresh database."""

    def __init__(self, servers: Servers, plan: Plan, say: Callable[[str], None]) -> None:
        self._servers, self._plan, self._say = servers, plan, say
        self._pgbench = Pgbench(servers)
        self._reference = Reference(lambda: self._pgbench.rate(plan.seconds))
        self._rates: dict[tuple[int, int], float] = {}
        self.figures: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        plan = self._plan
        self.figures["settings"] = self._servers.settings() | {
            "cpus": str(os.cpu_count()),
            "python": platform.python_version(),
        }
        self._say("Preparing pgbench's database and ours …")
        self._pgbench.prepare()
        people = self._prepare()
        for part in plan.parts:
            getattr(self, f"_{part}")(people)
            self._reference.forget()
        self.figures["reference"] = summary(self._reference.seen) if self._reference.seen else None
        self.figures["memory_postgres_mb"] = _mb(self._servers.memory())
        self.figures["warning"] = self._reference.warning()
        self._say(self.figures["warning"] or "pgbench kept its pace.")
        self._check()
        return self.figures | headline(self.figures)

    def _prepare(self) -> People:
        import django
        from django.core.management import call_command
        from django.db import connection

        django.setup()
        self._servers.make_database(DATABASE, fresh=True)
        call_command("migrate", verbosity=0, interactive=False)
        people = settle_in(accounts=self._plan.accounts, funds=self._plan.funds)
        fill(people, people.funds, AT_ONCE)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")  # else autovacuum does it while the first samples are taken
        return people

    def _engine(self, people: People) -> None:
        found = self.figures["engine"] = {}
        for number in self._plan.workers:
            with engine.workers(number) as crew:
                crew.drain(batch=AT_ONCE)  # warm, and rid of what is left over
                for batch in self._plan.batches if number <= TWO else [max(self._plan.batches)]:
                    for name, funds in (("spread", people.funds), ("hot", people.hot)):
                        found[f"{name}_w{number}_b{batch}"] = self._drains(crew, people, funds, number, batch)
        with engine.workers(1) as crew:
            one = engine.sample(crew, people, people.funds, count=AT_ONCE * 2, batch=AT_ONCE, phases=True)
        self.figures["phases"] = _per_transfer(one)

    def _drains(
        self, crew: engine.Workers, people: People, funds: Sequence[Any], number: int, batch: int
    ) -> dict[str, Any]:
        paired, last = Paired(), None
        for _ in range(self._plan.samples):
            count = self._count(number, batch)

            def drain(count: int = count) -> float:
                nonlocal last
                watch = partial(usage, self._servers, DATABASE, backends=crew.backends)
                last = engine.sample(crew, people, funds, count=count, batch=batch, watch=watch)
                return last.rate

            self._rates[number, batch] = self._reference.around(drain, paired)
        assert last is not None
        name = "one hot fund" if len(funds) == 1 else f"{len(funds)} funds"
        self._say(
            f"engine, {number} worker(s), batches of {batch}, {name}: "
            f"{paired.rates[-1]:,.0f}/s, {paired.ratio:.2f} of pgbench"
        )
        return paired.as_json() | {
            "transfers_per_sample": last.transfers,
            "worker_cpu_us": round(last.cpu / last.transfers * 1e6, 1),
            "postgres": last.usage.per(last.transfers) if last.usage else None,
            "worker_memory_mb": _mb(last.memory),
        }

    def _count(self, number: int, batch: int) -> int:
        """So many transfers that a sample takes about the planned time; whole batches for every worker."""
        known = self._rates.get((number, batch))
        wanted = int(known * self._plan.seconds) if known else min(batch * number, 200)
        whole = max(1, round(wanted / (batch * number))) * batch * number
        return min(whole, self._plan.accounts)

    def _core(self, people: People) -> None:
        """The core alone, for how much of the engine's time its trail takes."""
        found = self.figures["core"] = {}
        most, plan = _most(self._plan.workers), self._plan
        with engine.workers(most) as crew:
            for name, funds in (("spread", plan.funds), ("hot", 1)):
                core.prepare(accounts=plan.accounts, funds=funds)
                crew.drain(batch=AT_ONCE, core=True)
                paired = Paired()
                for _ in range(plan.samples):
                    whole = max(1, round(paired.last * plan.seconds / (CORE_BATCH * most))) * CORE_BATCH * most
                    core.fill(count=whole, accounts=plan.accounts, funds=funds)
                    self._reference.around(partial(_core_rate, crew, whole), paired)
                found[f"{name}_w{most}_b{CORE_BATCH}"] = paired.as_json()
                self._say(f"core alone, {name}, {most} workers: {paired.last:,.0f}/s, {paired.ratio:.2f} of pgbench")

    def _hordak(self, people: People) -> None:
        """Our engine and django-hordak by turns; `times` is how many of theirs one of ours is worth."""
        found = self.figures["hordak"] = {}
        most, plan, batch = TWO, self._plan, max(self._plan.batches)
        with engine.workers(most) as crew, hordak.running(self._servers) as other:
            crew.drain(batch=AT_ONCE)
            for name, funds in (("spread", people.funds), ("hot", people.hot)):
                ours, theirs = Paired(), Paired()
                for _ in range(plan.samples):
                    count = min(max(1, round(ours.last * plan.seconds / (batch * most))) * batch * most, plan.accounts)
                    drain = partial(_engine_rate, crew, people, funds, count, batch)
                    self._reference.around(drain, ours)
                    rate = partial(other.rate, seconds=plan.seconds, hot=name == "hot")
                    self._reference.around(rate, theirs)
                times = [mine / his for mine, his in zip(ours.ratios, theirs.ratios, strict=True)]
                found[name] = {
                    "bridge": ours.as_json(),
                    "hordak": theirs.as_json(),
                    "times": summary(times, digits=2),
                }
                self._say(
                    f"{name}: ours {ours.last:,.0f}/s, {ours.ratio:.2f} of pgbench; "
                    f"django-hordak {theirs.last:,.0f}/s, {theirs.ratio:.2f}: {found[name]['times']['median']} times"
                )

    def _intake(self, people: People) -> None:
        with web.serving() as server:
            intake.single(server, people, count=16)
            single, bulk = Paired(), Paired()
            for _ in range(self._plan.samples):
                count = max(32, int(single.last * self._plan.seconds))
                self._reference.around(partial(intake.single, server, people, count=count), single)
            intake.bulk(server, people, rows=0, per_request=100)
            for _ in range(self._plan.samples):
                rows = int(bulk.last * self._plan.seconds)
                self._reference.around(partial(intake.bulk, server, people, rows=rows, per_request=1_000), bulk)
            self.figures["memory_web_mb"] = _mb(
                sum(resident(pid) for pid in [server.process.pid, *children(server.process.pid)])
            )
        self.figures["intake"] = single.as_json()
        self.figures["bulk"] = bulk.as_json()
        self._say(f"POST /transfers: {single.rates[-1]:,.0f}/s, {single.ratio:.3f} of pgbench")
        self._say(f"POST /transfers/bulk: {bulk.rates[-1]:,.0f} rows/s, {bulk.ratio:.2f} of pgbench")

    def _latency(self, people: People) -> None:
        with engine.workers(1) as crew:
            crew.drain(batch=AT_ONCE)
            full = engine.sample(crew, people, people.funds, count=AT_ONCE * 2, batch=AT_ONCE).rate
        with web.serving() as server, latency.celery():
            latency.measure(server, people, samples=5)
            idle = latency.measure(server, people, samples=self._plan.latencies)
            with latency.load(people, per_second=full / 2):
                busy = latency.measure(server, people, samples=self._plan.latencies)
        self.figures["latency"] = {"idle_ms": _spread(idle), "half_load_ms": _spread(busy)}
        self._say(f"request to completed: {_spread(idle)} ms idle, {_spread(busy)} ms at half load")

    def _reads(self, people: People) -> None:
        self.figures["balance_reads"] = reads.balances(people, count=min(2_000, self._plan.accounts))
        self._say(f"balance reads: {self.figures['balance_reads']}")

    def _check(self) -> None:
        """No figure counts when the books are wrong."""
        from bridge.kernel import invariants

        with engine.workers(1) as crew:
            crew.drain(batch=AT_ONCE)
        self._say("Checking the invariants …")
        broken = [verdict.name for verdict in invariants.verify_all() if not verdict.holds]
        self.figures["broken_invariants"] = broken
        if broken:
            raise RuntimeError(f"Broken after the benchmark: {', '.join(broken)}. Run manage.py check_ledger.")


def headline(figures: dict[str, Any]) -> dict[str, Any]:
    """The few numbers that are compared with the goals; None where they were not taken."""

    def best(name: str, part: str) -> float | None:
        found = figures.get(part, {})
        most = _most(int(key.split("_w")[1].split("_")[0]) for key in found)
        ratios = [row["ratio"]["median"] for key, row in found.items() if key.startswith(f"{name}_w{most}_")]
        return max(ratios, default=None)

    return {
        "ratio_spread": best("spread", "engine"),
        "ratio_hot": best("hot", "engine"),
        "ratio_core_spread": best("spread", "core"),
        "ratio_core_hot": best("hot", "core"),
        "ratio_intake": _ratio(figures.get("intake")),
        "ratio_bulk": _ratio(figures.get("bulk")),
        "ratio_hordak_spread": _times(figures, "spread"),
        "ratio_hordak_hot": _times(figures, "hot"),
        "ratio_workers": scaling(figures.get("engine", {})),
        "latency_ms": figures["latency"]["idle_ms"]["p50"] if "latency" in figures else None,
    }


def scaling(found: dict[str, Any]) -> dict[str, float]:
    """Per number of workers the ratio to pgbench, over many funds and with the largest batch that all of them had."""
    keys = [key.split("_") for key in found if key.startswith("spread_")]
    numbers = sorted({int(key[1][1:]) for key in keys})
    sizes = [{int(key[2][1:]) for key in keys if int(key[1][1:]) == number} for number in numbers]
    shared = max(set.intersection(*sizes), default=0) if sizes else 0
    return {str(n): found[f"spread_w{n}_b{shared}"]["ratio"]["median"] for n in numbers if shared}


def _most(numbers: Iterable[int]) -> int:
    """The largest number of workers up to the two that the goals are about."""
    every = list(numbers)
    return max([number for number in every if number <= TWO] or every, default=0)


def _engine_rate(crew: engine.Workers, people: People, funds: Sequence[Any], count: int, batch: int) -> float:
    return engine.sample(crew, people, funds, count=count, batch=batch).rate


def _core_rate(crew: engine.Workers, count: int) -> float:
    before = core.completed()
    seconds, _ = crew.drain(batch=CORE_BATCH, core=True)
    done = core.completed() - before
    if done != count:
        raise RuntimeError(f"{done} of {count} transfers of the core were completed.")
    return count / seconds


def _times(figures: dict[str, Any], name: str) -> float | None:
    """Against django-hordak in the same run."""
    return figures["hordak"][name]["times"]["median"] if "hordak" in figures else None


def _ratio(row: dict[str, Any] | None) -> float | None:
    return row["ratio"]["median"] if row else None


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {name: round(percentile(values, share), 1) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}


def _per_transfer(one: engine.Sample) -> dict[str, dict[str, float]]:
    """Microseconds and statements per transfer and phase."""
    return {
        name: {
            "wall_us": round(row["wall"] / one.transfers * 1e6, 1),
            "cpu_us": round(row["cpu"] / one.transfers * 1e6, 1),
            "statements": round(row["statements"] / one.transfers, 4),
        }
        for name, row in one.phases[0].items()
    }


def _mb(size: int) -> float:
    return round(size / 1e6, 1)
