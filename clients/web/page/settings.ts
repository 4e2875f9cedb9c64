/**
 * What the product's server writes into the page for whoever is signed in: <meta name="strongroom-settings">, as JSON.
 *
 * The token stands in the page and is never fetched: the page may speak to the vault and to nobody else (its CSP). When
 * it has run out, the user signs in again, which loads the page anew.
 */

/** All of it; there is no member that may be left out. */
export interface Settings {
  /** Address of the vault's listener for browsers, without a path. */
  readonly vault: string;
  /** Names that the vault knows the product and its user by. */
  readonly tenant: string;
  readonly account: string;
  /** What passkeys are filed under on the user's devices. */
  readonly userName: string;
  readonly accountToken: string;
  /** Fingerprints of the vault's identity keys, 64 hex digits each. */
  readonly pins: readonly string[];
  /** Where a POST signs the user out; afterwards the server shows its sign-in. */
  readonly signOut: string;
  /** Whether the token allows to set the vault aside and start over. */
  readonly mayReset: boolean;
}

/** Read the settings. Throws where there are none, or of another form. */
export function readSettings(page: Document): Settings {
  const written = page.querySelector<HTMLMetaElement>('meta[name="strongroom-settings"]')?.content ?? "";
  const read: unknown = JSON.parse(written);
  if (!isSettings(read)) {
    throw new TypeError("the page's settings are not of the form that page/settings.ts describes");
  }
  return read;
}

function isSettings(read: unknown): read is Settings {
  if (typeof read !== "object" || read === null) {
    return false;
  }
  const members = new Map<string, unknown>(Object.entries(read));
  const texts = ["vault", "tenant", "account", "userName", "accountToken", "signOut"];
  const pins = members.get("pins");
  return (
    texts.every((name) => typeof members.get(name) === "string") &&
    typeof members.get("mayReset") === "boolean" &&
    Array.isArray(pins) &&
    pins.every((pin) => typeof pin === "string" && /^[0-9a-f]{64}$/.test(pin))
  );
}
