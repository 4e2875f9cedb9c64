/**
 * Names that a person gives passkeys: for telling them apart, no more.
 *
 * They live inside the envelope: who reads the database, the network process and, in mode `prf`, the vault itself see
 * none, nobody but who holds a passkey or the recovery key can change one, and every device has them once it has opened
 * the envelope.
 */

import { utf8 } from "./bytes.ts";

export const MAX_NAME_BYTES = 128;
/** What shows nothing, or turns round what is shown: a name must not pose as another, or as more lines. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/u;

/** A name for a passkey breaks a rule; says which. */
export class BadPasskeyName extends RangeError {
  override name = "BadPasskeyName";
}

/**
 * Refuse, as BadPasskeyName, what is no name: 1 to 128 bytes of UTF-8 on one line, nothing invisible, no blank at
 * either end.
 */
export function checkName(name: string): void {
  if (/\p{Surrogate}/u.test(name)) {
    throw new BadPasskeyName("a passkey's name must be Unicode text");
  }
  const size = utf8(name).length;
  if (size < 1 || size > MAX_NAME_BYTES) {
    throw new BadPasskeyName(`a passkey's name must have 1 to ${MAX_NAME_BYTES} bytes of UTF-8, not ${size}`);
  }
  if (name.startsWith(" ") || name.endsWith(" ")) {
    throw new BadPasskeyName("a passkey's name must not begin or end with a blank");
  }
  if (UNSEEN.test(name)) {
    throw new BadPasskeyName("a passkey's name must not hold control characters or others that are not seen");
  }
}

/** As `checkName`; an empty one stands for none. */
export function checkNameIfAny(name: string): void {
  if (name !== "") {
    checkName(name);
  }
}
