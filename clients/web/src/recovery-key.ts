/**
 * The recovery key, also called the 64-digit key: a 32-byte seed that a person can write down.
 *
 * Shown as 8 rows of 8 hex digits, each followed by one check digit: `1a2b 3c4d-e`. Digits are elements of
 * GF(16) = GF(2)[x]/(x^4 + x + 1), `a` is its generator x. For the digits d1..d8 of row r the check digit is the c with
 *
 *     a^1 d1 + a^2 d2 + ... + a^8 d8 + a^9 r + c = 0
 *
 * so that a wrong digit, two swapped digits and a row in another row's place are always caught. docs/protocol.md
 * section 8 has the derivations, tests/vectors/recovery_key.json examples.
 */

import { ed25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";

import { ArchiveIdentity } from "./age-keys.ts";
import { fromHex, SecretBytes, toHex } from "./bytes.ts";
import { encodeFields } from "./fields.ts";

export const SEED_BYTES = 32;
const ROWS = 8;
const ROW_DIGITS = 8;
const SHOWN_ROW_DIGITS = ROW_DIGITS + 1;
const FIELD_SIZE = 16;
const REDUCTION = 0b1_0011; // x^4 + x + 1
const AGE_LABEL = "strongroom/v1/recovery-age";
const CREDENTIAL_LABEL = "strongroom/v1/recovery-credential";
const ASSERTION_LABEL = "strongroom/v1/recovery-assertion";

/** A typed recovery key holds a mistake. The message never repeats a digit. */
export class RecoveryKeyTypo extends RangeError {
  override name = "RecoveryKeyTypo";
  /** Numbers (1 to 8) of the rows that are wrong, in order; empty where the rows cannot be told apart. */
  readonly rows: readonly number[];

  constructor(problem: string, rows: readonly number[] = []) {
    super(rows.length > 0 ? `row ${rows.join(", ")}: ${problem}` : problem);
    this.rows = rows;
  }
}

/** The recovery key. */
export class RecoveryKey {
  readonly #seed: SecretBytes;

  constructor(seed: Uint8Array) {
    if (seed.length !== SEED_BYTES) {
      throw new RangeError(`a recovery key is ${SEED_BYTES} bytes, not ${seed.length}`);
    }
    this.#seed = new SecretBytes(seed);
  }

  /** The 8 rows to show once, each `xxxx xxxx-c`. */
  rows(): string[] {
    const digits = toHex(this.#seed.reveal()).match(/.{8}/g) ?? [];
    return digits.map((row, place) => `${row.slice(0, 4)} ${row.slice(4)}-${checkDigit(row, place + 1)}`);
  }

  /** The age identity that opens every archive and envelope encrypted to this key's recipient. */
  ageIdentity(): ArchiveIdentity {
    return new ArchiveIdentity(this.#derive(AGE_LABEL));
  }

  /** The recovery credential's public key, Ed25519, 32 bytes: what the vault keeps. */
  publicKey(): Uint8Array {
    return ed25519.getPublicKey(this.#derive(CREDENTIAL_LABEL));
  }

  /** The recovery credential's signature (64 bytes) over a ceremony's challenge. */
  sign(challenge: Uint8Array): Uint8Array {
    return ed25519.sign(encodeFields(ASSERTION_LABEL, challenge), this.#derive(CREDENTIAL_LABEL));
  }

  #derive(label: string): Uint8Array {
    return hkdf(sha256, this.#seed.reveal(), undefined, encodeFields(label), 32);
  }
}

/**
 * Read a recovery key as a person types it: white space, dashes and case do not matter, everything else does.
 *
 * Nothing is guessed: an `O` for a zero is reported, not read. Throws RecoveryKeyTypo.
 */
export function parseRecoveryKey(text: string): RecoveryKey {
  const rows = splitRows(text);
  for (const [problem, isRight] of ROW_RULES) {
    const wrong = rows.flatMap((row, place) => (isRight(row, place + 1) ? [] : [place + 1]));
    if (wrong.length > 0) {
      throw new RecoveryKeyTypo(problem, wrong);
    }
  }
  return new RecoveryKey(fromHex(rows.map((row) => row.slice(0, ROW_DIGITS)).join("")));
}

/**
 * Find out at once, by RecoveryKeyTypo, whether a row (1 to 8) was typed with a mistake: only it need be typed again.
 */
export function checkRow(text: string, number: number): void {
  const row = typed(text);
  const broken = ROW_RULES.find(([, isRight]) => !isRight(row, number));
  if (broken !== undefined) {
    throw new RecoveryKeyTypo(broken[0], [number]);
  }
}

/** What each row must be, in the order in which it is looked at. */
const ROW_RULES: readonly (readonly [string, (row: string, number: number) => boolean])[] = [
  [`does not have ${SHOWN_ROW_DIGITS} digits`, (row) => row.length === SHOWN_ROW_DIGITS],
  ["holds a character that is not 0-9 or a-f", (row) => /^[0-9a-f]*$/.test(row)],
  [
    "the check digit does not match; look for a wrong or swapped digit, or a row out of place",
    (row, number) => checkDigit(row.slice(0, ROW_DIGITS), number) === row.slice(ROW_DIGITS),
  ],
];

/** The check digit of the 8 hex digits `row` in place `number` (1 to 8). */
export function checkDigit(row: string, number: number): string {
  // Horner's rule over (row number, d8, ..., d1), times a once more at the end: weights a^9, a^8, ..., a^1.
  const elements = [number, ...Array.from(row, (digit) => Number.parseInt(digit, FIELD_SIZE)).reverse(), 0];
  return elements.reduce((total, element) => timesGenerator(total) ^ element, 0).toString(FIELD_SIZE);
}

function timesGenerator(element: number): number {
  const doubled = element << 1;
  return doubled >= FIELD_SIZE ? doubled ^ REDUCTION : doubled;
}

function typed(line: string): string {
  return line.replace(/[\s-]/g, "").toLowerCase();
}

function splitRows(text: string): string[] {
  const lines = text
    .split(/\r\n|\r|\n/)
    .map(typed)
    .filter((line) => line !== "");
  const digits = lines.join("");
  const expected = ROWS * SHOWN_ROW_DIGITS;
  if (lines.length !== ROWS && digits.length !== expected) {
    throw new RecoveryKeyTypo(
      `${expected} digits in ${ROWS} rows of ${SHOWN_ROW_DIGITS} are needed, these are ${digits.length}`,
    );
  }
  return lines.length === ROWS ? lines : (digits.match(/.{9}/g) ?? []);
}
