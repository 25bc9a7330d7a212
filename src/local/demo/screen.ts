import { type Paint, paintFor } from "./paint.ts";
import { finishedLine, headLine, type Shown, startedLine } from "./progress.ts";

/** Where the demo writes to. */
export interface Screen {
  readonly paint: Paint;
  readonly line: (text?: string) => void;
  /** A name and what there is to say about it. */
  readonly fact: (name: string, text: string) => void;
  readonly stages: () => void;
  readonly show: (shown: Shown, origin: number) => void;
}

const ERASE_LINE = "\r\u001b[2K";

/** A screen on a terminal shows what is being worked on; without a terminal it writes plain lines, each of them final. */
export const openScreen = (out: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): Screen => {
  const paint = paintFor(out, environment);
  const isLive = out.isTTY === true && environment["TERM"] !== "dumb";
  const line = (text = ""): void => void out.write(`${text}\n`);
  return {
    paint,
    line,
    fact: (name, text) => line(`  ${paint("dim", name.padEnd(11))} ${text}`),
    stages: () => line(headLine(paint)),
    show: (shown, origin) => {
      if (shown.type === "started" && isLive) out.write(`${ERASE_LINE}${startedLine(paint, shown.stage, origin)}`);
      if (shown.type === "finished") line(`${isLive ? ERASE_LINE : ""}${finishedLine(paint, shown.stage, origin)}`);
      if (shown.type === "retry") {
        line(
          `${isLive ? ERASE_LINE : ""}            ${paint("yellow", `${shown.stage.node_id}: ${shown.error}; trying again`)}`,
        );
      }
    },
  };
};

/** A screen that shows nothing. */
export const darkScreen = (): Screen => ({
  paint: (_style, text) => text,
  line: () => undefined,
  fact: () => undefined,
  stages: () => undefined,
  show: () => undefined,
});
