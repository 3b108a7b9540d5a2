"""A security key in software: it answers as a browser would with a real one behind it (WebAuthn level 2, "none"
attestation, ES256)."""

import base64
import hashlib
import json
import os
import struct

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SoftKey:
    """One key with one credential. `counts` False: its counter stays 0, as passkeys' do."""

    def __init__(self, origin="http://localhost", *, counts=True):
        self.origin, self.counts, self.count = origin, counts, 0
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(32)

    def create(self, options, **changes):
        """The answer to options of adding a key, as the page sends it. `changes`: rp_id, origin, challenge, type."""
        options = json.loads(options)
        numbers = self.private.public_key().public_numbers()
        cose = {
            1: 2,
            3: -7,
            -1: 1,
            -2: numbers.x.to_bytes(32, "big"),
            -3: numbers.y.to_bytes(32, "big"),
        }
        known = struct.pack(">16sH", bytes(16), len(self.id)) + self.id + cbor2.dumps(cose)
        rp_id = changes.get("rp_id", options["rp"]["id"])
        data = self._data(rp_id, PRESENT | VERIFIED | ATTESTED) + known
        response = {
            "clientDataJSON": encoded(self._client("webauthn.create", options, changes)),
            "attestationObject": encoded(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["usb", "made-up"],
        }
        return self._answer(response)

    def get(self, options, **changes):
        """The answer to options of signing in. `changes`: rp_id, origin, challenge, type, count, flags."""
        options = json.loads(options)
        self.count = changes.get("count", self.count + self.counts)
        data = self._data(changes.get("rp_id", options["rpId"]), changes.get("flags", PRESENT))
        client = self._client("webauthn.get", options, changes)
        signed = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": encoded(client),
            "authenticatorData": encoded(data),
            "signature": encoded(signed),
        }
        return self._answer(response)

    def _data(self, rp_id, flags):
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _client(self, kind, options, changes):
        said = {
            "type": changes.get("type", kind),
            "challenge": changes.get("challenge", options["challenge"]),
            "origin": changes.get("origin", self.origin),
        }
        return json.dumps(said).encode()

    def _answer(self, response):
        return json.dumps(
            {"id": encoded(self.id), "rawId": encoded(self.id), "type": "public-key", "response": response}
        )
