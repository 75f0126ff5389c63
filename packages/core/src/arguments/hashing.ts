import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

/** What the runtime offers beyond Web APIs, whose hashes are asynchronous. Node, Bun and Deno answer; elsewhere pure JavaScript gives the same bytes. */
interface NativeCrypto {
  createHash(algorithm: "sha256"): { update(text: string): { digest(encoding: "hex"): string } };
  createHmac(algorithm: "sha256", key: unknown): { update(text: string): { digest(encoding: "hex"): string } };
  createSecretKey(key: Uint8Array): unknown;
}

const native = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }).process?.getBuiltinModule?.("node:crypto") as
  | NativeCrypto
  | undefined;

/** SHA-256 of a text's UTF-8, in lower-case hexadecimal. */
export function sha256Hex(text: string): string {
  return native ? native.createHash("sha256").update(text).digest("hex") : bytesToHex(sha256(utf8ToBytes(text)));
}

/** HMAC-SHA-256 (RFC 2104) under one key, of texts, in lower-case hexadecimal. */
export function hmacSha256(key: Uint8Array): (text: string) => string {
  if (native) {
    const secret = native.createSecretKey(key);
    return (text) => native.createHmac("sha256", secret).update(text).digest("hex");
  }
  return (text) => bytesToHex(hmac(sha256, key, utf8ToBytes(text)));
}
