/** What waits to be erased: shown with every ceremony and record, so that the owner can act in time. */

import type { Millis } from "./timestamps.ts";

/** When a life that a reset has set aside, and when the whole account, will be erased; undefined where it will not. */
export interface Pending {
  readonly setAsideEraseAt: Millis | undefined;
  readonly accountEraseAt: Millis | undefined;
}

export const NOTHING_PENDING: Pending = { setAsideEraseAt: undefined, accountEraseAt: undefined };
