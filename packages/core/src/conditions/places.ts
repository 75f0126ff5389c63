import ipaddr from "ipaddr.js";

/*
 * Operators over places: file system paths, URL hosts, IP addresses. What two programs could read in two ways is neither inside nor outside: it is
 * `"unknown"`, never normalised. The lists to compare with must be free of problems, which `operators.ts` sees to. Symbolic links, DNS answers,
 * redirects and a file system that ignores case are out of reach.
 */

type Placed = boolean | "unknown";

/**
 * Whether an absolute path is one of the roots or below it, by whole segments. Unknown where the path has control characters, backslashes, percent
 * escapes, a `~` (a home folder, or with a number a second name of a file on Windows), empty, `.` or `..` segments, begins with a drive, or is not
 * absolute. One trailing slash does not matter.
 */
export function isWithinPath(actual: string, roots: readonly string[]): Placed {
  if (pathProblem(actual) !== undefined) return "unknown";
  return roots.some((root) => {
    const base = root.endsWith("/") ? root : `${root}/`;
    return actual.startsWith(base) || actual === base.slice(0, -1);
  });
}

/** What makes a path ambiguous, `undefined` where nothing does. */
export function pathProblem(path: string): string | undefined {
  if (/[\p{Cc}\p{Cs}]/u.test(path)) return "has control characters";
  if (path.includes("\\")) return "has a backslash";
  if (/%[0-9a-fA-F]{2}/.test(path)) return "has a percent escape";
  if (!path.startsWith("/")) return "is not absolute";
  if (path.includes("~")) return "has a `~`";
  if (/\/\//.test(path)) return "has an empty segment";
  if (/\/\.\.?(?:\/|$)/.test(path)) return "has a `.` or `..` segment";
  if (/^\/[A-Za-z]:/.test(path)) return "begins with a drive";
  return undefined;
}

/**
 * Whether the host of an absolute `http` or `https` URL is in the list. `*.example.com` stands for every subdomain, not for `example.com`. The port
 * does not matter. Unknown where the text holds userinfo, backslashes, whitespace or control characters, or the host has a trailing dot, is not
 * ASCII, or is changed by the URL Standard's parser. An address is true where the list names it (IPv6 is compared in canonical form), else unknown:
 * it may be an address of any listed host.
 */
export function isHostIn(actual: string, hosts: readonly string[]): Placed {
  const host = hostOf(actual);
  if (host === undefined) return "unknown";
  if (hosts.some((listed) => (listed.startsWith("*.") ? host.endsWith(listed.slice(1)) : host === listed))) return true;
  return host.startsWith("[") || numericName.test(host) ? "unknown" : false;
}

/** What keeps a text from being a host of a `host_in` list, `undefined` where nothing does. */
export function hostProblem(listed: string): string | undefined {
  const name = listed.startsWith("*.") ? listed.slice(2) : listed;
  if (/^\[[0-9a-f:]+\]$/.test(listed))
    return addressOf(listed.slice(1, -1)) === undefined ? "is no IPv6 literal, or one that stands for an IPv4 address" : undefined;
  if (/[A-Z]/.test(name)) return "has capital letters: write it in lower case";
  if (!plainName.test(name)) return "is no plain host name: write it as `example.com` or `*.example.com`, without scheme, port or path";
  if (name !== listed && numericName.test(name)) return "asks for subdomains of a number";
  return numericName.test(name) && addressOf(name) === undefined ? "is a number that is no dotted IPv4 address" : undefined;
}

/** A host name of letters, digits, hyphens and underscores, without empty labels, at most 253 characters long. */
const plainName = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
/** The URL Standard reads a host whose last label is a number as an IPv4 address. */
const numericName = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;

function hostOf(url: string): string | undefined {
  if (/[\p{Cc}\p{Cs}\s\\]/u.test(url)) return undefined;
  const [, authority, mark] = /^https?:\/\/([^/?#]*)([^/]*)/i.exec(url) ?? [];
  // Parsers of the time before the URL Standard look for userinfo up to the next slash, beyond `?` and `#`.
  if (authority === undefined || authority.includes("@") || mark?.includes("@")) return undefined;
  const [, written] = /^(\[[^\]]*\]|[^:]+)(?::[0-9]+)?$/.exec(authority) ?? [];
  if (written === undefined || !URL.canParse(url)) return undefined;
  const parsed = new URL(url).hostname;
  if (written.startsWith("[")) return addressOf(parsed.slice(1, -1)) === undefined ? undefined : parsed;
  const host = lowerAscii(written);
  return host === parsed && plainName.test(host) ? host : undefined;
}

/** `toLowerCase` would also turn the Kelvin sign into `k`. */
function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** A host of the list as `isHostIn` wants it: IPv6 literals in the form that the URL Standard gives them. */
export function canonicalHost(listed: string): string {
  return listed.startsWith("[") ? new URL(`http://${listed}`).hostname : listed;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type Network = readonly [Address, number];

/**
 * Whether an IP literal lies in one of the networks (`10.0.0.0/8`, `2001:db8::/32`, or one address). Unknown where it is no dotted IPv4 address
 * without leading zeros and no IPv6 address without zone, and where an IPv6 address stands for an IPv4 one (compatible, mapped, translated, 6to4, Teredo).
 */
export function isAddressIn(actual: string, networks: readonly Network[]): Placed {
  const address = addressOf(actual);
  if (address === undefined) return "unknown";
  return networks.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits));
}

/** Reads one entry of a `cidr_in` list, or says what keeps it from being one. */
export function parseNetwork(text: string): Network | string {
  const [, literal, bitsText] = /^([^/]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text) ?? [];
  const base = literal === undefined ? undefined : addressOf(literal);
  if (base === undefined)
    return "is no network: write it as `10.0.0.0/8` or `2001:db8::/32`; IPv6 forms of IPv4 addresses are not compared";
  const longest = base.kind() === "ipv4" ? 32 : 128;
  const bits = bitsText === undefined ? longest : Number(bitsText);
  if (bits > longest) return `has a prefix longer than ${longest}`;
  const network =
    base.kind() === "ipv4"
      ? ipaddr.IPv4.networkAddressFromCIDR(`${literal}/${bits}`)
      : ipaddr.IPv6.networkAddressFromCIDR(`${literal}/${bits}`);
  if (network.toString() !== base.toString()) return `has bits beyond its prefix: write \`${network.toString()}/${bits}\``;
  return [base, bits];
}

const dottedDecimal = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;
/** Ranges of IPv6 addresses that name an IPv4 address, as `ipaddr.js` calls them. */
const disguises: readonly string[] = ["ipv4Mapped", "rfc6145", "rfc6052", "6to4", "teredo"];

function addressOf(text: string): Address | undefined {
  if (dottedDecimal.test(text)) return ipaddr.IPv4.parse(text);
  if (!/^[0-9a-fA-F:]+$/.test(text) || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return disguises.includes(address.range()) || isCompatible(address) ? undefined : address;
}

/** `::10.0.0.1`, which is also written `::a00:1` (RFC 4291, section 2.5.5.1). `::` and `::1` are addresses of their own. */
function isCompatible({ parts }: ipaddr.IPv6): boolean {
  return parts.slice(0, 6).every((part) => part === 0) && parts[6] !== 0;
}
