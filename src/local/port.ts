import { type AddressInfo, createServer } from "node:net";
import { LocalProblem } from "./problem.ts";

/** Whether somebody could listen there now; 0 is always free. */
export const isFree = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(new LocalProblem(`Cannot listen on ${host}:${port}: ${error.message}. Set GODWIT_HOST and PORT.`));
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });

/** Refuses a port that is taken, and says what to do about it. */
export const demandFree = async (host: string, port: number): Promise<void> => {
  if (port === 0 || (await isFree(host, port))) return;
  throw new LocalProblem(
    `Port ${port} of ${host} is in use by another program. Stop that program, or choose another port:\n\n` +
      `  PORT=${port + 1} npm start`,
  );
};

/** A port that is free now. */
export const freePort = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen({ host, port: 0 }, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
