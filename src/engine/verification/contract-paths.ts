import { byCodePoint, isObject, type Json, type JsonObject } from "../../lib/json.ts";
import type { DecodedGraph } from "../../schema/graph.ts";

/** The asset that verify settings take their contract from; null for none (spec/workflow 7.2). */
export const contractPath = (verify: JsonObject): string | null => {
  for (const name of [verify["contract_path"], verify["verification_contract_path"]])
    if (typeof name === "string" && name.trim() !== "") return name.trim();
  return null;
};

/** The names of all assets that the contracts of a graph are read from, each once, in order. */
export const contractPaths = (graph: Pick<DecodedGraph, "nodes" | "legacy">): readonly string[] => {
  const older = graph.legacy?.nodes.map(({ node }) => node) ?? [];
  const names = [...Object.values(graph.nodes), ...older].flatMap((node) => {
    const verify = node.verify as Json;
    return (isObject(verify) ? contractPath(verify) : null) ?? [];
  });
  return [...new Set(names)].toSorted(byCodePoint);
};
