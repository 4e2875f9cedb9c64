/**
 * A page of `handover.ts` without a browser, for tests/integration/client/test_browser_page.py: reads {fragment, made}
 * from standard input, where `made` is what the authenticator gives, and writes what the page shows and posts.
 */
import { text } from "node:stream/consumers";

import { answerAddress, askBrowser, type Credentials, checkOf, readHandover, sealAnswer } from "../src/handover.ts";

interface Made {
  readonly refused?: string;
  readonly rawId: string;
  readonly prf: string | null;
  readonly response: Readonly<Record<string, string | null>>;
}

const given = JSON.parse(await text(process.stdin)) as { fragment: string; made: Made };
const handover = readHandover(given.fragment);
let asked: unknown;

function buffer(hex: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(hex, "hex")).buffer;
}

function answer(options: unknown): Promise<Credential> {
  asked = options;
  if (given.made.refused !== undefined) throw new DOMException("refused", given.made.refused);
  const response = Object.fromEntries(
    Object.entries(given.made.response).map(([name, value]) => [name, value === null ? null : buffer(value)]),
  );
  const prf = given.made.prf === null ? {} : { prf: { results: { first: buffer(given.made.prf) } } };
  return Promise.resolve({
    rawId: buffer(given.made.rawId),
    response: { ...response, getTransports: () => ["internal"] },
    getClientExtensionResults: () => prf,
  } as unknown as Credential);
}

const credentials: Credentials = { create: answer, get: answer };
const sealed = await sealAnswer(handover, await askBrowser(handover, credentials));
const shown = { check: await checkOf(handover), address: answerAddress(handover), sealed, asked };
process.stdout.write(
  JSON.stringify(shown, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
  ),
);
