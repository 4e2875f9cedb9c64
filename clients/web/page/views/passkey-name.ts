/** What a passkey is called: as its owner named it, or by its place and its day. */

import { shownDay } from "../dom.ts";
import { toHex, type Passkey, type VaultStatus } from "../vault.ts";

/** The name of the passkey of this id, also of one that is no longer there. */
export function passkeyName(id: Uint8Array, status: VaultStatus): string {
  const place = status.passkeys.findIndex((one) => toHex(one.credentialId) === toHex(id));
  const passkey = status.passkeys[place];
  if (passkey !== undefined) {
    return nameOf(passkey, place);
  }
  const isSetAside = status.setAside?.passkeys.some((one) => toHex(one.credentialId) === toHex(id)) === true;
  return isSetAside ? "a passkey of what is set aside" : "a passkey that was removed";
}

/** The name of the passkey in this place of the list. */
export function nameOf(passkey: Passkey, place: number): string {
  return passkey.name ?? `Passkey ${place + 1}, of ${shownDay(passkey.createdAt)}`;
}
