/**
 * Where a device keeps what it remembers of one account's vault: text, whose meaning is memory.ts's and
 * receipt-log.ts's.
 *
 * It holds no secret, but losing it loses protection: a device that remembers nothing cannot tell a vault that went
 * back. So ask for persistent storage (navigator.storage.persist) where the browser has it.
 */

import { toHex, utf8 } from "./bytes.ts";
import { MemoryFault } from "./errors.ts";
import { hashFields } from "./fields.ts";
import type { AccountRef } from "./memory.ts";

/** One change; all of it is kept, durably, or nothing. */
export interface MemoryChange {
  /** The memory document in place of what was. */
  readonly memory: string;
  /** A line to be added to the receipt log. */
  readonly line?: string;
  /** Evidence that a vault went back, to be kept beside what is there. */
  readonly contested?: string;
}

/** Keeps what a device remembers of one account's vault. Its promises end in MemoryFault where it cannot. */
export interface MemoryStore {
  /** Run `task` while no other client does for this account on this device, in another tab say: they would each
   * overwrite what the other has learned. */
  exclusive<Result>(task: () => Promise<Result>): Promise<Result>;
  /** The memory document; undefined of a new account. */
  load(): Promise<string | undefined>;
  /** Keep a change. */
  keep(change: MemoryChange): Promise<void>;
  /** The lines of the receipt log, oldest first. */
  lines(): Promise<string[]>;
  /** The newest line; undefined of an empty log. */
  lastLine(): Promise<string | undefined>;
}

/** Remembers until the page is closed: for tests, and for who wants to leave no trace. */
export class InMemoryStore implements MemoryStore {
  memory: string | undefined;
  readonly contested: string[] = [];
  readonly #lines: string[] = [];
  #queue: Promise<unknown> = Promise.resolve();

  exclusive<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(task, task);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async load(): Promise<string | undefined> {
    return this.memory;
  }

  async keep(change: MemoryChange): Promise<void> {
    this.memory = change.memory;
    this.#lines.push(...(change.line === undefined ? [] : [change.line]));
    this.contested.push(...(change.contested === undefined ? [] : [change.contested]));
  }

  async lines(): Promise<string[]> {
    return [...this.#lines];
  }

  async lastLine(): Promise<string | undefined> {
    return this.#lines.at(-1);
  }
}

const FOLDER_LABEL = "strongroom/v1/memory-folder";
const MEMORY = "memory";
const RECEIPTS = "receipts";
const CONTESTED = "contested";
const DOCUMENT = "memory.json";

/** Remembers in a database of the browser's, one for each account; tabs take turns by a lock of the browser's. */
export class IndexedDbStore implements MemoryStore {
  readonly #name: string;

  constructor(owner: AccountRef) {
    const folder = hashFields(FOLDER_LABEL, utf8(owner.vault), utf8(owner.tenant), utf8(owner.account));
    this.#name = `strongroom-${toHex(folder).slice(0, 32)}`;
  }

  exclusive<Result>(task: () => Promise<Result>): Promise<Result> {
    return navigator.locks.request(this.#name, task) as Promise<Result>;
  }

  async load(): Promise<string | undefined> {
    return this.#in("readonly", (transaction) => transaction.objectStore(MEMORY).get(DOCUMENT));
  }

  async keep(change: MemoryChange): Promise<void> {
    await this.#in("readwrite", (transaction) => {
      if (change.line !== undefined) {
        transaction.objectStore(RECEIPTS).add(change.line);
      }
      if (change.contested !== undefined) {
        transaction.objectStore(CONTESTED).add(change.contested);
      }
      return transaction.objectStore(MEMORY).put(change.memory, DOCUMENT);
    });
  }

  async lines(): Promise<string[]> {
    return this.#in("readonly", (transaction) => transaction.objectStore(RECEIPTS).getAll());
  }

  async lastLine(): Promise<string | undefined> {
    const cursor = await this.#in("readonly", (transaction) =>
      transaction.objectStore(RECEIPTS).openCursor(null, "prev"),
    );
    return cursor?.value as string | undefined;
  }

  async #in<Result>(
    mode: IDBTransactionMode,
    act: (transaction: IDBTransaction) => IDBRequest<Result>,
  ): Promise<Result> {
    try {
      const database = await opened(this.#name);
      try {
        const transaction = database.transaction([MEMORY, RECEIPTS, CONTESTED], mode, { durability: "strict" });
        const request = begun(transaction, act);
        return await new Promise<Result>((resolve, reject) => {
          transaction.oncomplete = () => resolve(request.result);
          transaction.onabort = () => reject(transaction.error);
        });
      } finally {
        database.close();
      }
    } catch (error) {
      throw new MemoryFault(
        `the memory of this account cannot be used: ${error instanceof Error ? error.name : "no storage"}`,
      );
    }
  }
}

/** Begin what is to be done; where that fails half-way, nothing of it stays. */
function begun<Result>(
  transaction: IDBTransaction,
  act: (transaction: IDBTransaction) => IDBRequest<Result>,
): IDBRequest<Result> {
  try {
    return act(transaction);
  } catch (error) {
    transaction.abort(); // else what was begun before would be committed
    throw error;
  }
}

function opened(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(MEMORY);
      request.result.createObjectStore(RECEIPTS, { autoIncrement: true });
      request.result.createObjectStore(CONTESTED, { autoIncrement: true });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
