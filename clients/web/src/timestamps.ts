/** Times in messages of a vault: protobuf takes any number off the wire, and only a few of them are times. */

import type { Timestamp } from "@bufbuild/protobuf/wkt";

import type { NotProven } from "./errors.ts";

/** Unix milliseconds. */
export type Millis = number;

const MIN_SECONDS = -62_135_596_800n; // year 1
const MAX_SECONDS = 253_402_300_799n; // year 9999
const NANOS_PER_MILLI = 1_000_000;

/** `timestamp`, of the years 1 to 9999, in unix milliseconds; else throws what `otherwise` makes of the problem. */
export function millisOf(timestamp: Timestamp | undefined, otherwise: (problem: string) => NotProven): Millis {
  const { seconds, nanos } = timestamp ?? { seconds: 0n, nanos: 0 };
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS || nanos < 0 || nanos >= 1000 * NANOS_PER_MILLI) {
    throw otherwise("a time in the vault's answer is not one");
  }
  return Number(seconds) * 1000 + Math.floor(nanos / NANOS_PER_MILLI);
}

/** As `millisOf`, or undefined where there is none; times before 1970 are 1970. */
export function optionalMillis(
  timestamp: Timestamp | undefined,
  otherwise: (problem: string) => NotProven,
): Millis | undefined {
  return timestamp === undefined ? undefined : Math.max(0, millisOf(timestamp, otherwise));
}
