/** The running vault that a test program was told of on standard input, devices that use it, and a front that cheats. */

import { text } from "node:stream/consumers";

import {
  create,
  toBinary,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";

import {
  ConnectConnection,
  InMemoryStore,
  StrongroomClient,
  type AccountRef,
  type ClientSettings,
  type Connection,
} from "../src/index.ts";
import { SoftwareAuthenticator } from "./software-authenticator.ts";

/** What tests/integration/client/test_web_library.py says of the vault, with tokens by name of account. */
export interface LiveVault {
  readonly baseUrl: string;
  readonly tenant: string;
  readonly origin: string;
  readonly pin: string;
  /** What the names of accounts here begin with at the vault, which serves other tests, too. */
  readonly prefix: string;
  readonly tokens: Readonly<Record<string, string>>;
  readonly resetTokens: Readonly<Record<string, string>>;
}

/** Read it. */
export async function readLiveVault<More>(): Promise<LiveVault & More> {
  return JSON.parse(await text(process.stdin)) as LiveVault & More;
}

/** Whose memory is of the account that is called `name` here. */
export function ownerOf(vault: LiveVault, name: string): AccountRef {
  return { vault: "test", tenant: vault.tenant, account: vault.prefix + name };
}

/** What stands between a client and the vault: it may alter requests and answers, as a front may. */
export type Cheat = {
  request?: (method: string, request: never) => void;
  answer?: (method: string, answer: never) => void;
  /** Lose the answer to this call; the vault has dealt with it. */
  loses?: (method: string) => Error | undefined;
};

/** A connection through `cheat`, which may be changed at any time. */
export class CheatingConnection implements Connection {
  cheat: Cheat = {};
  readonly calls: string[] = [];
  /** Everything that was sent, serialized as it travels. */
  readonly sent: Uint8Array[] = [];
  readonly #honest: Connection;

  constructor(honest: Connection) {
    this.#honest = honest;
  }

  async call<Request extends DescMessage, Response extends DescMessage>(
    method: DescMethodUnary<Request, Response>,
    request: MessageInitShape<Request>,
  ): Promise<MessageShape<Response>> {
    this.calls.push(method.name);
    const made = create(method.input, request);
    this.cheat.request?.(method.name, made as never);
    this.sent.push(toBinary(method.input, made));
    const answer = await this.#honest.call(method, made as MessageInitShape<Request>);
    const lost = this.cheat.loses?.(method.name);
    if (lost !== undefined) {
      throw lost;
    }
    this.cheat.answer?.(method.name, answer as never);
    return answer;
  }
}

/** One device of an account: a client, and what it is made of. */
export class Device {
  readonly authenticator: SoftwareAuthenticator;
  readonly store = new InMemoryStore();
  readonly connection: CheatingConnection;
  readonly client: StrongroomClient;

  constructor(
    vault: LiveVault,
    account: string,
    {
      authenticator = new SoftwareAuthenticator(),
      tokens = vault.tokens,
      ...more
    }: Partial<ClientSettings> & { authenticator?: SoftwareAuthenticator; tokens?: LiveVault["tokens"] } = {},
  ) {
    const token = tokens[account] ?? "";
    this.authenticator = authenticator;
    this.connection = new CheatingConnection(
      new ConnectConnection({ baseUrl: vault.baseUrl, accountToken: () => token }),
    );
    this.client = new StrongroomClient({
      owner: ownerOf(vault, account),
      trust: { pins: [vault.pin] },
      accountToken: () => token,
      origin: vault.origin,
      connection: this.connection,
      store: this.store,
      pause: async () => undefined,
      ...more,
      authenticator,
    });
  }
}
