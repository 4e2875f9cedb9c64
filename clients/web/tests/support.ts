/** What several tests need: vectors, and rejections of exactly one kind. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/** The content of a file of tests/vectors. */
export function vectors<Content>(name: string): Content {
  return JSON.parse(readFileSync(new URL(`../../../tests/vectors/${name}.json`, import.meta.url), "utf8")) as Content;
}

/** Refuse anything but an error of exactly this class, with this text. */
export function isError(kind: new (...made: never[]) => Error, said: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert(error instanceof Error);
    assert.equal(error.constructor, kind, `${error.name}: ${error.message}`);
    assert.match(error.message, said);
    return true;
  };
}
