"""What institutions send us: verified, stored once, acknowledged."""

from __future__ import annotations

import json
import random
import string
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from standardwebhooks.webhooks import Webhook

from transfers.models import InboundCallback

URL = "/api/v1/callbacks/meridian"
BODY = json.dumps({"type": "instruction.settled", "data": {"key": "k1"}})


def signed(body: str = BODY, *, id: str = "msg_1", at: datetime | None = None, secret: str = "") -> dict[str, str]:
    secret = secret or settings.BRIDGE_GATEWAYS["meridian"]["webhook_secret"]
    at = at or datetime.now(UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(msg_id=id, timestamp=at, data=body),
    }


def send(body: str | bytes = BODY, headers: dict[str, str] | None = None, url: str = URL) -> Any:
    return Client(raise_request_exception=False).generic(
        "POST", url, body, content_type="application/json", headers=signed() if headers is None else headers
    )


@pytest.mark.django_db
class TestACallback:
    def test_is_stored_and_accepted(self) -> None:
        answer = send()

        assert answer.status_code == 202
        stored = InboundCallback.objects.get()
        assert (stored.institution, stored.callback_id, stored.body) == ("meridian", "msg_1", json.loads(BODY))
        assert stored.processed_at is None

    def test_that_comes_twice_is_accepted_and_stored_once(self) -> None:
        assert [send().status_code for _ in range(3)] == [202] * 3

        assert InboundCallback.objects.count() == 1

    def test_of_one_id_from_two_institutions_is_two(self) -> None:
        send()
        theirs = signed(secret=settings.BRIDGE_GATEWAYS["harbor"]["webhook_secret"])

        assert send(headers=theirs, url="/api/v1/callbacks/harbor").status_code == 202
        assert InboundCallback.objects.count() == 2

    def test_may_be_signed_with_either_secret_during_a_rotation(self) -> None:
        old, new = ("whsec_" + letter * 32 for letter in "AB")
        gateways = {"meridian": {**settings.BRIDGE_GATEWAYS["meridian"], "callback_secrets": [new, old]}}

        with override_settings(BRIDGE_GATEWAYS=gateways):
            assert send(headers=signed(secret=old, id="a")).status_code == 202
            assert send(headers=signed(secret=new, id="b")).status_code == 202
            assert send(headers=signed(id="c", secret="whsec_" + "C" * 32)).status_code == 401

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({**signed(), "webhook-signature": "v1,AAAA"}, 401),
            ({**signed(), "webhook-signature": "nonsense"}, 401),
            ({**signed(), "webhook-signature": "v1,é"}, 401),
            ({**signed(), "webhook-signature": "v1,a v1,b,c"}, 401),
            ({**signed(), "webhook-timestamp": "yesterday"}, 401),
            ({**signed(), "webhook-timestamp": "1e400"}, 401),
            (signed(at=datetime.now(UTC) - timedelta(minutes=6)), 401),
            (signed(at=datetime.now(UTC) + timedelta(days=1)), 401),  # signed at collection: the run may take a while
            (signed("another body"), 401),
            (signed(secret=settings.BRIDGE_GATEWAYS["harbor"]["webhook_secret"]), 401),
            ({}, 400),
            ({**signed(), "webhook-id": ""}, 400),
            (signed(id="i" * 101), 400),
            (signed(id="a b"), 400),
        ],
    )
    def test_with_wrong_headers_is_refused_and_not_stored(self, headers: dict[str, str], status: int) -> None:
        answer = send(headers=headers)

        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"
        assert not InboundCallback.objects.exists()

    @pytest.mark.parametrize("body", ["", "[]", "null", "{", '{"a": "\\u0000"}', '{"a": NaN}', '{"a": 1, "a": 2}'])
    def test_whose_body_is_no_clean_object_is_malformed(self, body: str) -> None:
        assert send(body, signed(body)).status_code == 400
        assert not InboundCallback.objects.exists()

    def test_that_is_too_large_is_not_read(self) -> None:
        body = json.dumps({"a": "x" * 70_000})

        assert send(body, signed(body)).status_code == 413

    def test_for_an_unknown_institution_is_a_404(self) -> None:
        assert send(url="/api/v1/callbacks/nobody").status_code == 404
        assert send(url="/api/v1/callbacks/meri%00dian").status_code == 404

    def test_whose_signature_is_spelt_another_way_is_refused(self) -> None:
        """The last letter of 32 bytes in base64 has two spare bits: four spellings decode to the same bytes."""
        headers = signed()
        letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
        right = headers["webhook-signature"]
        nearest = letters[letters.index(right[-2]) ^ 1]
        respelt = right[:-2] + nearest + right[-1]
        assert b64decode(respelt.partition(",")[2]) == b64decode(right.partition(",")[2])

        assert send(headers={**headers, "webhook-signature": respelt}).status_code == 401
        assert not InboundCallback.objects.exists()
        assert send(headers=headers).status_code == 202

    def test_that_was_changed_anywhere_is_never_a_server_error_and_never_stored(self) -> None:
        chance = random.Random(7)
        for _ in range(500):
            headers, body = signed(), bytearray(BODY.encode())
            if chance.random() < 0.5:
                name = chance.choice(list(headers))
                place = chance.randrange(len(headers[name]))
                letter = chr(chance.randrange(33, 255))
                changed = headers[name][:place] + letter + headers[name][place + 1 :]
                if changed == headers[name]:
                    continue
                headers[name] = changed
            else:
                body[chance.randrange(len(body))] ^= chance.randrange(1, 256)
            answer = send(bytes(body), headers)
            assert answer.status_code in (400, 401), (headers, bytes(body))
        assert not InboundCallback.objects.exists()
