import ipaddr from "ipaddr.js";

/**
 * Which hosts an HTTP stage may call.
 *
 * Checked by name and address as written in the URL, before each hop of a redirect. What a public name resolves to is not
 * visible here: that the network of the deployment does not route to private addresses is the platform's part.
 */

const PRIVATE_NAME = /(?:^|\.)(?:localhost|local|internal|home\.arpa)$/;

/** Azure's host agent: the one metadata address that lies among public ones. */
const METADATA = "168.63.129.16";

/** The only block of IPv6 from which public addresses are given out. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR("2000::/3");

/** The host of a URL without brackets and trailing dots; URL itself has made one spelling of every IPv4 form. */
const hostOf = (url: URL): string =>
  url.hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.+$/, "")
    .toLowerCase();

/** One spelling of an address: IPv6 compressed, and IPv4 inside IPv6 as IPv4. */
const canonical = (host: string): string => (ipaddr.isValid(host) ? ipaddr.process(host).toString() : host);

const isPrivateAddress = (address: ipaddr.IPv4 | ipaddr.IPv6): boolean =>
  address.range() !== "unicast" ||
  address.toString() === METADATA ||
  (address.kind() === "ipv6" && !address.match(GLOBAL_UNICAST));

/** True for an address or a name that is not public: anything but global unicast, local names, names without a dot. */
const isPrivate = (host: string): boolean => {
  if (ipaddr.isValid(host)) return isPrivateAddress(ipaddr.process(host));
  return !host.includes(".") || PRIVATE_NAME.test(host);
};

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/** True when the comma-separated list names the URL's host, or its host and port. */
const isAllowed = (url: URL, list: string): boolean => {
  const host = canonical(hostOf(url));
  const port = url.port || DEFAULT_PORTS[url.protocol];
  return list.split(",").some((entry) => {
    const trimmed = entry.trim().toLowerCase();
    // An address of IPv6 has many colons itself: only behind its brackets a colon starts a port.
    const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(trimmed);
    const [named, namedPort] = parts === null ? [trimmed, undefined] : [parts[1] ?? "", parts[2]];
    const asHost = named.includes(":") && !named.startsWith("[") ? `[${named}]` : named;
    if (named === "" || !URL.canParse(`http://${asHost}`)) return false;
    return canonical(hostOf(new URL(`http://${asHost}`))) === host && (namedPort === undefined || namedPort === port);
  });
};

/** Why the URL must not be called, or undefined when it may (category `egress_blocked`, spec/workflow 0.3). */
export const egressRefusal = (url: URL, allowed: string | undefined): string | undefined => {
  if (DEFAULT_PORTS[url.protocol] === undefined) return `the scheme "${url.protocol}" is refused: use http or https`;
  if (url.username !== "" || url.password !== "") {
    return "a URL with credentials is refused: send them in a header, as {{secret.NAME}}";
  }
  if (!isPrivate(hostOf(url)) || isAllowed(url, allowed ?? "")) return undefined;
  return `the host "${url.host}" is private: name it in GODWIT_ALLOW_PRIVATE_HOSTS to allow it in development`;
};
