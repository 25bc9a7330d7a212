import type { Renewal, RunReply } from "../../src/engine/run/command.ts";
import { openByToken } from "../../src/engine/run/open.ts";
import { isTerminal, type Run, type RunState } from "../../src/engine/run/state.ts";
import type { StagePlan } from "../../src/schema/plan.ts";
import type { LeaseWatch } from "./lease-watch.ts";

/** The attempts of a run whose holders may still be alive. */
export const liveAttempts = (leases: LeaseWatch, state: RunState): readonly string[] => {
  if (state === null) return [];
  const now = Date.now();
  return state.open.filter((unit) => leases.expiresAt(unit) > now).map((unit) => unit.attempt_token);
};

/** A sign of life for some attempts; says which of them the run no longer wants. */
export const renewLeases = (leases: LeaseWatch, run: Run, attemptTokens: readonly string[]): Renewal => {
  const lost: string[] = [];
  let expires = 0;
  for (const token of attemptTokens) {
    const unit = isTerminal(run.status) ? undefined : openByToken(run, token);
    if (unit === undefined || unit.settled !== null) lost.push(token);
    else expires = leases.renew(unit, Date.now());
  }
  return { lost, lease_expires_at_ms: expires };
};

/** Starts the lease of the attempt that a reply hands out, if it does. */
export const grantLease = (leases: LeaseWatch, state: RunState, reply: RunReply): void => {
  const plan = planIn(reply);
  if (plan === null || state === null) return;
  const unit = openByToken(state, plan.attempt_token);
  if (unit !== undefined) leases.renew(unit, Date.now());
};

const planIn = (reply: RunReply): StagePlan | null => {
  if (reply.type === "plan") return reply.plan;
  return reply.type === "advance" || reply.type === "created" ? (reply.advance?.next ?? null) : null;
};
