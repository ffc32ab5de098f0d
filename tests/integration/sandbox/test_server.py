"""The process: it survives kill -9, refuses hostile input in words, and its documents are true."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from bridge.kernel.gateway import Outcome
from bridge.sandbox.server.routes import ROUTES
from bridge.sandbox.wire import Credentials, derive_credentials, signed_headers
from tests.integration.sandbox.process import MASTER, ROUTING, SandboxProcess, order, until

GOOD = {"kind": "withdrawal", "amount": 100, "currency": "USD", "account_number": "A1", "routing_number": ROUTING}


def raw(bank, method, target, body=b"", *, who="meridian", headers=None, now=None) -> tuple[int, dict]:
    known = derive_credentials(MASTER, who) if who else Credentials("x", "y", "")
    signed = signed_headers(known, method, target, body, now or datetime.now(UTC))
    connection = http.client.HTTPConnection(urlsplit(bank.url).netloc, timeout=5)
    connection.request(method, target, body, signed | (headers or {}))
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    if reply.status >= 400:
        assert reply.headers["Content-Type"] == "application/problem+json"
    return reply.status, json.loads(content)


class TestSurvival:
    def test_kill_9_keeps_every_answered_effect(self, tmp_path):
        bank = SandboxProcess(tmp_path)
        bank.furnish()
        answered: list[str] = []

        def submit(worker: int) -> None:
            investors = bank.investor_bank()
            for number in range(100_000):
                key = f"{worker}-{number}"
                if investors.submit(order(key, amount=1)).outcome is not Outcome.SETTLED:
                    return
                answered.append(key)

        threads = [threading.Thread(target=submit, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(answered) > 200)
        bank.kill()
        for thread in threads:
            thread.join()
        bank.start()
        books = bank.books()
        kept = {i["key"] for i in books["instructions"] if i["status"] == "settled"}
        assert set(answered) <= kept
        assert bank.settlement().balance("USD").current == len(kept)
        assert books["total"] == {"USD": 0}
        assert bank.stop() == 0

    def test_what_was_due_and_the_clock_and_faults_survive(self, tmp_path):
        bank = SandboxProcess(tmp_path)
        bank.furnish(delay=3600)
        bank.control("POST", "/control/clock", {"advance_seconds": 86400})
        bank.control("POST", "/control/faults", {"fault": "reject", "key": "w2", "code": "R16"})
        bank.investor_bank().submit(order("w1"))
        bank.kill()
        bank.start()
        assert bank.control("GET", "/control/clock")["offset_seconds"] == 86400
        assert bank.investor_bank().submit(order("w2")).code == "R16"
        bank.control("POST", "/control/clock", {"advance_seconds": 3600})
        assert bank.investor_bank().find("w1").outcome is Outcome.SETTLED
        bank.stop()

    def test_second_process_on_the_same_state_says_why_it_cannot_start(self, tmp_path):
        bank = SandboxProcess(tmp_path)
        with pytest.raises(IndexError):  # it printed no address
            SandboxProcess(tmp_path)
        bank.stop()

    def test_it_answers_once_it_has_printed_its_address(self, tmp_path):
        bank = SandboxProcess(tmp_path)
        status, _ = raw(bank, "GET", "/healthz")
        bank.stop()
        assert status == 200


class TestSignIn:
    def test_wrong_key_old_time_changed_body_and_other_institution_are_401(self, bank):
        body = json.dumps(GOOD).encode()
        target, key = "/v1/meridian/instructions", {"Idempotency-Key": "k1"}
        old = datetime.fromtimestamp(time.time() - 400, UTC)
        assert raw(bank, "POST", target, body, who="", headers=key)[0] == 401
        assert raw(bank, "POST", target, body, now=old, headers=key)[0] == 401
        assert raw(bank, "POST", target, body, headers=key | {"X-Signature": "00"})[0] == 401
        assert raw(bank, "POST", target, body, who="harbor", headers=key)[0] == 401
        assert raw(bank, "GET", "/control/books")[0] == 401
        assert raw(bank, "POST", target, body, headers=key)[0] == 201


class TestMalformed:
    @pytest.mark.parametrize(
        "change",
        [
            {"amount": 0},
            {"amount": -1},
            {"amount": 10**15},
            {"amount": 1.5},
            {"amount": "100"},
            {"amount": True},
            {"amount": None},
            {"currency": "usd"},
            {"currency": "XQZ"},
            {"currency": 7},
            {"kind": "gift"},
            {"kind": []},
            {"account_number": ""},
            {"account_number": "A\x00"},
            {"account_number": "x" * 35},
            {"account_number": {"a": 1}},
            {"routing_number": "../.."},
            {"reference": "line\nbreak"},
            {"reference": "\ud800"},
            {"rail": "pigeon"},
            {"surplus": 1},
        ],
        ids=str,
    )
    def test_wrong_member_is_a_400_and_writes_nothing(self, bank, change):
        body = json.dumps(GOOD | change).encode()
        status, problem = raw(bank, "POST", "/v1/meridian/instructions", body, headers={"Idempotency-Key": "k"})
        assert (status, problem["code"]) == (400, "malformed")
        assert bank.books()["instructions"] == []

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b"null", b'{"amount": NaN}', b"[" * 100_000, b"1" * 9_000])
    def test_body_that_is_no_object_is_a_400(self, bank, body):
        assert raw(bank, "POST", "/v1/meridian/instructions", body, headers={"Idempotency-Key": "k"})[0] == 400

    @pytest.mark.parametrize("key", ["", "a b", "x" * 256])
    def test_bad_key_is_a_400(self, bank, key):
        body = json.dumps(GOOD).encode()
        assert raw(bank, "POST", "/v1/meridian/instructions", body, headers={"Idempotency-Key": key})[0] == 400

    @pytest.mark.parametrize(
        ("method", "target", "who", "status"),
        [
            ("GET", "/nowhere", "", 404),
            ("PUT", "/v1/meridian/instructions", "meridian", 405),
            ("BREW", "/healthz", "", 405),
            ("GET", "/v1/nobank/activity", "nobank", 404),
            ("GET", "/v1/meridian/activity?since=yesterday", "meridian", 400),
            ("GET", "/v1/meridian/activity?cursor=-1", "meridian", 400),
            ("GET", "/v1/meridian/instructions/%ff", "meridian", 400),
            ("GET", "/v1/meridian/accounts/none/balance", "meridian", 404),
            ("GET", "/v1/settlement/USD/statement", "settlement", 400),
            ("GET", "/v1/settlement/USD/statement?date=2026-02-30", "settlement", 400),
            ("GET", "/v1/settlement/USD/statement?date=2026-02-03&format=doc", "settlement", 400),
            ("GET", "/v1/settlement/ZZZ/balance", "settlement", 404),
            ("DELETE", "/control/faults?id=99", "control", 404),
        ],
    )
    def test_bad_address_is_a_4xx(self, bank, method, target, who, status):
        assert raw(bank, method, target, who=who)[0] == status

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("accounts", {"accounts": []}),
            ("accounts", {"accounts": [7]}),
            ("accounts", {"accounts": [{"institution": "none", "number": "1", "currency": "USD", "owner": "fund"}]}),
            ("clock", {"advance_seconds": -1}),
            ("clock", {}),
            ("faults", {"fault": "flood"}),
            ("faults", {"fault": "wrong_amount", "call": "balance"}),
            ("faults", {"fault": "reject", "probability": 2}),
            ("settings", {"timezone": "Mars/Base"}),
            ("settings", {"institutions": {"meridian": {"rails": {"wire": {"delay_seconds": "soon"}}}}}),
            ("settings", {"institutions": {"control": {}}}),
            ("settings", {"institutions": {"meridian": {"default_rail": ["x"]}}}),
            ("settlement/USD/movements", {"amount": 0}),
        ],
    )
    def test_bad_control_call_is_a_4xx(self, bank, path, body):
        assert raw(bank, "POST", f"/control/{path}", json.dumps(body).encode(), who="control")[0] == 400


class TestStatements:
    @pytest.fixture
    def day(self, bank):
        bank.investor_bank().submit(order("w1", amount=12_345))
        bank.fund_bank().submit(order("d1", "deposit", 2_345))
        bank.control("POST", "/control/instructions/d1/return", {"code": "R23"})
        bank.control("POST", "/control/settlement/USD/movements", {"amount": -25, "kind": "fee", "reference": "Charge"})
        return datetime.now(UTC).date()

    def test_json_and_csv_list_the_same_lines(self, bank, day):
        document = json.loads(bank.settlement().statement("USD", day))
        assert (document["opening_balance"], document["closing_balance"]) == (0, 12_320)
        kinds = [(line["kind"], line["direction"], line["amount"]) for line in document["lines"]]
        assert kinds == [
            ("withdrawal", "credit", 12_345),
            ("deposit", "debit", 2_345),
            ("return", "credit", 2_345),
            ("fee", "debit", 25),
        ]
        rows = bank.settlement().statement("USD", day, "csv").decode().splitlines()
        assert len(rows) == 6

    def test_camt053_adds_up_and_carries_keys_and_return_codes(self, bank, day):
        text = bank.settlement().statement("USD", day, "camt053")
        space = {"c": "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"}
        root = ElementTree.fromstring(text)
        signs = {"CRDT": 1, "DBIT": -1}
        amounts = [
            signs[entry.findtext("c:CdtDbtInd", "", space)] * round(float(entry.findtext("c:Amt", "", space)) * 100)
            for entry in root.iterfind(".//c:Ntry", space)
        ]
        assert sum(amounts) == 12_320
        assert [node.text for node in root.iterfind(".//c:EndToEndId", space)] == ["w1", "d1", "d1", "NOTPROVIDED"]
        assert [node.text for node in root.iterfind(".//c:RtrInf/c:Rsn/c:Prtry", space)] == ["R23"]

    def test_bai2_and_mt940_close_with_the_balance(self, bank, day):
        assert "015,12320" in bank.settlement().statement("USD", day, "bai2").decode()
        assert ":62F:C" in (mt940 := bank.settlement().statement("USD", day, "mt940").decode())
        assert "USD123,20" in mt940
        assert "RD23,45" in mt940

    def test_partial_statement_misses_lines(self, bank, day):
        bank.control("POST", "/control/faults", {"fault": "partial_statement", "count": 1, "keep": 0.5})
        shown = [len(json.loads(bank.settlement().statement("USD", day))["lines"]) for _ in range(2)]
        assert shown == [2, 4]


class TestDocuments:
    def test_openapi_document_names_exactly_the_routes_there_are(self, bank):
        _, document = raw(bank, "GET", "/openapi.json")
        named = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
        assert named == {(route.method, route.template) for route in ROUTES}
        references = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
        assert references <= set(document["components"]["schemas"])

    @pytest.mark.parametrize("path", ["accounts", "clock", "faults", "settings", "books"])
    def test_answers_have_the_shape_that_the_document_promises(self, bank, path):
        jsonschema = pytest.importorskip("jsonschema")
        bank.investor_bank().submit(order("w1"))
        bank.control("POST", "/control/faults", {"fault": "slow", "call": "balance"})
        _, document = raw(bank, "GET", "/openapi.json")
        promised = document["paths"][f"/control/{path}"]["get"]["responses"]["200"]
        schema = promised["content"]["application/json"]["schema"] | {"components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(bank.control("GET", f"/control/{path}"))

    def test_page_loads_nothing_from_elsewhere(self, bank):
        connection = http.client.HTTPConnection(urlsplit(bank.url).netloc)
        connection.request("GET", "/docs")
        page = connection.getresponse().read().decode()
        assert "/v1/{institution}/instructions" in page
        assert not re.search(r"(src|href)=\"https?:", page)
