"""The WebAuthn client role over any CTAP2 device, through python-fido2: a USB security key or the software device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from fido2.client import ClientError, DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap import CtapDevice
from fido2.ctap2.extensions import HmacSecretExtension
from fido2.webauthn import (
    AttestationConveyancePreference,
    AuthenticationExtensionsClientOutputs,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialCreationOptions,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialParameters,
    PublicKeyCredentialRequestOptions,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from strongroom_client.authenticators.ctap_errors import WrongPin, is_wrong_pin, pin_tries_left, translated
from strongroom_client.authenticators.port import (
    Assertion,
    Attestation,
    CredentialExcluded,
    NoMatchingCredential,
)

_Made = TypeVar("_Made")
_TRIES_KEPT = 3
_PUBLIC_KEY = PublicKeyCredentialType.PUBLIC_KEY


class CtapAuthenticator:
    """One device, with `user_interaction` to ask its user for touch and PIN. Implements the `Authenticator` port.

    `wrong_pin` is told how many tries are left before the PIN is asked for again.
    """

    def __init__(
        self,
        *,
        device: CtapDevice,
        user_interaction: UserInteraction,
        wrong_pin: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._device = device
        self._user_interaction = user_interaction
        self._wrong_pin = wrong_pin

    def make_credential(
        self,
        *,
        rp_id: str,
        origin: str,
        challenge: bytes,
        user_handle: bytes,
        user_name: str,
        algorithms: Sequence[int],
        exclude: Sequence[bytes],
        prf_input: bytes,
    ) -> Attestation:
        """Create a credential; see the port."""
        options = PublicKeyCredentialCreationOptions(
            rp=PublicKeyCredentialRpEntity(name=rp_id, id=rp_id),
            user=PublicKeyCredentialUserEntity(name=user_name, id=user_handle, display_name=user_name),
            challenge=challenge,
            pub_key_cred_params=[PublicKeyCredentialParameters(type=_PUBLIC_KEY, alg=alg) for alg in algorithms],
            exclude_credentials=_describe(exclude),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            attestation=AttestationConveyancePreference.NONE,
            extensions=_prf_extension(prf_input),
        )
        with translated(ineligible=CredentialExcluded("it already holds a passkey of this vault")):
            client = self._client(origin)
            created = self._with_right_pin(lambda: client.make_credential(options))
            return Attestation(
                credential_id=created.raw_id,
                client_data_json=bytes(created.response.client_data),
                attestation_object=bytes(created.response.attestation_object),
                transports=tuple(client.info.transports),
                prf_output=_prf_output(created.client_extension_results),
            )

    def get_assertion(
        self, *, rp_id: str, origin: str, challenge: bytes, allow: Sequence[bytes], prf_input: bytes
    ) -> Assertion:
        """Sign a challenge; see the port."""
        options = PublicKeyCredentialRequestOptions(
            challenge=challenge,
            rp_id=rp_id,
            allow_credentials=_describe(allow),
            user_verification=UserVerificationRequirement.REQUIRED,
            extensions=_prf_extension(prf_input),
        )
        with translated(ineligible=NoMatchingCredential("it holds no passkey of this vault")):
            client = self._client(origin)
            signed = self._with_right_pin(lambda: client.get_assertion(options)).get_response(0)
            return Assertion(
                credential_id=signed.raw_id,
                authenticator_data=bytes(signed.response.authenticator_data),
                client_data_json=bytes(signed.response.client_data),
                signature=signed.response.signature,
                user_handle=signed.response.user_handle,
                prf_output=_prf_output(signed.client_extension_results),
            )

    def _with_right_pin(self, ask: Callable[[], _Made]) -> _Made:
        """Ask again after a wrong PIN, as long as the device takes one and some tries are kept for later.

        A device counts wrong PINs itself: after three it must be plugged in anew, after eight it is blocked for good.
        """
        while True:
            try:
                return ask()
            except ClientError as error:
                if not is_wrong_pin(error):
                    raise
                left = pin_tries_left(self._device)
                if left <= _TRIES_KEPT:
                    raise WrongPin(left) from error
                self._wrong_pin(left)

    def _client(self, origin: str) -> Fido2Client:
        """Make a client for `origin`; the collector refuses an RP ID that is not the origin's domain or above it."""
        return Fido2Client(
            self._device,
            client_data_collector=DefaultClientDataCollector(origin),
            user_interaction=self._user_interaction,
            extensions=[HmacSecretExtension()],  # type: ignore[no-untyped-call]  # its constructor has no annotations
        )


def _describe(credential_ids: Sequence[bytes]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(type=_PUBLIC_KEY, id=credential_id) for credential_id in credential_ids]


def _prf_extension(prf_input: bytes) -> Mapping[str, object]:
    return {"prf": {"eval": {"first": prf_input}}}


def _prf_output(results: AuthenticationExtensionsClientOutputs) -> bytes | None:
    """Take the PRF output from the client's extension results (section 10.1.4), which go no further than here."""
    prf = results.prf
    if prf is None or prf.results is None:
        return None
    return bytes(prf.results.first)
