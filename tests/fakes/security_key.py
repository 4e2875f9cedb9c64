"""A USB security key as far as its cable: CTAPHID packets in and out, a PIN with its counter, a finger that touches.

`CtapHidDevice` of python-fido2 runs on it as on a real one. Source: CTAP 2.1, sections 6.5 and 11.2.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from fido2.ctap import CtapError
from fido2.ctap2.pin import ClientPin
from fido2.hid import CTAPHID, CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor

from strongroom_client.authenticators.software_device import SoftwareDevice
from strongroom_client.authenticators.software_state import SoftwareState

PACKET = 64
TYPE_INIT = 0x80
BROADCAST = 0xFFFFFFFF
CHANNEL = 0x01020304
UP_NEEDED = 2
TRIES = 8
TRIES_AT_ONCE = 3


class PinDevice(SoftwareDevice):
    """Verifies its user by a PIN alone, as most security keys do."""

    def __init__(self, path: Path, *, pin: str | None, has_prf: bool = True) -> None:
        super().__init__(state=SoftwareState(path), has_prf=has_prf, prf_at_creation=False, backup_eligible=False)
        self._pin = pin
        self.tries = TRIES
        self._at_once = TRIES_AT_ONCE
        self._token = secrets.token_bytes(32)

    def _get_info(self, _: Mapping[int, Any]) -> Mapping[int, Any]:
        info = dict(super()._get_info({}))
        return {
            **info,
            4: {"rk": True, "up": True, "clientPin": self._pin is not None, "pinUvAuthToken": True},
            9: ["usb"],
        }

    def _client_pin(self, parameters: Mapping[int, Any]) -> Mapping[int, Any]:
        match parameters[2]:
            case ClientPin.CMD.GET_PIN_RETRIES:
                return {3: self.tries}
            case ClientPin.CMD.GET_TOKEN_USING_PIN:
                return {2: self._protocol.encrypt(self._shared(parameters[3]), self._token_for(parameters))}
            case _:
                return super()._client_pin(parameters)

    def _token_for(self, parameters: Mapping[int, Any]) -> bytes:
        if self._pin is None:
            raise CtapError(CtapError.ERR.PIN_NOT_SET)
        if not self.tries:
            raise CtapError(CtapError.ERR.PIN_BLOCKED)
        if not self._at_once:
            raise CtapError(CtapError.ERR.PIN_AUTH_BLOCKED)
        given = self._protocol.decrypt(self._shared(parameters[3]), parameters[6])
        if given != hashlib.sha256(self._pin.encode()).digest()[:16]:
            self.tries, self._at_once = self.tries - 1, self._at_once - 1
            blocked = CtapError.ERR.PIN_BLOCKED if not self.tries else CtapError.ERR.PIN_AUTH_BLOCKED
            raise CtapError(blocked if not self.tries or not self._at_once else CtapError.ERR.PIN_INVALID)
        self.tries, self._at_once = TRIES, TRIES_AT_ONCE
        return self._token

    def _make_credential(self, parameters: Mapping[int, Any]) -> Mapping[int, Any]:
        self._require_token(parameters.get(8), parameters[1])
        return super()._make_credential(parameters)

    def _get_assertion(self, parameters: Mapping[int, Any]) -> Mapping[int, Any]:
        if not parameters.get(5, {}).get("up", True):
            return super()._get_assertion(parameters)  # which credentials it has may be asked without the user
        self._require_token(parameters.get(6), parameters[2])
        return super()._get_assertion({**parameters, 5: {**parameters.get(5, {}), "uv": True}})

    def _require_token(self, given: bytes | None, client_data_hash: bytes) -> None:
        if given is None:
            raise CtapError(CtapError.ERR.PUAT_REQUIRED)
        if not hmac.compare_digest(given, self._protocol.authenticate(self._token, client_data_hash)):
            raise CtapError(CtapError.ERR.PIN_AUTH_INVALID)

    def _shared(self, key: Mapping[int, Any]) -> bytes:
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + key[-2] + key[-3])
        return self._protocol.kdf(self._agreement_key.exchange(ec.ECDH(), peer))


class Cable(CtapHidConnection):
    """Packets between a host and a key. `finger` is set while somebody touches it; `taken_out` breaks it."""

    def __init__(self, device: SoftwareDevice, *, touched: bool = True) -> None:
        self._device = device
        self.finger = threading.Event()
        if touched:
            self.finger.set()
        self.taken_out = False
        self.closed = False
        self.blinked = 0
        self._out: deque[bytes] = deque()
        self._request = b""
        self._wanted = 0
        self._command = 0
        self._pending: bytes | None = None
        self._cancelled = False

    def write_packet(self, data: bytes) -> None:
        self._require_plugged()
        assert len(data) == PACKET
        channel, first = struct.unpack_from(">IB", data)
        if first & TYPE_INIT:
            self._command, (self._wanted,) = first & ~TYPE_INIT, struct.unpack_from(">H", data, 5)
            if self._command == CTAPHID.CANCEL:
                self._cancelled = True
                return
            self._request = data[7:]
        else:
            self._request += data[5:]
        if len(self._request) >= self._wanted:
            self._handle(channel, self._request[: self._wanted])

    def read_packet(self) -> bytes:
        self._require_plugged()
        while not self._out:
            assert self._pending is not None, "the host waits for nothing"
            if self._cancelled:
                self._pending, self._cancelled = None, False
                self._send(CTAPHID.CBOR, bytes([CtapError.ERR.KEEPALIVE_CANCEL]))
            elif self.finger.wait(0.01):
                request, self._pending = self._pending, None
                self._send(CTAPHID.CBOR, self._device.call(CTAPHID.CBOR, request))
            else:
                self.blinked += 1
                self._send(CTAPHID.KEEPALIVE, bytes([UP_NEEDED]))
            self._require_plugged()
        return self._out.popleft()

    def close(self) -> None:
        self.closed = True

    def _handle(self, channel: int, request: bytes) -> None:
        if self._command == CTAPHID.INIT:
            answer = request[:8] + struct.pack(">IBBBBB", CHANNEL, 2, 5, 7, 1, self._device.capabilities)
            self._send(CTAPHID.INIT, answer, channel=BROADCAST)
            return
        assert (channel, self._command) == (CHANNEL, CTAPHID.CBOR)
        if request[0] in {0x01, 0x02, 0x0B}:  # what wants a touch
            self._pending, self._cancelled = request, False
        else:
            self._send(CTAPHID.CBOR, self._device.call(CTAPHID.CBOR, request))

    def _send(self, command: int, payload: bytes, *, channel: int = CHANNEL) -> None:
        room = PACKET - 7
        packets = [struct.pack(">IBH", channel, TYPE_INIT | command, len(payload)) + payload[:room]]
        rest, sequence = payload[room:], 0
        while rest:
            packets.append(struct.pack(">IB", channel, sequence) + rest[: PACKET - 5])
            rest, sequence = rest[PACKET - 5 :], sequence + 1
        self._out.extend(packet.ljust(PACKET, b"\0") for packet in packets)

    def _require_plugged(self) -> None:
        if self.taken_out:
            raise OSError("no such device")


def plugged_in(cable: Cable) -> CtapHidDevice:
    """What python-fido2 finds on the bus."""
    return CtapHidDevice(HidDescriptor("virtual", 0x1234, 0x5678, PACKET, PACKET, "virtual key", None), cable)
