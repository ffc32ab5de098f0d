"""Encryption of account numbers and credentials: AES-256-GCM with a key id, bound to the row it stands in.

Format of a sealed value: key id, a colon, then base64 of nonce (12 bytes) and ciphertext with tag. The associated
data names table, column and row, so that a value moved to another row does not open. Keys come from
`BRIDGE_FIELD_KEYS` (id → base64 of 32 bytes; the first one seals, all of them open), never from the repository. A new
key goes in front, and none is taken away, because what it sealed stays sealed with it. So the last one never changes:
it makes the hashes by which a number is found again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import uuid
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from bridge.kernel.errors import BridgeError

_NONCE = 12


class CannotOpen(BridgeError):
    code = "cannot_decrypt"
    status = 500
    title = "A stored secret cannot be opened"
    message = "A stored secret cannot be opened: its key '{key_id}' is missing, or the value was changed or moved."


def seal(plain: str, *, table: str, column: str, row: uuid.UUID) -> str:
    """Encrypt for exactly this place."""
    key_id, key = next(iter(settings.BRIDGE_FIELD_KEYS.items()))
    nonce = os.urandom(_NONCE)
    box = _cipher(key).encrypt(nonce, plain.encode(), _place(table, column, row))
    return f"{key_id}:{base64.b64encode(nonce + box).decode()}"


def unseal(sealed: str, *, table: str, column: str, row: uuid.UUID) -> str:
    """Decrypt. Raises `CannotOpen` where key, place or value do not fit."""
    key_id, _, body = sealed.partition(":")
    key = settings.BRIDGE_FIELD_KEYS.get(key_id)
    if key is None:
        raise CannotOpen(key_id=key_id)
    raw = binascii.a2b_base64(body)
    try:
        return _cipher(key).decrypt(raw[:_NONCE], raw[_NONCE:], _place(table, column, row)).decode()
    except InvalidTag as error:
        raise CannotOpen(key_id=key_id) from error


def blind_index(plain: str) -> str:
    """A keyed hash by which equal values can be found without being read. Of the last key, so that a new one in front
    changes nothing."""
    return _hash(plain, next(reversed(settings.BRIDGE_FIELD_KEYS.values())))


def blind_indexes(plain: str) -> list[str]:
    """The hash under every key: Bridge once made it with the key that was the first then."""
    return [_hash(plain, key) for key in settings.BRIDGE_FIELD_KEYS.values()]


def last_four(number: str) -> str:
    return number[-4:]


def _hash(plain: str, key: str) -> str:
    secret = hashlib.sha256(b"bridge blind index" + base64.b64decode(key)).digest()
    return hmac.new(secret, plain.encode(), hashlib.sha256).hexdigest()


def _place(table: str, column: str, row: uuid.UUID) -> bytes:
    return f"{table}.{column}:{row}".encode()


@cache
def _cipher(key: str) -> AESGCM:
    """One for each key that was ever configured: a few."""
    return AESGCM(base64.b64decode(key))
