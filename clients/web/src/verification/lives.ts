/** The lives of an account, as its history tells them: who could sign, from one event to the next. */

import { equal, fromHex, toHex } from "../bytes.ts";
import type { CeremonyRequest } from "../gen/strongroom/v1/ceremony_pb.js";
import { EventKind, EventOutcome, Swept, type Event } from "../gen/strongroom/v1/event_pb.js";
import { credentialSet, digestOf, type CredentialSet } from "./credential-sets.ts";
import { attestedIn } from "./webauthn.ts";

const QUARANTINES = "counter_regression";

/** One life's credentials so far. */
export class Life {
  /** COSE key by credential id (hex). */
  readonly passkeys: Map<string, Uint8Array>;
  /** Public key of the recovery credential, as it was last installed. */
  recovery: Uint8Array;
  /** Something was stored, from when on the recovery credential counts. */
  isLive = false;
  /** Passkeys whose counter went back. */
  readonly quarantined = new Set<string>();

  constructor(passkeys: Map<string, Uint8Array> = new Map(), recovery: Uint8Array = new Uint8Array(0)) {
    this.passkeys = passkeys;
    this.recovery = recovery;
  }

  /** The credentials that may sign. */
  credentials(): CredentialSet {
    const passkeys = Array.from(this.passkeys, ([id, coseKey]) => ({ credentialId: fromHex(id), coseKey }));
    return credentialSet(passkeys, this.isLive ? this.recovery : new Uint8Array(0));
  }
}

/**
 * The life in use, the one that a reset has set aside, and the one that was used up where it may have closed only.
 *
 * An event of exhaustion does not say by which policy it was. What follows does: only a vault that closed has
 * credentials that sign, and only it can be reset.
 */
export class Account {
  life = new Life();
  aside: Life | undefined;
  #usedUp: Life | undefined;

  /** The life that a ceremony is about; one without credentials where there is none. */
  subject(aboutSetAside: boolean): Life {
    return aboutSetAside ? (this.aside ?? new Life()) : this.life;
  }

  /** Find out by the digest in the next ceremony whether a vault that was used up had closed only. */
  settle(digest: Uint8Array): void {
    if (this.#usedUp !== undefined && equal(digest, digestOf(this.#usedUp.credentials()))) {
      this.life = this.#usedUp;
    }
    this.#usedUp = undefined;
  }

  /** Drop what was due. */
  sweep(event: Event): void {
    if (event.swept.includes(Swept.ACCOUNT)) {
      this.life = new Life();
      this.aside = undefined;
      this.#usedUp = undefined;
    } else if (event.swept.includes(Swept.SET_ASIDE)) {
      this.aside = undefined;
    }
  }

  /** Follow a change that nobody signs for. */
  followOrder(event: Event): void {
    if (event.kind === EventKind.RESET) {
      this.aside = this.#usedUp ?? this.life;
      this.life = new Life();
      this.#usedUp = undefined;
    }
  }

  /** Follow a judged attempt. Throws NotSigned where an attestation in it does not parse. */
  follow(operation: CeremonyRequest["operation"], event: Event): void {
    if (event.outcome === EventOutcome.EXHAUSTED) {
      this.#exhaust(event);
    } else if (event.outcome === EventOutcome.REFUSED && event.reason === QUARANTINES) {
      const made = event.assertion?.kind;
      const id = made?.case === "webauthn" ? made.value.credentialId : new Uint8Array(0);
      this.subject(event.aboutSetAside).quarantined.add(toHex(id));
    } else if (event.outcome === EventOutcome.GRANTED) {
      this.#grant(operation, event);
    }
  }

  #exhaust(event: Event): void {
    if (!event.aboutSetAside) {
      this.#usedUp = this.life;
      this.life = new Life();
    } else if (event.eraseTime === undefined) {
      this.aside = undefined; // what has no end to wait for is gone
    }
  }

  #grant(operation: CeremonyRequest["operation"], event: Event): void {
    const life = this.life;
    switch (operation.case) {
      case "register": {
        const { credentialId, coseKey } = attestedIn(event.attestation);
        this.life = new Life(new Map([[toHex(credentialId), coseKey]]), operation.value.recoveryPublicKey);
        break;
      }
      case "store":
        life.isLive = true;
        break;
      case "delete":
        this.life = new Life();
        break;
      case "addCredential": {
        const { credentialId, coseKey } = attestedIn(event.attestation);
        life.passkeys.set(toHex(credentialId), coseKey);
        break;
      }
      case "removeCredential":
        life.passkeys.delete(toHex(operation.value.credentialId));
        break;
      case "setRecovery":
        life.recovery = operation.value.recoveryPublicKey;
        break;
      case "liftQuarantine":
        life.quarantined.delete(toHex(operation.value.credentialId));
        break;
      case "reopen":
        if (event.aboutSetAside) {
          this.life = this.aside ?? new Life();
          this.aside = undefined;
        }
        break;
    }
  }
}
