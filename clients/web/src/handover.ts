/**
 * What a page does for the `strongroom` command: ask this browser for a passkey, and answer the command that asked.
 * The contract, and the attacks it is made against, are in docs/browser-page.md.
 *
 * A page takes the link's fragment with `readHandover` before anything else, shows `checkOf`, waits for a click, calls
 * `askBrowser`, and posts `sealAnswer` as the form field `sealed` to `answerAddress`. Nothing else leaves the page.
 */

const VERSION = 1;
const FRAGMENT = "#strongroom=";
const MAX_PORT = 65_535;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const CHECK_BYTES = 5;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The link is not one that this release of the command makes. */
export class BadLink extends Error {}

/** What the command asks for. `key` is secret while the ceremony lasts. */
export type Handover = CreateAsked | GetAsked;

interface Asked {
  readonly port: number;
  readonly key: Uint8Array<ArrayBuffer>;
  readonly rpId: string;
  readonly challenge: Uint8Array<ArrayBuffer>;
  readonly prfInput: Uint8Array<ArrayBuffer>;
}

export interface CreateAsked extends Asked {
  readonly kind: "create";
  readonly userHandle: Uint8Array<ArrayBuffer>;
  readonly userName: string;
  readonly algorithms: readonly number[];
  readonly exclude: readonly Uint8Array<ArrayBuffer>[];
}

export interface GetAsked extends Asked {
  readonly kind: "get";
  readonly allow: readonly Uint8Array<ArrayBuffer>[];
}

/** The part of `navigator.credentials` that is used. */
export type Credentials = Pick<CredentialsContainer, "create" | "get">;

/** Read what the link's fragment (`location.hash`) asks for. The page then takes it out of its address at once. */
export function readHandover(fragment: string): Handover {
  const document = parsed(fragment);
  const port = document["port"];
  if (document["v"] !== VERSION || typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > MAX_PORT) {
    throw new BadLink("made for another release");
  }
  const asked: Asked = {
    port,
    key: octets(document["key"]),
    rpId: text(document["rp_id"]),
    challenge: octets(document["challenge"]),
    prfInput: octets(document["prf_input"]),
  };
  if (asked.key.length !== KEY_BYTES || asked.challenge.length !== KEY_BYTES) {
    throw new BadLink("a key or a challenge of another length");
  }
  if (document["kind"] === "get") {
    return { ...asked, kind: "get", allow: list(document["allow"]).map(octets) };
  }
  if (document["kind"] === "create") {
    return {
      ...asked,
      kind: "create",
      userHandle: octets(document["user_handle"]),
      userName: text(document["user_name"]),
      algorithms: list(document["algorithms"]).map(Number),
      exclude: list(document["exclude"]).map(octets),
    };
  }
  throw new BadLink("asks for something else");
}

/** Where the answer is posted. The host is these four numbers and never a name, which could lead elsewhere. */
export function answerAddress(handover: Handover): string {
  return `http://127.0.0.1:${handover.port}/strongroom/v1/answer`;
}

/** Eight characters that the terminal shows too; who sees others there, or no terminal, was sent a link by a stranger. */
export async function checkOf(handover: Handover): Promise<string> {
  const input = fields("strongroom/v1/browser-check", handover.key, handover.challenge);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", input)).subarray(0, CHECK_BYTES);
  let bits = 0n;
  for (const octet of digest) bits = (bits << 8n) | BigInt(octet);
  const shown = Array.from({ length: 8 }, (_, place) => BASE32[Number((bits >> BigInt(35 - 5 * place)) & 31n)]).join("");
  return `${shown.slice(0, 4)}-${shown.slice(4)}`;
}

/** Ask the browser, and return the answer; a refusal is an answer too, by the name of its DOMException. */
export async function askBrowser(handover: Handover, credentials: Credentials): Promise<object> {
  try {
    const made = handover.kind === "create" ? await create(handover, credentials) : await get(handover, credentials);
    if (made === null) throw new DOMException("nothing was made", "NotAllowedError");
    return handover.kind === "create" ? created(made as PublicKeyCredential) : signed(made as PublicKeyCredential);
  } catch (error) {
    return { v: VERSION, kind: "error", name: error instanceof DOMException ? error.name : "UnknownError" };
  }
}

/** Seal an answer for the command: base64url of a nonce and AES-256-GCM under the link's key, for its challenge. */
export async function sealAnswer(handover: Handover, answer: object): Promise<string> {
  const key = await crypto.subtle.importKey("raw", handover.key, "AES-GCM", false, ["encrypt"]);
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const additionalData = fields("strongroom/v1/browser-answer", handover.challenge);
  const plaintext = new TextEncoder().encode(JSON.stringify(answer));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData }, key, plaintext);
  return base64url(joined([nonce, new Uint8Array(sealed)]));
}

function create(asked: CreateAsked, credentials: Credentials): Promise<Credential | null> {
  return credentials.create({
    publicKey: {
      rp: { id: asked.rpId, name: asked.rpId },
      user: { id: asked.userHandle, name: asked.userName, displayName: asked.userName },
      challenge: asked.challenge,
      pubKeyCredParams: asked.algorithms.map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: asked.exclude.map((id) => ({ type: "public-key", id })),
      authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
      attestation: "none",
      extensions: { prf: { eval: { first: asked.prfInput } } },
    },
  });
}

function get(asked: GetAsked, credentials: Credentials): Promise<Credential | null> {
  return credentials.get({
    publicKey: {
      rpId: asked.rpId,
      challenge: asked.challenge,
      allowCredentials: asked.allow.map((id) => ({ type: "public-key", id })),
      userVerification: "required",
      extensions: { prf: { eval: { first: asked.prfInput } } },
    },
  });
}

function created(credential: PublicKeyCredential): object {
  const response = credential.response as AuthenticatorAttestationResponse;
  return {
    v: VERSION,
    kind: "create",
    credential_id: base64url(new Uint8Array(credential.rawId)),
    client_data_json: base64url(new Uint8Array(response.clientDataJSON)),
    attestation_object: base64url(new Uint8Array(response.attestationObject)),
    transports: response.getTransports(),
    prf_output: prfOutput(credential),
  };
}

function signed(credential: PublicKeyCredential): object {
  const response = credential.response as AuthenticatorAssertionResponse;
  return {
    v: VERSION,
    kind: "get",
    credential_id: base64url(new Uint8Array(credential.rawId)),
    client_data_json: base64url(new Uint8Array(response.clientDataJSON)),
    authenticator_data: base64url(new Uint8Array(response.authenticatorData)),
    signature: base64url(new Uint8Array(response.signature)),
    user_handle: response.userHandle === null ? null : base64url(new Uint8Array(response.userHandle)),
    prf_output: prfOutput(credential),
  };
}

function prfOutput(credential: PublicKeyCredential): string | null {
  const first = credential.getClientExtensionResults().prf?.results?.first;
  if (first === undefined) return null;
  return base64url(first instanceof ArrayBuffer ? new Uint8Array(first) : new Uint8Array(first.buffer, first.byteOffset, first.byteLength));
}

function parsed(fragment: string): Record<string, unknown> {
  if (!fragment.startsWith(FRAGMENT)) throw new BadLink("no link of the command's");
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets(fragment.slice(FRAGMENT.length))));
  } catch {
    throw new BadLink("damaged");
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) throw new BadLink("damaged");
  return document as Record<string, unknown>;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new BadLink("damaged");
  return value;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new BadLink("damaged");
  return value;
}

function octets(value: unknown): Uint8Array<ArrayBuffer> {
  const written = text(value);
  if (!/^[A-Za-z0-9_-]*$/.test(written)) throw new BadLink("damaged");
  return Uint8Array.from(atob(written.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}

function base64url(given: Uint8Array): string {
  const binary = Array.from(given, (octet) => String.fromCharCode(octet)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Length-prefixed fields, as everywhere in docs/protocol.md. */
function fields(label: string, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = [new TextEncoder().encode(label), ...parts];
  return joined(
    all.flatMap((part) => {
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, part.length);
      return [length, part];
    }),
  );
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}
