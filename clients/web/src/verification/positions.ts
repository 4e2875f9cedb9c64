/** Where a record's history is: its version, and the chain head at it. A history may only go on. */

import { equal } from "../bytes.ts";
import { VaultWentBack } from "../errors.ts";

export const HEAD_BYTES = 32;

/** Version and chain head (32 bytes). */
export interface Position {
  readonly version: bigint;
  readonly chainHead: Uint8Array;
}

/** Where there never was a record. */
export const GENESIS: Position = { version: 0n, chainHead: new Uint8Array(HEAD_BYTES) };

/** Whether both are the same. */
export function samePosition(one: Position, other: Position): boolean {
  return one.version === other.version && equal(one.chainHead, other.chainHead);
}

/** Refuse, as VaultWentBack, a history that is older than `known`, or differs at the same version. */
export function checkGoesOn(shown: Position, known: Position): void {
  if (shown.version <= known.version && !samePosition(shown, known)) {
    throw new VaultWentBack(known, shown);
  }
}
