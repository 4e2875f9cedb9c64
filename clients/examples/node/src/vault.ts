/** The vault as this client uses it: enroll, store, release. Each step is that of docs/protocol.md, section 4. */
import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { Client, credentials, Metadata, status, type ServiceError } from "@grpc/grpc-js";
import type { MethodDefinition } from "@grpc/proto-loader";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { checkBundle, checkCeremony, checkGoesOn, checkReceipt, require, type Bundle, type Ceremony } from "./checks.ts";
import { openEnvelope, passkeyIdentity, PRF_INPUT, recoveryKey, sealEnvelope, type Content } from "./envelope.ts";
import { hashFields, sha256 } from "./fields.ts";
import { newRecipient, sealToVault } from "./hpke.ts";
import { SoftwarePasskeys, type Assertion } from "./passkey.ts";
import { parse, serialize, SERVICE } from "./protos.ts";
import type * as protos from "./protos.ts";
import type { Memory, State } from "./state.ts";

const MODE = "MODE_PRF";
const SUITE = "HPKE_SUITE_X25519_SHA256_AES256GCM";
const ES256 = -7;
const CALL_MILLISECONDS = 20_000;
const RESEND_MILLISECONDS = [200, 800, 2_000];
const UNANSWERED = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED];

interface Service {
  bundle: Bundle;
  rpId: string;
  origin: string;
}

export class Vault {
  readonly #state: State;
  readonly #passkeys: SoftwarePasskeys;
  readonly #channel: Client;
  readonly #warn: (warning: string) => void;
  #memory: Memory;
  #described: Service | undefined;

  constructor(state: State, warn: (warning: string) => void) {
    this.#state = state;
    this.#passkeys = new SoftwarePasskeys(state.passkeysFile);
    this.#channel = new Client(state.settings.vault, credentials.createSsl(state.authorities()));
    this.#warn = warn;
    this.#memory = state.load();
  }

  close(): void {
    this.#channel.close();
  }

  /** A passkey, a first envelope, and a release by which it is known to open. `seed` is the recovery key's. */
  async enroll(seed: Buffer): Promise<void> {
    const recovery = await recoveryKey(seed);
    const own = await this.#register(recovery.publicKey);
    await this.#store(async ({ credentials: listed }, assertion) => {
      const [only, ...others] = listed;
      require(others.length === 0 && only?.coseKey.equals(own.coseKey) === true, "the vault lists other passkeys than the new one");
      const recipient = await identityToRecipient(passkeyIdentity(assertion.prfOutput, own.credentialId));
      return {
        archiveIdentities: [await generateX25519Identity()],
        passkeyRecipients: [{ credentialId: own.credentialId, recipient }],
        recoveryRecipient: recovery.recipient,
      };
    });
    await this.release(); // two evaluations of the PRF must agree, which some platforms get wrong
  }

  /** A new archive version: a fresh key for the archives to come, and the older ones for the older archives. */
  async renew(): Promise<void> {
    const content = await this.release();
    content.archiveIdentities.unshift(await generateX25519Identity());
    await this.#store(async () => content);
    await this.release();
  }

  /** The keys of all archives, newest first. The envelope counts as opened, which the next request confirms. */
  async release(): Promise<Content> {
    const recipient = await newRecipient();
    const begun = await this.#begin({ release: { recipient: recipient.publicKey, suite: SUITE } });
    const assertion = await this.#sign(begun);
    const reply = await this.#complete("ReleaseEnvelope", "release", begun, { assertion: onTheWire(assertion) });
    const { sealedEnvelopes } = parse<protos.ReleaseReply>("ReleaseReply", reply);
    const released = await recipient.open(sealedEnvelopes, begun.challenge);
    const [newest] = parse<protos.ReleasedEnvelopes>("ReleasedEnvelopes", released).envelopes;
    require(newest !== undefined, "the vault released nothing");
    require(newest.mode === MODE, "the vault released an envelope locked in another mode");
    const version = BigInt(newest.archiveVersion);
    require(version >= this.#memory.openedArchiveVersion, "the vault released an older envelope than was opened here");
    const content = await openEnvelope(newest.envelope, passkeyIdentity(assertion.prfOutput, assertion.credentialId));
    this.#memory.openedArchiveVersion = version;
    this.#memory.archiveRecipient = await identityToRecipient(content.archiveIdentities[0] as string);
    this.#memory.recoveryRecipient = content.recoveryRecipient;
    this.#state.save(this.#memory);
    return content;
  }

  /** What archives are encrypted to; needs no prompt and no network. */
  recipients(): string[] {
    const { archiveRecipient, recoveryRecipient } = this.#memory;
    if (!archiveRecipient || !recoveryRecipient) throw new Error("this device knows no keys to back up to: enroll or restore first");
    return [archiveRecipient, recoveryRecipient];
  }

  async #register(recoveryPublicKey: Buffer): Promise<protos.Credential> {
    const userHandle = randomBytes(32);
    const begun = await this.#begin({ register: { userHandle, mode: MODE, recoveryPublicKey } });
    const { rpId, origin } = await this.#service();
    const { coseKey, ...attestation } = this.#passkeys.create(rpId, origin, begun.challenge, userHandle);
    const reply = await this.#complete("CompleteRegistration", "register", begun, { attestation });
    const { credentialId } = parse<protos.RegistrationReply>("RegistrationReply", reply);
    require(credentialId.equals(attestation.credentialId), "the vault registered another passkey");
    return { credentialId, coseKey };
  }

  async #store(contentFor: (begun: Ceremony, assertion: Assertion) => Promise<Content>): Promise<void> {
    const secret = randomBytes(32); // only who knows it can fill this ceremony
    const begun = await this.#begin({ store: { secretSha256: hashFields("strongroom/v1/store-secret", secret), mode: MODE } });
    // An envelope made of what was there before another device's change would undo that change.
    if (begun.version !== this.#memory.position.version) throw new Error("another device has changed the vault meanwhile: begin again");
    const assertion = await this.#sign(begun);
    const content = await contentFor(begun, assertion);
    const [locked, listed] = [content.passkeyRecipients, begun.credentials].map(idsOf);
    require(locked === listed, "the envelope is locked for other passkeys than the vault lists");
    const envelope = await sealEnvelope(content);
    await openEnvelope(envelope, passkeyIdentity(assertion.prfOutput, assertion.credentialId)); // or it is not sent
    const { bundle } = await this.#service();
    const reply = await this.#complete("StoreEnvelope", "store", begun, {
      assertion: onTheWire(assertion),
      sealedEnvelope: await sealToVault(Buffer.concat([secret, envelope]), bundle.transportKey, begun.challenge),
      transportKeyId: bundle.transportKeyId,
    });
    const { envelopeSha256 } = parse<protos.StoreReply>("StoreReply", reply);
    require(envelopeSha256.equals(sha256(envelope)), "the vault signed for another envelope than was sent");
  }

  /** Begin a ceremony, and find in its statement exactly what was asked, before any passkey is prompted. */
  async #begin(operation: object): Promise<Ceremony> {
    const { rpId, origin } = await this.#service();
    const { tenant, account } = this.#state.settings;
    const openedArchiveVersion = String(this.#memory.openedArchiveVersion);
    const request = serialize("CeremonyRequest", { clientRandom: randomBytes(32), openedArchiveVersion, ...operation });
    const answer = await this.#call<protos.BeginCeremonyResponse>("BeginCeremony", { request });
    const known = this.#memory.position;
    const begun = checkCeremony(answer, { request, tenant, account, rpId, origin, mode: MODE, known });
    begun.warnings.forEach(this.#warn);
    return begun;
  }

  async #sign({ challenge, credentials: listed }: Ceremony): Promise<Assertion> {
    const { rpId, origin } = await this.#service();
    return this.#passkeys.get(rpId, origin, challenge, listed.map(({ credentialId }) => credentialId), PRF_INPUT);
  }

  /** Complete a ceremony; return the reply, once the receipt is known to be the vault's over it and this challenge. */
  async #complete(rpc: string, receiptFor: string, { ceremony, challenge, version }: Ceremony, rest: object): Promise<Buffer> {
    const { bundle } = await this.#service();
    const answer = await this.#callUntilAnswered<protos.SignedReply>(rpc, { ceremony, ...rest });
    const position = checkReceipt(answer, receiptFor, challenge, bundle);
    require(position.version === version + 1n, "the receipt's version is not the one that this ceremony made");
    checkGoesOn(position, this.#memory.position);
    this.#memory.position = position;
    this.#state.save(this.#memory);
    return answer.reply;
  }

  /** The vault's keys and what it asks of passkeys, verified once per run. */
  async #service(): Promise<Service> {
    if (this.#described !== undefined) return this.#described;
    const nonce = randomBytes(32);
    const answer = await this.#call<protos.SignedReply>("GetServiceInfo", { nonce });
    const { keyBundle, tenant, rpId, origins, algorithms } = parse<protos.ServiceInfoReply>("ServiceInfoReply", answer.reply);
    require(keyBundle !== null, "the vault shows no keys");
    const bundle = checkBundle(keyBundle, this.#state.settings.pins, this.#memory.bundleSerial);
    checkReceipt(answer, "get-service-info", nonce, bundle);
    require(tenant === this.#state.settings.tenant, "the vault takes this account token for one of another tenant");
    const [origin] = origins;
    require(origin !== undefined && algorithms.includes(ES256), "the vault takes no passkey of this client");
    this.#memory.bundleSerial = bundle.serial;
    this.#state.save(this.#memory);
    this.#described = { bundle, rpId, origin };
    return this.#described;
  }

  /** Until a ceremony ends the vault gives the same completion the same answer again, at no prompt and no attempt. */
  async #callUntilAnswered<Answer>(rpc: string, request: object): Promise<Answer> {
    for (const pause of RESEND_MILLISECONDS) {
      try {
        return await this.#call<Answer>(rpc, request);
      } catch (error) {
        if (!UNANSWERED.includes((error as ServiceError).code)) throw error;
        await setTimeout(pause);
      }
    }
    return await this.#call<Answer>(rpc, request);
  }

  #call<Answer>(rpc: string, request: object): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = SERVICE[rpc] as MethodDefinition<object, object>;
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${this.#state.accountToken()}`);
    const deadline = Date.now() + CALL_MILLISECONDS;
    return new Promise((resolve, reject) => {
      this.#channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, { deadline }, (error, answer) =>
        error === null ? resolve(answer as Answer) : reject(error),
      );
    });
  }
}

function idsOf(passkeys: { credentialId: Buffer }[]): string {
  return passkeys.map(({ credentialId }) => credentialId.toString("hex")).sort().join();
}

/** The assertion without its PRF output, which never leaves the device. */
function onTheWire({ prfOutput: _kept, ...webauthn }: Assertion): object {
  return { webauthn };
}
