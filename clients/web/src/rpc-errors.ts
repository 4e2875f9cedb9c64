/** What a failed call says, as this client's errors: ErrorInfo (domain "strongroom"), RetryInfo and BadRequest. */

import { Code, ConnectError } from "@connectrpc/connect";

import {
  AccountTokenRejected,
  BeginAgain,
  Busy,
  CoolingDown,
  Exhausted,
  InvalidRequest,
  NotVerified,
  NoVault,
  OutcomeUnknown,
  RateLimited,
  ReleaseQuotaUsed,
  ResetPending,
  ScopeMissing,
  type StrongroomError,
  Unavailable,
  VaultClosed,
  VaultExists,
  VaultFault,
  VaultRefused,
} from "./errors.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const DOMAIN = "strongroom";
const REFUSALS: ReadonlyMap<string, new (reason: string, retryAfterSeconds?: number) => VaultRefused> = new Map([
  ["TOKEN_REJECTED", AccountTokenRejected],
  ["BEGIN_AGAIN", BeginAgain],
  ["CEREMONY_EXPIRED", BeginAgain],
  ["NOT_VERIFIED", NotVerified],
  ["NO_VAULT", NoVault],
  ["VAULT_EXISTS", VaultExists],
  ["VAULT_EXHAUSTED", Exhausted],
  ["SCOPE_MISSING", ScopeMissing],
  ["RESET_PENDING", ResetPending],
  ["COOLING_DOWN", CoolingDown],
  ["VAULT_CLOSED", VaultClosed],
  ["RELEASE_QUOTA", ReleaseQuotaUsed],
  ["RATE_LIMITED", RateLimited],
  ["BUSY", Busy],
]);
const TROUBLES: ReadonlyMap<string, () => StrongroomError> = new Map([
  ["UNAVAILABLE", () => new Unavailable("the vault is not available")],
  ["OUTCOME_UNKNOWN", () => new OutcomeUnknown("the vault does not know whether the change stands")],
  ["RECORD_REJECTED", () => new VaultFault("RECORD_REJECTED")],
  ["INTERNAL", () => new VaultFault("INTERNAL")],
]);
const UNANSWERED: readonly Code[] = [Code.Unavailable, Code.DeadlineExceeded, Code.Canceled];
const FAULTS: readonly Code[] = [Code.Internal, Code.Unknown, Code.DataLoss, Code.Unimplemented, Code.OutOfRange];

/** This client's error for a failed call; the server's free text is not repeated. */
export function translate(failure: unknown): StrongroomError {
  const error = ConnectError.from(failure);
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === DOMAIN);
  if (info === undefined) {
    return withoutReason(failure, error.code);
  }
  const trouble = TROUBLES.get(info.reason);
  if (trouble !== undefined) {
    return trouble();
  }
  if (info.reason === "INVALID_FIELD") {
    const violations = error.findDetails(BadRequestSchema).flatMap((bad) => bad.fieldViolations);
    return new InvalidRequest(
      info.reason,
      violations.map(({ field, description }) => ({ field, rule: description })),
    );
  }
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const retryAfterSeconds = delay && Number(delay.seconds) + delay.nanos / 1e9;
  return new (REFUSALS.get(info.reason) ?? VaultRefused)(info.reason, retryAfterSeconds);
}

/** The error for an answer without our details: from a proxy, from the browser, or from the library itself. */
function withoutReason(failure: unknown, code: Code): StrongroomError {
  const name = Code[code]?.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase() ?? "UNKNOWN";
  // A browser's fetch fails with a TypeError, and says no more: no network, no such host, a certificate, or CORS.
  const isUnreachable = failure instanceof ConnectError && failure.cause instanceof TypeError;
  if (UNANSWERED.includes(code) || isUnreachable) {
    return new Unavailable(`the vault did not answer (${isUnreachable ? "NO_CONNECTION" : name})`);
  }
  if (FAULTS.includes(code)) {
    return new VaultFault(name);
  }
  if (code === Code.Unauthenticated) {
    return new AccountTokenRejected(name);
  }
  return code === Code.ResourceExhausted ? new Busy(name) : new VaultRefused(name);
}
