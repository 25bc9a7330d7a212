import { auditEntries } from "../../src/engine/finish/audit.ts";
import type { AuditEntry } from "../../src/engine/finish/state.ts";
import { awaitedWorkers } from "../../src/engine/run/delegate.ts";
import { projectChildren } from "../../src/engine/run/project.ts";
import { type RunUnsettled, runUnsettled } from "../../src/engine/run/unsettled.ts";
import type { LeaseOf } from "../../src/engine/run/wake.ts";
import type { RunShell } from "./run-record.ts";

/** What a run has left unsettled, as far as it knows itself; null for a run that does not exist. */
export const readUnsettled = (shell: RunShell, lease: LeaseOf): RunUnsettled | null => {
  if (shell.state === null) return null;
  const ended = projectChildren(shell.entries()).map(({ worker_id }) => worker_id);
  const workers = [...new Set([...ended, ...awaitedWorkers(shell.state)])];
  return runUnsettled(shell.state, workers, { lease, now: Date.now() });
};

/** At most `limit` entries of a run's audit after a number, and whether more follow; null for a run that does not exist. */
export const readAudit = (
  shell: RunShell,
  { after, limit }: { readonly after: number; readonly limit: number },
): { readonly entries: readonly AuditEntry[]; readonly more: boolean } | null => {
  if (shell.state === null) return null;
  const entries = auditEntries(shell.entries(), after);
  return { entries: entries.slice(0, limit), more: entries.length > limit };
};
