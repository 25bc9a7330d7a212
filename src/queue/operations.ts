import * as z from "zod";
import type { Bindings } from "../http/call.ts";
import { findOperation, type Operation } from "../http/operation-rows.ts";
import { operationDelay, workPage } from "../http/operation-work.ts";
import { report, textOf } from "./report.ts";

const operationMessage = z.object({ v: z.literal(1), tenant: z.string().min(1), operation_id: z.string().min(1) });

/** Pages that one message leads to. */
const MAX_PAGES = 5;

const MAX_DELAY_SECONDS = 300;

/** Has an operation go on, after its time has come; a message that is lost is sent again by the watchdog. */
export const sendOperation = async (
  env: Pick<Bindings, "CONTROL_QUEUE">,
  { tenant, operation_id }: Pick<Operation, "tenant" | "operation_id">,
  delayMs = 0,
): Promise<void> => {
  const delaySeconds = Math.min(Math.ceil(delayMs / 1000), MAX_DELAY_SECONDS);
  try {
    await env.CONTROL_QUEUE.send({ v: 1, tenant, operation_id }, delaySeconds > 0 ? { delaySeconds } : {});
  } catch (error) {
    report("an operation was not sent on", { tenant, operation_id, error: textOf(error) });
  }
};

/** Brings an operation some pages further, from wherever it is. */
export const workOn = async (env: Bindings, operation: Operation, pages: number): Promise<Operation> => {
  let current = operation;
  for (let page = 0; page < pages && current.state === "running"; page += 1) {
    if (operationDelay(current, Date.now()) > 0) break;
    current = await workPage(env, current, Date.now());
  }
  return current;
};

/** Works on the operation that a message of the control queue names; false when it names none. */
export const workOnMessage = async (message: Message, env: Bindings): Promise<boolean> => {
  const decoded = operationMessage.safeParse(message.body);
  if (!decoded.success) return false;
  const { tenant, operation_id } = decoded.data;
  try {
    const found = await findOperation(env.DB, tenant, operation_id);
    const left = found === null ? null : await workOn(env, found, MAX_PAGES);
    if (left?.state === "running") await sendOperation(env, left, operationDelay(left, Date.now()));
    message.ack();
  } catch (error) {
    report("an operation could not go on", { tenant, operation_id, error: textOf(error) });
    message.retry();
  }
  return true;
};
