import type { LifecycleRequest } from "../engine/finish/command.ts";
import { drainEnd, type DrainEffect, type DrainReceipt, type DrainStep, drainSteps } from "../engine/finish/drain.ts";
import type { UnsettledState } from "../engine/finish/snapshot.ts";
import type { Json } from "../lib/json.ts";

/** What a snapshot has to say to whoever drains. */
export interface DrainView {
  readonly state: UnsettledState;
  readonly is_empty: boolean;
}

/** What draining a run takes. */
export interface DrainPorts {
  /** A fresh snapshot. */
  readonly snapshot: () => Promise<DrainView>;
  /** Does what a decision means; says whether it was done. */
  readonly carryOut: (
    effect: Exclude<DrainEffect, { readonly type: "record" | "acknowledge_handoff" }>,
  ) => Promise<boolean>;
  /** Tells the run; says whether anything came of it. */
  readonly tell: (request: LifecycleRequest) => Promise<boolean>;
}

/** What is asked of a drain. */
export interface DrainRequest {
  readonly budget: number;
  readonly return_value: Json;
  /** Whether what the caller believes to be unsettled is nothing. */
  readonly given_is_empty: boolean;
  /** Whether events that wait in triggers are cancelled too. */
  readonly include_events: boolean;
}

/** Carries out one decision and audits it; how many entries that wrote, or null where it could not be done. */
const settle = async (ports: DrainPorts, { effect, decision }: DrainStep): Promise<number | null> => {
  const isHandoff = effect.type === "acknowledge_handoff";
  if (isHandoff) {
    if (!(await ports.tell(effect))) return null;
  } else if (effect.type !== "record" && !(await ports.carryOut(effect))) return null;
  await ports.tell({ type: "emit_audit", kind: "drain_decision", payload: decision });
  return isHandoff ? 2 : 1;
};

/**
 * The settlement agent: settles what is unsettled, of each bucket one item in each iteration (spec/workers 21.10).
 *
 * What a decision says is really done before it is audited. An item is decided once: one that cannot be settled from here
 * does not hold up those behind it.
 */
export const drainRun = async (ports: DrainPorts, request: DrainRequest): Promise<DrainReceipt> => {
  const { budget, return_value, given_is_empty, include_events } = request;
  const decided = new Set<string>();
  let view = await ports.snapshot();
  let progress = { iterations: 0, items_processed: 0, audit_count: 0 };
  const receipt = (status: DrainReceipt["status"]): DrainReceipt => ({
    status,
    method: "spawn_settlement_agent",
    ...progress,
    budget,
    remaining: view.state,
    return_value,
  });
  if (view.is_empty && given_is_empty) return receipt("no_unsettled");
  while (progress.iterations < budget && !view.is_empty) {
    const steps = drainSteps(view.state, { decided, include_events });
    if (steps.length === 0) break;
    progress = { ...progress, iterations: progress.iterations + 1 };
    for (const step of steps) {
      decided.add(step.key);
      const written = await settle(ports, step);
      if (written === null) continue;
      const { items_processed, audit_count } = progress;
      progress = { ...progress, items_processed: items_processed + 1, audit_count: audit_count + written };
    }
    view = await ports.snapshot();
  }
  const end = drainEnd(view.is_empty, progress, { budget, remaining: view.state });
  await ports.tell({ type: "emit_audit", ...end });
  progress = { ...progress, audit_count: progress.audit_count + 1 };
  return receipt(view.is_empty ? "completed" : "exhausted");
};
