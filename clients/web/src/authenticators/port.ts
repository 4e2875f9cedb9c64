/**
 * What the client asks of whatever holds the user's passkeys. Names are those of W3C Web Authentication Level 3.
 *
 *     AuthenticatorError            the ceremony did not happen; says why in words for the user
 *     ├── Declined                      the user cancelled, or nobody answered in time
 *     ├── CredentialExcluded            it already holds one of the credentials that were to be excluded
 *     └── NoMatchingCredential          it holds none of the credentials that were allowed
 */

import type { SecretBytes } from "../bytes.ts";

/** The authenticator, its user or the way to it refused; nothing was created and nothing signed. */
export class AuthenticatorError extends Error {
  override name = "AuthenticatorError";
}

/** The user cancelled, or nobody answered in time, or no passkey there fits: browsers do not say which. */
export class Declined extends AuthenticatorError {
  override name = "Declined";
}

/** The authenticator already holds a credential of `exclude`. */
export class CredentialExcluded extends AuthenticatorError {
  override name = "CredentialExcluded";
}

/** The authenticator holds no credential of `allow`, or none for this relying party. */
export class NoMatchingCredential extends AuthenticatorError {
  override name = "NoMatchingCredential";
}

/** What a new passkey is to be. */
export interface CreationRequest {
  readonly rpId: string;
  readonly origin: string;
  readonly challenge: Uint8Array;
  /** 32 random bytes. */
  readonly userHandle: Uint8Array;
  readonly userName: string;
  /** COSE algorithms, in order of preference. */
  readonly algorithms: readonly number[];
  readonly exclude: readonly Uint8Array[];
  readonly prfInput: Uint8Array;
}

/** What is to be signed. */
export interface AssertionRequest {
  readonly rpId: string;
  readonly origin: string;
  readonly challenge: Uint8Array;
  /** Credentials that may sign; never empty. */
  readonly allow: readonly Uint8Array[];
  readonly prfInput: Uint8Array;
}

/** A new credential. */
export interface Attestation {
  readonly credentialId: Uint8Array;
  readonly clientDataJson: Uint8Array;
  /** CBOR, with the new public key. */
  readonly attestationObject: Uint8Array;
  readonly transports: readonly string[];
  /** The PRF at the input that was given; undefined without PRF, or where it is evaluated for assertions only. */
  readonly prfOutput: SecretBytes | undefined;
}

/** A signature by one credential. */
export interface Assertion {
  readonly credentialId: Uint8Array;
  readonly authenticatorData: Uint8Array;
  readonly clientDataJson: Uint8Array;
  readonly signature: Uint8Array;
  /** `user.id` of the creation, where the authenticator gives it back. */
  readonly userHandle: Uint8Array | undefined;
  /** The PRF at the input that was given; undefined without PRF. It never goes to the vault. */
  readonly prfOutput: SecretBytes | undefined;
}

/** Holds passkeys. Both calls verify the user, so both may wait for a person. They throw AuthenticatorError. */
export interface Authenticator {
  /** Create a credential for `rpId` with the first of the algorithms that the authenticator has. */
  makeCredential(request: CreationRequest): Promise<Attestation>;
  /** Sign `challenge` with one of the credentials in `allow`. */
  getAssertion(request: AssertionRequest): Promise<Assertion>;
}
