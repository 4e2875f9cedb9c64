/** Client data as a browser wrote it (WebAuthn Level 3, section 5.8.1): JSON, in which no member comes twice. */

/** Client data does not parse. */
export class BadClientData extends RangeError {
  override name = "BadClientData";
}

/** Read client data. A repeated member is refused: one reader would take the first, another the last. */
export function readClientData(encoded: Uint8Array): Record<string, unknown> {
  let text: string;
  let document: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(encoded);
    document = JSON.parse(text);
  } catch {
    throw new BadClientData("the client data does not parse");
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new BadClientData("the client data is no object");
  }
  if (repeatsMember(text)) {
    throw new BadClientData("the client data does not parse");
  }
  return document as Record<string, unknown>;
}

/** Whether an object in sound JSON has a member twice. */
function repeatsMember(text: string): boolean {
  const open: Set<string>[] = [];
  for (const [token, string] of text.matchAll(/("(?:[^"\\]|\\.)*"\s*:?)|[{}]/g)) {
    if (token === "{") {
      open.push(new Set());
    } else if (token === "}") {
      open.pop();
    } else if (string?.endsWith(":") === true) {
      const name: unknown = JSON.parse(string.slice(0, -1));
      const names = open.at(-1);
      if (names?.has(String(name)) === true) {
        return true;
      }
      names?.add(String(name));
    }
  }
  return false;
}
