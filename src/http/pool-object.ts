import type { ClaimedTask, ReportedOutcome, Submitted, SubmitRequest } from "../../durable-objects/shell/pool-shell.ts";
import type { PoolAuditEntry } from "../engine/pool/audit.ts";
import { type PoolAddress, poolObjectName } from "../engine/pool/identity.ts";
import type { Answer } from "../engine/machine.ts";
import type { PoolConfig } from "../engine/pool/state.ts";
import type { PendingTask, PoolView, TaskView } from "../engine/pool/view.ts";
import type { Bindings } from "./call.ts";

/** What the API and the consumer of tasks need of a pool's object. */
export interface PoolObject {
  readonly create: (
    tenant: string,
    config: PoolConfig,
  ) => Promise<Answer<{ readonly pool: PoolView; readonly is_new: boolean }>>;
  readonly submit: (poolId: string, request: SubmitRequest) => Promise<Answer<Submitted>>;
  readonly claim: (taskId: string) => Promise<Answer<ClaimedTask | null>>;
  readonly renew: (taskId: string, token: string) => Promise<Answer<null>>;
  readonly end: (taskId: string, token: string, outcome: ReportedOutcome) => Promise<Answer<TaskView>>;
  readonly show: (poolId: string, limit: number) => Promise<Answer<PoolView>>;
  readonly tasks: (poolId: string, ids: readonly string[]) => Promise<Answer<readonly TaskView[]>>;
  readonly audit: (poolId: string, limit: number) => Promise<Answer<readonly PoolAuditEntry[]>>;
  readonly pending: () => Promise<readonly PendingTask[]>;
  readonly remove: (poolId: string) => Promise<Answer<{ readonly is_removed: boolean; readonly pool: PoolView }>>;
}

/** A stub of a pool; ask again after every fault, a stub of a reset object stays broken. */
export const poolObject = (env: Pick<Bindings, "TASK_POOL">, tenant: string, address: PoolAddress): PoolObject =>
  env.TASK_POOL.getByName(poolObjectName(tenant, address)) as unknown as PoolObject;
