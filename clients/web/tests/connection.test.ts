/** The way to the vault: what is sent with a call, what is tried again, and which error each reason becomes. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";

import { ConnectConnection, MAX_ANSWER_BYTES } from "../src/connection.ts";
import * as errors from "../src/errors.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { GetVaultResponseSchema, VaultService } from "../src/gen/strongroom/v1/vault_service_pb.js";
import { isError } from "./support.ts";

const NONCE = new Uint8Array(32);

function failure(reason: string, code: Code, domain = "strongroom", ...more: unknown[]): ConnectError {
  const details = [create(ErrorInfoSchema, { reason, domain }), ...more] as never[];
  const schemas = [ErrorInfoSchema, RetryInfoSchema, BadRequestSchema];
  return new ConnectError(
    "the server's own words",
    code,
    undefined,
    details.map((detail: { $typeName: string }) => ({
      desc: schemas.find(({ typeName }) => typeName === detail.$typeName) as never,
      value: detail as never,
    })),
  );
}

/** A connection to a vault that answers each call as the next of `answers` does, and the calls that came. */
function connected(...answers: (ConnectError | "well")[]) {
  const calls: string[] = [];
  const pauses: number[] = [];
  const answer = (name: string) => () => {
    calls.push(name);
    const next = answers.shift() ?? "well";
    if (next !== "well") {
      throw next;
    }
    return {};
  };
  const transport = createRouterTransport(({ service }) => {
    service(VaultService, { getVault: answer("GetVault"), releaseEnvelope: answer("ReleaseEnvelope") });
  });
  const pause = async (ms: number): Promise<void> => void pauses.push(ms);
  return {
    calls,
    pauses,
    connection: new ConnectConnection({ baseUrl: "", transport, accountToken: () => "t", pause }),
  };
}

const lost = (): ConnectError => new ConnectError("gone", Code.Unavailable);

test("calls that change nothing are tried again, others are not", async () => {
  const patient = connected(lost(), lost(), lost());
  await patient.connection.call(VaultService.method.getVault, { nonce: NONCE });
  assert.deepEqual([patient.calls.length, patient.pauses], [4, [100, 200, 400]]);
  const given = connected(lost(), lost(), lost(), lost());
  const call = given.connection.call(VaultService.method.getVault, { nonce: NONCE });
  await assert.rejects(call, isError(errors.Unavailable, /UNAVAILABLE/));
  const once = connected(lost());
  await assert.rejects(once.connection.call(VaultService.method.releaseEnvelope, {}), isError(errors.Unavailable, /./));
  assert.deepEqual(once.calls, ["ReleaseEnvelope"]);
  const refused = connected(failure("NO_VAULT", Code.FailedPrecondition));
  const asked = refused.connection.call(VaultService.method.getVault, { nonce: NONCE });
  await assert.rejects(asked, isError(errors.NoVault, /^the vault refused: NO_VAULT$/));
  assert.equal(refused.calls.length, 1);
});

/** The table of docs/protocol.md, section 10. */
function documentedReasons(): { reason: string; code: Code }[] {
  const page = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
  const rows = [...page.slice(page.indexOf("## 10. Reasons")).matchAll(/^\| ([A-Z_]+) \| ([A-Z_]+) \|/gm)];
  return rows.map(([, reason = "", status = ""]) => {
    const name = status.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return { reason, code: Code[name as keyof typeof Code] };
  });
}

const TENANTS_OWN = ["ERASURE_PENDING", "NO_ERASURE_PENDING"];
const WITHOUT_A_CLASS = ["DEADLINE_REQUIRED", "UNSUPPORTED_OPERATION", "CEREMONY_REJECTED"];

test("every reason of the protocol has its error, which says it and not the server's words", async () => {
  const reasons = documentedReasons();
  assert(reasons.length > 20);
  for (const { reason, code } of reasons) {
    assert.equal(typeof code, "number", reason);
    const { connection } = connected(
      failure(reason, code),
      failure(reason, code),
      failure(reason, code),
      failure(reason, code),
    );
    const error: unknown = await connection
      .call(VaultService.method.getVault, { nonce: NONCE })
      .catch((one: unknown) => one);
    assert(error instanceof errors.StrongroomError, reason);
    assert.doesNotMatch(error.message, /server's own words/);
    if (error instanceof errors.VaultRefused) {
      assert.equal(error.reason, reason);
      const isPlain = error.constructor === errors.VaultRefused;
      assert.equal(isPlain, [...TENANTS_OWN, ...WITHOUT_A_CLASS].includes(reason), reason);
    } else {
      assert(error instanceof errors.VaultTrouble, reason);
    }
  }
});

test("how long to wait and which field was wrong are told; details of another service are not believed", async () => {
  const retry = create(RetryInfoSchema, { retryDelay: { seconds: 61n, nanos: 500_000_000 } });
  const cooling = connected(failure("COOLING_DOWN", Code.ResourceExhausted, "strongroom", retry));
  const error: unknown = await cooling.connection.call(VaultService.method.getVault, {}).catch((one: unknown) => one);
  assert(error instanceof errors.CoolingDown && error instanceof errors.MustWait);
  assert.equal(error.retryAfterSeconds, 61.5);
  const bad = create(BadRequestSchema, { fieldViolations: [{ field: "nonce", description: "must be 32 bytes" }] });
  const invalid = connected(failure("INVALID_FIELD", Code.InvalidArgument, "strongroom", bad));
  const found: unknown = await invalid.connection.call(VaultService.method.getVault, {}).catch((one: unknown) => one);
  assert(found instanceof errors.InvalidRequest);
  assert.deepEqual([found.reason, found.violations], ["INVALID_FIELD", [{ field: "nonce", rule: "must be 32 bytes" }]]);
  assert.match(found.message, /nonce must be 32 bytes/);
  const foreign = connected(failure("NO_VAULT", Code.ResourceExhausted, "elsewhere"));
  await assert.rejects(
    foreign.connection.call(VaultService.method.getVault, {}),
    isError(errors.Busy, /RESOURCE_EXHAUSTED/),
  );
});

test("a call has token and deadline, follows no redirect, and takes no answer of unreasonable size", async () => {
  const seen: IncomingMessage[] = [];
  const answers: ((response: ServerResponse) => void)[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    (answers.shift() ?? ((one) => one.writeHead(500).end()))(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const baseUrl = `http://127.0.0.1:${port}`;
  const connection = new ConnectConnection({
    baseUrl,
    accountToken: async () => "the-token",
    pause: async () => undefined,
  });
  const proto = { "content-type": "application/proto" };
  const call = (): Promise<unknown> => connection.call(VaultService.method.releaseEnvelope, {});
  const reply = toBinary(GetVaultResponseSchema, create(GetVaultResponseSchema, { reply: new Uint8Array(9) }));
  try {
    answers.push((response) => response.writeHead(200, proto).end(reply));
    await call();
    assert.equal(seen[0]?.headers.authorization, "Bearer the-token");
    assert.equal(seen[0]?.headers["connect-timeout-ms"], "10000");
    assert.equal(seen[0]?.url, "/strongroom.v1.VaultService/ReleaseEnvelope");
    answers.push((response) => response.writeHead(307, { location: `${baseUrl}/elsewhere` }).end());
    await assert.rejects(call(), isError(errors.Unavailable, /NO_CONNECTION/));
    assert.equal(seen.length, 2);
    answers.push((response) => response.writeHead(200, proto).end(Buffer.alloc(MAX_ANSWER_BYTES + 1)));
    await assert.rejects(call(), isError(errors.VaultFault, /./));
    answers.push((response) => response.writeHead(502, { "content-type": "text/html" }).end("<p>proxy</p>"));
    await assert.rejects(call(), isError(errors.Unavailable, /UNAVAILABLE/));
  } finally {
    server.close();
    server.closeAllConnections();
  }
  await assert.rejects(call(), isError(errors.Unavailable, /NO_CONNECTION/));
  const without = new ConnectConnection({ baseUrl, accountToken: () => "" });
  const unsent = without.call(VaultService.method.getVault, {});
  await assert.rejects(unsent, isError(errors.AccountTokenMissing, /no account token/));
});
