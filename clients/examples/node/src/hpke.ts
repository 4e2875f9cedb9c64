/** HPKE (RFC 9180), suite 1, base mode: sealed bytes are enc (32) || ciphertext. docs/protocol.md, section 4. */
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { encodeFields } from "./fields.ts";

const SUITE_ID = 1;
const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** Seal `plaintext` to a transport key of the vault, for the ceremony of `challenge` only. */
export async function sealToVault(plaintext: Buffer, transportKey: Buffer, challenge: Buffer): Promise<Buffer> {
  const recipientPublicKey = await suite.kem.deserializePublicKey(transportKey);
  const sealed = await suite.seal({ recipientPublicKey, info: info("to-keeper", challenge) }, plaintext);
  return Buffer.concat([Buffer.from(sealed.enc), Buffer.from(sealed.ct)]);
}

/** A key of one ceremony: the vault seals what it releases to its public half. */
export async function newRecipient() {
  const pair = await suite.kem.generateKeyPair();
  const publicKey = Buffer.from(await suite.kem.serializePublicKey(pair.publicKey));
  const open = async (sealed: Buffer, challenge: Buffer): Promise<Buffer> => {
    const parameters = { recipientKey: pair.privateKey, enc: sealed.subarray(0, 32), info: info("to-client", challenge) };
    return Buffer.from(await suite.open(parameters, sealed.subarray(32)));
  };
  return { publicKey, open };
}

function info(direction: string, challenge: Buffer): Buffer {
  return encodeFields("strongroom/v1/hpke", Buffer.from(direction), SUITE_ID, challenge);
}
