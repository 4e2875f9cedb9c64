/**
 * What is asked of a browser, what is taken of its answer, and what its errors become. Chromium itself:
 * tests/browser.
 */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { BrowserAuthenticator, hasPasskeys } from "../src/authenticators/browser.ts";
import { AuthenticatorError, CredentialExcluded, Declined } from "../src/authenticators/port.ts";
import { toHex } from "../src/bytes.ts";
import { isError } from "./support.ts";

const bytes = (fill: number, length = 32): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(fill);
const COMMON = { rpId: "notes.example", origin: "https://notes.example", challenge: bytes(1), prfInput: bytes(2) };
const CREATION = { ...COMMON, userHandle: bytes(3), userName: "alice", algorithms: [-7, -8], exclude: [bytes(4)] };
const ASSERTION = { ...COMMON, allow: [bytes(5), bytes(6)] };

/** A credential as browsers give it; whoever serializes it has lost the PRF result. */
class FakeCredential {
  readonly rawId = bytes(7).buffer;
  readonly response: Record<string, unknown>;
  readonly #extensions: unknown;

  constructor(response: Record<string, unknown>, extensions: unknown) {
    this.response = response;
    this.#extensions = extensions;
  }

  getClientExtensionResults(): unknown {
    return this.#extensions;
  }

  toJSON(): never {
    throw new assert.AssertionError({ message: "toJSON() holds the PRF result" });
  }
}

const CREATED = {
  clientDataJSON: bytes(8).buffer,
  attestationObject: bytes(9).buffer,
  getTransports: () => ["internal", "hybrid"],
};
const SIGNED = {
  clientDataJSON: bytes(8).buffer,
  authenticatorData: bytes(9).buffer,
  signature: bytes(10).buffer,
  userHandle: null,
};

let asked: Record<string, Record<string, unknown>>[] = [];
let answer: () => unknown = () => null;

beforeEach(() => {
  asked = [];
  const ask = async (options: never): Promise<unknown> => {
    asked.push(options);
    return answer();
  };
  const globals = {
    location: { origin: "https://notes.example" },
    navigator: { credentials: { create: ask, get: ask } },
    PublicKeyCredential: FakeCredential,
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
});

function gives(response: Record<string, unknown>, extensions: unknown): void {
  answer = () => new FakeCredential(response, extensions);
}

test("a passkey is asked for with user verification and PRF, and of the answer only named bytes are taken", async () => {
  gives(CREATED, { prf: { enabled: true, results: { first: bytes(11).buffer } } });
  const made = await new BrowserAuthenticator().makeCredential(CREATION);
  assert.deepEqual(Object.keys(made), [
    "credentialId",
    "clientDataJson",
    "attestationObject",
    "transports",
    "prfOutput",
  ]);
  assert.deepEqual([toHex(made.credentialId), made.transports], ["07".repeat(32), ["internal", "hybrid"]]);
  assert.equal(toHex(made.prfOutput?.reveal() ?? bytes(0)), "0b".repeat(32));
  assert.doesNotMatch(JSON.stringify(made), /\b11,|0b0b|CwsL/);
  const options = asked[0]?.["publicKey"] ?? {};
  assert.deepEqual(options["rp"], { id: "notes.example", name: "notes.example" });
  assert.deepEqual(options["authenticatorSelection"], { residentKey: "preferred", userVerification: "required" });
  assert.deepEqual(options["extensions"], { prf: { eval: { first: bytes(2) } } });
  assert.deepEqual(options["excludeCredentials"], [{ type: "public-key", id: bytes(4) }]);
  assert.equal(options["attestation"], "none");
});

test("a signature is asked for by one of the allowed passkeys, with user verification and PRF", async () => {
  gives(SIGNED, { prf: { results: { first: bytes(11) } } });
  const made = await new BrowserAuthenticator().getAssertion(ASSERTION);
  assert.equal(toHex(made.prfOutput?.reveal() ?? bytes(0)), "0b".repeat(32));
  assert.equal(made.userHandle, undefined);
  const options = asked[0]?.["publicKey"] ?? {};
  assert.equal(options["userVerification"], "required");
  assert.deepEqual(
    options["allowCredentials"],
    [bytes(5), bytes(6)].map((id) => ({ type: "public-key", id })),
  );
  gives({ ...SIGNED, userHandle: bytes(3).buffer }, {});
  const without = await new BrowserAuthenticator().getAssertion(ASSERTION);
  assert.deepEqual([without.prfOutput, toHex(without.userHandle ?? bytes(0))], [undefined, "03".repeat(32)]);
  gives(SIGNED, { prf: { results: { first: bytes(11, 31) } } });
  const wrong = new BrowserAuthenticator().getAssertion(ASSERTION);
  await assert.rejects(wrong, isError(AuthenticatorError, /something else than 32 bytes/));
});

test("each error of a browser's is said in words", async () => {
  const cases = [
    ["NotAllowedError", Declined, Declined, /cancelled/],
    ["AbortError", Declined, Declined, /cancelled/],
    ["InvalidStateError", CredentialExcluded, AuthenticatorError, /already holds|cannot do that/],
    ["ConstraintError", AuthenticatorError, AuthenticatorError, /cannot verify its user/],
    ["NotSupportedError", AuthenticatorError, AuthenticatorError, /none of the algorithms/],
    ["SecurityError", AuthenticatorError, AuthenticatorError, /does not let this page/],
    ["UnknownError", AuthenticatorError, AuthenticatorError, /no way to the authenticator/],
  ] as const;
  for (const [name, atCreation, atUse, said] of cases) {
    answer = () => {
      throw new DOMException("the browser's own words", name);
    };
    await assert.rejects(new BrowserAuthenticator().makeCredential(CREATION), isError(atCreation, said));
    await assert.rejects(new BrowserAuthenticator().getAssertion(ASSERTION), isError(atUse, said));
  }
  answer = () => null;
  await assert.rejects(new BrowserAuthenticator().getAssertion(ASSERTION), isError(AuthenticatorError, /no passkey/));
});

test("a page of another origin is told before the browser is asked", async () => {
  const elsewhere = { ...ASSERTION, origin: "https://www.notes.example" };
  const call = new BrowserAuthenticator().getAssertion(elsewhere);
  await assert.rejects(call, isError(AuthenticatorError, /this page is https:\/\/notes\.example/));
  assert.deepEqual(asked, []);
  assert.equal(hasPasskeys(), true);
});
