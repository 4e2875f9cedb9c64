/** How the envelope is locked before it reaches the vault. */

import { Mode as WireMode } from "./gen/strongroom/v1/resources_pb.js";

/** `prf`: by the passkeys' PRF, the default. `vault-held`: by the vault alone, only if chosen. */
export type Mode = "prf" | "vault-held";

/** The protocol's value. */
export function wireMode(mode: Mode): WireMode {
  return mode === "prf" ? WireMode.PRF : WireMode.VAULT_HELD;
}
