/**
 * The browser's own passkeys: navigator.credentials, with the PRF extension (WebAuthn Level 3, section 10.1.4).
 *
 * Of what the browser answers only named byte fields are taken. `toJSON()` is never called: it holds the PRF result.
 */

import { copied, SecretBytes } from "../bytes.ts";
import {
  AuthenticatorError,
  CredentialExcluded,
  Declined,
  type Assertion,
  type AssertionRequest,
  type Attestation,
  type Authenticator,
  type CreationRequest,
} from "./port.ts";

const TIMEOUT_MS = 110_000; // a ceremony lives 120 s
const PRF_OUTPUT_BYTES = 32;

/** Asks the browser, which asks the user. Each call may need a click before it: Safari wants one for each prompt. */
export class BrowserAuthenticator implements Authenticator {
  readonly #signal: () => AbortSignal | undefined;

  /** `signal` is asked for before each prompt; aborting it takes the prompt away, which ends as Declined. */
  constructor({ signal = () => undefined }: { readonly signal?: () => AbortSignal | undefined } = {}) {
    this.#signal = signal;
  }

  async makeCredential(request: CreationRequest): Promise<Attestation> {
    requireOrigin(request.origin);
    const credential = await asked("create", () =>
      navigator.credentials.create({
        publicKey: {
          rp: { id: request.rpId, name: request.rpId },
          user: { id: copied(request.userHandle), name: request.userName, displayName: request.userName },
          challenge: copied(request.challenge),
          pubKeyCredParams: request.algorithms.map((alg) => ({ type: "public-key", alg })),
          excludeCredentials: described(request.exclude),
          authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
          attestation: "none",
          timeout: TIMEOUT_MS,
          extensions: prfExtension(request.prfInput),
        },
        ...aborted(this.#signal()),
      }),
    );
    const response = credential.response as AuthenticatorAttestationResponse;
    return {
      credentialId: new Uint8Array(credential.rawId),
      clientDataJson: new Uint8Array(response.clientDataJSON),
      attestationObject: new Uint8Array(response.attestationObject),
      transports: response.getTransports(),
      prfOutput: prfOutput(credential),
    };
  }

  async getAssertion(request: AssertionRequest): Promise<Assertion> {
    requireOrigin(request.origin);
    const credential = await asked("get", () =>
      navigator.credentials.get({
        publicKey: {
          rpId: request.rpId,
          challenge: copied(request.challenge),
          allowCredentials: described(request.allow),
          userVerification: "required",
          timeout: TIMEOUT_MS,
          extensions: prfExtension(request.prfInput),
        },
        ...aborted(this.#signal()),
      }),
    );
    const response = credential.response as AuthenticatorAssertionResponse;
    return {
      credentialId: new Uint8Array(credential.rawId),
      authenticatorData: new Uint8Array(response.authenticatorData),
      clientDataJson: new Uint8Array(response.clientDataJSON),
      signature: new Uint8Array(response.signature),
      userHandle: response.userHandle ? new Uint8Array(response.userHandle) : undefined,
      prfOutput: prfOutput(credential),
    };
  }
}

/** Whether this browser has passkeys at all. */
export function hasPasskeys(): boolean {
  return typeof PublicKeyCredential === "function" && "credentials" in navigator;
}

function aborted(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function requireOrigin(origin: string): void {
  if (origin !== location.origin) {
    throw new AuthenticatorError(`a passkey for ${origin} can only be used there, and this page is ${location.origin}`);
  }
}

async function asked(what: "create" | "get", ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let credential: Credential | null;
  try {
    credential = await ask();
  } catch (error) {
    throw translated(what, error);
  }
  if (!(credential instanceof PublicKeyCredential)) {
    throw new AuthenticatorError("the browser gave no passkey");
  }
  return credential;
}

/** The errors of sections 5.1.3 and 5.1.4, as the port's. */
function translated(what: "create" | "get", error: unknown): AuthenticatorError {
  switch (error instanceof Error ? error.name : "") {
    case "NotAllowedError":
    case "AbortError":
      return new Declined("it was cancelled, or nobody answered in time, or no passkey there fits");
    case "InvalidStateError":
      return what === "create"
        ? new CredentialExcluded("it already holds a passkey of this vault")
        : new AuthenticatorError("the authenticator cannot do that now");
    case "ConstraintError":
      return new AuthenticatorError("the authenticator cannot verify its user, by PIN or otherwise");
    case "NotSupportedError":
      return new AuthenticatorError("the authenticator has none of the algorithms that the vault takes");
    case "SecurityError":
      return new AuthenticatorError("the browser does not let this page use passkeys of the vault's domain");
    default:
      return new AuthenticatorError("no way to the authenticator");
  }
}

function described(ids: readonly Uint8Array[]): PublicKeyCredentialDescriptor[] {
  return ids.map((id) => ({ type: "public-key", id: copied(id) }));
}

function prfExtension(prfInput: Uint8Array): AuthenticationExtensionsClientInputs {
  return { prf: { eval: { first: copied(prfInput) } } };
}

function prfOutput(credential: PublicKeyCredential): SecretBytes | undefined {
  const first = credential.getClientExtensionResults().prf?.results?.first;
  if (first === undefined) {
    return undefined;
  }
  const output = ArrayBuffer.isView(first)
    ? new Uint8Array(first.buffer, first.byteOffset, first.byteLength)
    : new Uint8Array(first);
  if (output.length !== PRF_OUTPUT_BYTES) {
    throw new AuthenticatorError("the authenticator's PRF gave something else than 32 bytes");
  }
  return new SecretBytes(output);
}
