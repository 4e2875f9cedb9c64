"""The only map from PKCS#11 return codes to our faults.

    PIN refused                       Misconfigured   never tried again: tokens lock after a few wrong PINs
    code that means wrong set-up      Misconfigured   mechanism or template that this token does not take
    code that may mean a bad record   RecordSuspect   inside this room only: a known answer decides, see `unwrap`
    everything else                   TokenFault      lost device, stale session, exhausted memory, unknown code

There is no retry: a keeper whose token fails is replaced as a whole, and finds its keys anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pkcs11

from strongroom_service.domain.errors import Fault, Misconfigured, TokenFault

_PIN: Final = (
    pkcs11.PinExpired,
    pkcs11.PinIncorrect,
    pkcs11.PinInvalid,
    pkcs11.PinLenRange,
    pkcs11.PinLocked,
    pkcs11.UserPinNotInitialized,
)
_SETUP: Final = (
    pkcs11.AttributeReadOnly,
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.FunctionNotSupported,
    pkcs11.KeySizeRange,
    pkcs11.KeyTypeInconsistent,
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.MultipleTokensReturned,
    pkcs11.SessionReadOnly,
    pkcs11.TemplateIncomplete,
    pkcs11.TemplateInconsistent,
    pkcs11.TokenWriteProtected,
)
# SoftHSM says GeneralError for a bad GCM tag, and for start-up races too: the code alone decides nothing.
_SUSPECT: Final = (
    pkcs11.DataInvalid,
    pkcs11.DataLenRange,
    pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange,
    pkcs11.GeneralError,
)


class RecordSuspect(Exception):
    """The token refused ciphertext: the record is bad, or the token is in trouble. Never leaves this room."""


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn a PKCS#11 error met while `doing` (fixed words for the log) into a fault.

    Raises:
        Misconfigured: the PIN was refused, or the token does not take what was asked.
        TokenFault: any other error.
    """
    try:
        yield
    except pkcs11.PKCS11Error as error:
        raise _fault_of(error, doing) from error


@contextmanager
def suspecting_record() -> Iterator[None]:
    """Set apart, while decrypting, the codes that a tampered record can cause; inside `translated`.

    Raises:
        RecordSuspect: one of those codes.
    """
    try:
        yield
    except pkcs11.PKCS11Error as error:
        # CKR_AEAD_DECRYPT_FAILED (PKCS#11 3.0) has no class in the library and comes as the bare base class.
        if isinstance(error, _SUSPECT) or type(error) is pkcs11.PKCS11Error:
            raise RecordSuspect from error
        raise


def _fault_of(error: pkcs11.PKCS11Error, doing: str) -> Fault:
    code = type(error).__name__
    if isinstance(error, _PIN):
        return Misconfigured(f"PIN refused by the token ({code}); not tried again: put the right PIN in the PIN file")
    if isinstance(error, _SETUP):
        return Misconfigured(f"the token does not take what is needed for {doing}: {code}")
    return TokenFault(f"token failed in {doing}: {code}")
