import { enrichRunRecord } from "../../../src/engine/observe/enrich.ts";
import { buildRunTree } from "../../../src/engine/observe/run-tree.ts";
import { isObject } from "../../../src/lib/json.ts";
import { decodeRunRecord } from "../../../src/schema/record.ts";
import { type Operations, textArg, valueOf } from "../operation.ts";

/** Stored run records (spec/workflow 12.1 and 12.8). */
export const recordOperations: Operations = {
  load_run: (system, args) => system.loadRecord(textArg(args, "path")),
  save_records: (system, args) => {
    const records = isObject(args["records"]) ? args["records"] : {};
    for (const [path, record] of Object.entries(records)) system.keepRecord(path, valueOf(decodeRunRecord(record)));
  },
  persist_run: (system, args) => {
    const path = textArg(args, "path");
    const record = valueOf(decodeRunRecord(args["record"]));
    const saved = enrichRunRecord(record, system.clock.context, { persistedPath: path });
    system.keepRecord(path, saved);
    return saved;
  },
  load_run_tree: (system, args) =>
    buildRunTree(system.loadRecord(textArg(args, "path")), (child) =>
      child.run_path === null ? null : system.findRecord(child.run_path),
    ),
};
