/**
 * The way to the vault: Connect over HTTPS, an account token and a deadline on every call.
 *
 * Only calls that change nothing are repeated here. A completion is repeated by its flow, which knows how long its
 * ceremony lives.
 */

import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

import { AccountTokenMissing, Unavailable } from "./errors.ts";
import { VaultService } from "./gen/strongroom/v1/vault_service_pb.js";
import { translate } from "./rpc-errors.ts";

export const DEADLINE_MS = 10_000;
/** No answer of the vault's is longer: 64 KiB, as for the other clients, and what the protocol puts around it. */
export const MAX_ANSWER_BYTES = 80 * 1024;
/** How long to wait before each further try of a call that changes nothing. */
const REPEAT_PAUSES_MS: readonly number[] = [100, 200, 400];
const REPEATED: readonly string[] = [
  VaultService.method.getServiceInfo.name,
  VaultService.method.getVault.name,
  VaultService.method.listEvents.name,
  VaultService.method.beginCeremony.name,
];

/** Calls the vault. */
export interface Connection {
  /** The response, or VaultRefused or VaultTrouble. */
  call<Request extends DescMessage, Response extends DescMessage>(
    method: DescMethodUnary<Request, Response>,
    request: MessageInitShape<Request>,
  ): Promise<MessageShape<Response>>;
}

/** Gives the account token to send: from the product, which has signed the user in. */
export type AccountTokenSource = () => string | Promise<string>;

/** A connection by Connect. `transport` in place of `baseUrl` is for who needs another way. */
export class ConnectConnection implements Connection {
  readonly #transport: Transport;
  readonly #accountToken: AccountTokenSource;
  readonly #deadlineMs: number;
  readonly #pause: (ms: number) => Promise<void>;

  constructor(settings: {
    readonly baseUrl: string;
    readonly accountToken: AccountTokenSource;
    readonly transport?: Transport;
    readonly deadlineMs?: number;
    readonly pause?: (ms: number) => Promise<void>;
  }) {
    this.#transport = settings.transport ?? browserTransport(settings.baseUrl);
    this.#accountToken = settings.accountToken;
    this.#deadlineMs = settings.deadlineMs ?? DEADLINE_MS;
    this.#pause = settings.pause ?? waited;
  }

  async call<Request extends DescMessage, Response extends DescMessage>(
    method: DescMethodUnary<Request, Response>,
    request: MessageInitShape<Request>,
  ): Promise<MessageShape<Response>> {
    for (const pause of REPEATED.includes(method.name) ? REPEAT_PAUSES_MS : []) {
      try {
        return await this.#once(method, request);
      } catch (error) {
        if (!(error instanceof Unavailable)) {
          throw error;
        }
      }
      await this.#pause(pause);
    }
    return this.#once(method, request);
  }

  async #once<Request extends DescMessage, Response extends DescMessage>(
    method: DescMethodUnary<Request, Response>,
    request: MessageInitShape<Request>,
  ): Promise<MessageShape<Response>> {
    const token = await this.#accountToken();
    if (token === "") {
      throw new AccountTokenMissing("there is no account token to send");
    }
    const headers = { authorization: `Bearer ${token}` };
    try {
      return (await this.#transport.unary(method, undefined, this.#deadlineMs, headers, request)).message;
    } catch (error) {
      throw translate(error); // its text repeats what the server wrote
    }
  }
}

/** Wait. */
export function waited(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function browserTransport(baseUrl: string): Transport {
  return createConnectTransport({
    baseUrl,
    useBinaryFormat: true,
    // No cookies, no redirect that would carry the token elsewhere, no copy in a cache, no address of the page.
    fetch: async (input, init) => {
      const careful = {
        credentials: "omit",
        redirect: "error",
        cache: "no-store",
        referrerPolicy: "no-referrer",
      } as const;
      return bounded(await fetch(input, { ...init, ...careful }));
    },
  });
}

/** The response, whose body fails where it is longer than any answer: nothing else bounds what is held in memory. */
function bounded(response: Response): Response {
  let size = 0;
  const body = response.body?.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) {
          throw new RangeError("the answer is longer than any of the vault's");
        }
        controller.enqueue(chunk);
      },
    }),
  );
  return new Response(body ?? null, { status: response.status, headers: response.headers });
}
