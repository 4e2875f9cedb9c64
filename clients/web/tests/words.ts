/** Says what the page tells of each kind of error that the library has: one JSON object, for tests/unit/client/test_page_words.py. */
import * as archive from "../src/archive/errors.ts";
import * as library from "../src/index.ts";
import { explain } from "../page/words/errors.ts";

const told: Record<string, { title: string; said: string }> = {};
for (const kind of Object.values({ ...library, ...archive })) {
  if (typeof kind === "function" && kind.prototype instanceof Error) {
    told[kind.name] = explain(Object.create(kind.prototype as object));
  }
}
told["unknown"] = explain(new TypeError("nothing that the library knows"));
process.stdout.write(JSON.stringify(told));
