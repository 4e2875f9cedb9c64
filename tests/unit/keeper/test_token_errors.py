from __future__ import annotations

import pkcs11
import pytest

from strongroom_service.domain.errors import Misconfigured, TokenFault
from strongroom_service.keeper.token.errors import RecordSuspect, suspecting_record, translated

MISCONFIGURED = {
    pkcs11.PinIncorrect,
    pkcs11.PinLocked,
    pkcs11.PinExpired,
    pkcs11.MechanismInvalid,
    pkcs11.TemplateInconsistent,
    pkcs11.AttributeValueInvalid,
    pkcs11.MultipleTokensReturned,
}
LOST = {
    pkcs11.DeviceError,
    pkcs11.DeviceRemoved,
    pkcs11.TokenNotPresent,
    pkcs11.NoSuchToken,
    pkcs11.SlotIDInvalid,
    pkcs11.FunctionFailed,
    pkcs11.SessionHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.ObjectHandleInvalid,
    pkcs11.KeyHandleInvalid,
    pkcs11.OperationActive,
    pkcs11.UserNotLoggedIn,
    pkcs11.DeviceMemory,
    pkcs11.HostMemory,
    pkcs11.SessionCount,
}
SUSPECT = {pkcs11.GeneralError, pkcs11.EncryptedDataInvalid, pkcs11.EncryptedDataLenRange, pkcs11.PKCS11Error}


@pytest.mark.parametrize("code", sorted(MISCONFIGURED, key=str))
def test_wrong_set_up_is_misconfigured(code: type[pkcs11.PKCS11Error]) -> None:
    with pytest.raises(Misconfigured, match=code.__name__), translated("login"):
        raise code


@pytest.mark.parametrize("code", sorted(LOST | SUSPECT, key=str))
def test_trouble_is_a_token_fault_that_says_what_was_done(code: type[pkcs11.PKCS11Error]) -> None:
    with pytest.raises(TokenFault, match=f"unwrap: {code.__name__}"), translated("unwrap"):
        raise code


@pytest.mark.parametrize("code", sorted(SUSPECT, key=str))
def test_code_that_tampering_can_cause_is_set_apart(code: type[pkcs11.PKCS11Error]) -> None:
    with pytest.raises(RecordSuspect), translated("unwrap"), suspecting_record():
        raise code


@pytest.mark.parametrize("code", sorted(LOST, key=str))
def test_code_of_a_lost_token_is_never_blamed_on_the_record(code: type[pkcs11.PKCS11Error]) -> None:
    with pytest.raises(TokenFault), translated("unwrap"), suspecting_record():
        raise code
