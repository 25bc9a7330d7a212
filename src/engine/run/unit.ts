import type { PreparedStage } from "./state.ts";

/** True when a unit is somebody's to execute: no map as a whole, nothing that waits for the outside, nothing completed. */
export const isExecutable = (unit: PreparedStage): boolean => unit.holder !== "nobody" && unit.settled === null;
