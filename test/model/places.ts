import ipaddr from "ipaddr.js";
import type { Truth } from "./conditions.ts";

/** `*` stops at `/`, `**` does not; all else stands for itself. */
export function globMatches(glob: string, text: string): boolean {
  if (glob === "") return text === "";
  const wild = glob.startsWith("**") ? "**" : glob.startsWith("*") ? "*" : undefined;
  if (wild === undefined) return text[0] === glob[0] && globMatches(glob.slice(1), text.slice(1));
  for (let taken = 0; taken <= text.length; taken++) {
    if (globMatches(glob.slice(wild.length), text.slice(taken))) return true;
    if (wild === "*" && text[taken] === "/") return false;
  }
  return false;
}

/** Whole segments of an absolute path, or `undefined` where two programs could read it differently. */
function segmentsOf(path: string): readonly string[] | undefined {
  if (!path.isWellFormed() || hasControl(path) || path.includes("\\") || /%[0-9a-f]{2}/i.test(path)) return undefined;
  const [before, ...segments] = path.split("/");
  if (before !== "" || segments.length === 0) return undefined;
  if (segments.at(-1) === "") segments.pop();
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) return undefined;
  return path.includes("~") || /^[a-z]:/i.test(segments[0] ?? "") ? undefined : segments;
}

export function pathWithin(text: string, roots: readonly string[]): Truth {
  const path = segmentsOf(text);
  const bases = roots.map(segmentsOf);
  if (path === undefined || bases.includes(undefined)) return "unknown";
  return bases.some((base) => base?.every((segment, index) => segment === path[index]));
}

export function hostIn(url: string, hosts: readonly string[]): Truth {
  const host = hostOf(url);
  if (host === undefined || hosts.some((listed) => !isListable(listed))) return "unknown";
  const isListed = hosts.some((listed) => {
    if (listed.startsWith("[")) return host === new URL(`http://${listed}`).hostname;
    return listed.startsWith("*.") ? host.endsWith(listed.slice(1)) : host === listed;
  });
  // An address may be that of any host.
  return isListed || (addressOf(host.replace(/^\[|\]$/g, "")) === undefined ? false : "unknown");
}

function hostOf(url: string): string | undefined {
  if (!url.isWellFormed() || hasControl(url) || /[\s\\]/.test(url)) return undefined;
  const [, afterScheme] = /^https?:\/\/(.*)$/is.exec(url) ?? [];
  if (afterScheme === undefined || afterScheme.split("/")[0]?.includes("@")) return undefined;
  const authority = afterScheme.split(/[/?#]/)[0] as string;
  const [, name = "", , port] = /^(\[[^\]]*\]|[^:]*)(:(.*))?$/.exec(authority) ?? [];
  if (name === "" || (authority.length > name.length && !/^[0-9]+$/.test(port ?? ""))) return undefined;
  let read: string;
  try {
    read = new URL(url).hostname;
  } catch {
    return undefined;
  }
  if (name.startsWith("[")) return addressOf(name.slice(1, -1)) ? read : undefined;
  const ascii = Array.from(name, (letter) => (letter >= "A" && letter <= "Z" ? letter.toLowerCase() : letter)).join("");
  return ascii === read && isPlainName(ascii) ? read : undefined;
}

function isPlainName(name: string): boolean {
  return name.length <= 253 && name.split(".").every((label) => /^[a-z0-9_-]{1,63}$/.test(label) && !/^-|-$/.test(label));
}

function isListable(listed: string): boolean {
  if (listed.startsWith("[")) return listed === listed.toLowerCase() && addressOf(listed.slice(1, -1))?.kind() === "ipv6";
  const name = listed.replace(/^\*\./, "");
  if (!isPlainName(name)) return false;
  const isNumber = /^([0-9]+|0x[0-9a-f]*)$/.test(name.split(".").at(-1) as string);
  return !isNumber || (name === listed && addressOf(name) !== undefined);
}

export function networkHolds(text: string, networks: readonly string[]): Truth {
  const address = addressOf(text);
  const ranges = networks.map(rangeOf);
  if (address === undefined || ranges.includes(undefined)) return "unknown";
  const bits = bitsOf(address);
  return ranges.some(
    (prefix) => prefix !== undefined && prefix.length <= bits.length && prefix.family === bits.length && bits.text.startsWith(prefix.text),
  );
}

function rangeOf(network: string): { text: string; length: number; family: number } | undefined {
  const [literal = "", length, ...more] = network.split("/");
  const base = addressOf(literal);
  if (base === undefined || more.length > 0 || (length !== undefined && !/^(0|[1-9][0-9]{0,2})$/.test(length))) return undefined;
  const { text, length: family } = bitsOf(base);
  const prefix = length === undefined ? family : Number(length);
  return prefix > family || text.slice(prefix).includes("1") ? undefined : { text: text.slice(0, prefix), length: prefix, family };
}

function bitsOf(address: ipaddr.IPv4 | ipaddr.IPv6): { text: string; length: number } {
  const text = address
    .toByteArray()
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("");
  return { text, length: text.length };
}

/** An IP literal that names one address in one way: dotted IPv4 without leading zeros, or IPv6 that stands for no IPv4 address. */
function addressOf(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const octets = text.split(".");
  if (octets.length === 4 && octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet) && Number(octet) < 256))
    return ipaddr.IPv4.parse(text);
  if (!/^[0-9a-f:]+$/i.test(text) || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  const bytes = address.toByteArray().join(".");
  if (bytes.startsWith("0.".repeat(12)) && !bytes.startsWith("0.".repeat(14))) return undefined;
  return ["ipv4Mapped", "rfc6145", "rfc6052", "6to4", "teredo"].includes(address.range()) ? undefined : address;
}

function hasControl(text: string): boolean {
  return Array.from(text).some((character) => character < " " || (character >= "\u007f" && character <= "\u009f"));
}
