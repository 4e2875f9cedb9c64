/** What is told of one kind of failure. */

/** A failure in words. */
export interface Told {
  readonly title: string;
  readonly said: string;
}

/** A kind of error with its words; kinds that stand earlier in a list are narrower. */
export interface Entry extends Told {
  readonly kind: abstract new (...given: never) => Error;
}

/** Say of errors of this kind what happened, what it means and what to do. */
export function told(kind: Entry["kind"], title: string, said: string): Entry {
  return { kind, title, said };
}
