import type { Operations } from "../operation.ts";
import { artifactOperations } from "./artifact.ts";
import { clockOperations } from "./clock.ts";
import { dispatchOperations } from "./dispatch.ts";
import { flowOperations } from "./flow.ts";
import { graphOperations } from "./graph.ts";
import { handlerOperations } from "./handler.ts";
import { lifecycleOperations } from "./lifecycle.ts";
import { hitlOperations } from "./hitl.ts";
import { mapOperations } from "./map.ts";
import { mailboxOperations } from "./mailbox.ts";
import { policyOperations } from "./policy.ts";
import { queueOperations } from "./queue.ts";
import { recordOperations } from "./record.ts";
import { replayOperations } from "./replay.ts";
import { ruleOperations } from "./rules.ts";
import { runOperations } from "./run.ts";
import { scheduleOperations } from "./schedule.ts";
import { stageRuleOperations } from "./stage-rule.ts";
import { triggerOperations } from "./trigger.ts";
import { webhookOperations } from "./webhook.ts";
import { workerOperations } from "./worker.ts";
import { workerFlowOperations } from "./worker-flow.ts";

/** Every operation that vectors can name. A new one is an entry in one of these tables. */
export const OPERATIONS: Operations = {
  ...clockOperations,
  ...runOperations,
  ...recordOperations,
  ...graphOperations,
  ...stageRuleOperations,
  ...mapOperations,
  ...artifactOperations,
  ...policyOperations,
  ...replayOperations,
  ...webhookOperations,
  ...mailboxOperations,
  ...queueOperations,
  ...triggerOperations,
  ...flowOperations,
  ...scheduleOperations,
  ...handlerOperations,
  ...ruleOperations,
  ...dispatchOperations,
  ...workerOperations,
  ...lifecycleOperations,
  ...workerFlowOperations,
  ...hitlOperations,
};
