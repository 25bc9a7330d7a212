import ipaddr from "ipaddr.js";
import { err, ok, type Result } from "../../lib/result.ts";

/** A remote agent's address in its parts (spec/triggers 11.2). */
export interface AgentAddress {
  /** `host[:port]`, as it was given. */
  readonly authority: string;
  /** The path, or the authority where there is none. */
  readonly target_agent: string;
}

/** Splits `<authority>[/path]`; anything that is no host with a port is refused. */
export const agentAddress = (target: string): Result<AgentAddress, string> => {
  const at = target.indexOf("/");
  const authority = at === -1 ? target : target.slice(0, at);
  const path = at === -1 ? "" : target.slice(at + 1).replace(/\/+$/, "");
  if (/[\s@?#\\]/.test(authority) || !URL.canParse(`https://${authority}/`)) {
    return err(`'${authority}' is no authority of an A2A agent: give <host> or <host>:<port>`);
  }
  return ok({ authority, target_agent: path === "" ? authority : path });
};

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "");

/** True for a host that is this machine itself, in any spelling. */
export const isLoopback = (url: URL): boolean => {
  const host = hostOf(url);
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === "loopback";
  return host === "localhost" || host.endsWith(".localhost");
};

const portOf = (url: URL): string => url.port || (url.protocol === "http:" ? "80" : "443");

/** Whether a URL lies under an authority: the same host and port, or the same port of this machine (spec/triggers 11.2). */
export const isUnder = (url: URL, authority: string): boolean => {
  const requested = new URL(`${url.protocol}//${authority}/`);
  if (url.host === requested.host) return true;
  return isLoopback(url) && isLoopback(requested) && portOf(url) === portOf(requested);
};
