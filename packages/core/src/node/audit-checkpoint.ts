import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { canonicalJson } from "../arguments/canonical-json.ts";
import { HoldpointError } from "../holdpoint-error.ts";

/**
 * What a chain held at one moment. Kept where the writing process cannot change it, it shows records that were later taken off the end, and chains
 * that were rewritten from the start. Plain JSON.
 */
export interface AuditCheckpoint {
  readonly v: 1;
  readonly chain: string;
  /** The name of the file, without its directory. */
  readonly file: string;
  /** The last record's number in its chain, counted from 0, and its hash. */
  readonly seq: number;
  readonly hash: string;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Ed25519 (RFC 8032) over the canonical JSON (RFC 8785) of the other members, in base64. */
  readonly signature?: string | undefined;
}

/** A key as PEM text or as Node's `KeyObject`. */
export type AuditKey = string | KeyObject;

/** Throws `HoldpointError` (`configuration`) for what is no checkpoint: one that cannot be read would vouch for nothing, and look as if it did. */
export function checkCheckpoint(checkpoint: AuditCheckpoint, index: number): void {
  const { v, chain, file, seq, hash, time, signature } = (checkpoint ?? {}) as { readonly [key in keyof AuditCheckpoint]: unknown };
  const isText = [chain, file, hash, time].every((value) => typeof value === "string");
  if (v === 1 && isText && Number.isSafeInteger(seq) && (signature === undefined || typeof signature === "string")) return;
  throw new HoldpointError(
    "configuration",
    `\`checkpoints[${index}]\` is no checkpoint: give what \`onCheckpoint\` was handed, \`{ v: 1, chain, file, seq, hash, time, signature? }\``,
  );
}

export function signCheckpoint(checkpoint: Omit<AuditCheckpoint, "signature">, key: KeyObject | undefined): AuditCheckpoint {
  return key ? { ...checkpoint, signature: sign(null, signedBytes(checkpoint), key).toString("base64") } : checkpoint;
}

/** Why a checkpoint cannot be relied on, or `undefined`. */
export function faultOf(checkpoint: AuditCheckpoint, publicKey: KeyObject | undefined): string | undefined {
  if (!publicKey) return undefined;
  const { signature, ...signed } = checkpoint;
  if (signature === undefined) return "is not signed";
  return verify(null, signedBytes(signed), publicKey, Buffer.from(signature, "base64"))
    ? undefined
    : "is not signed by this key, or was changed";
}

/** Throws `HoldpointError` (`configuration`) for what is no Ed25519 key. */
export function signingKey(key: AuditKey | undefined): KeyObject | undefined {
  return key === undefined ? undefined : ed25519("signingKey", () => (typeof key === "string" ? createPrivateKey(key) : key), "private");
}

/** Throws `HoldpointError` (`configuration`) for what is no Ed25519 key. */
export function verifyingKey(key: AuditKey | undefined): KeyObject | undefined {
  return key === undefined ? undefined : ed25519("publicKey", () => (typeof key === "string" ? createPublicKey(key) : key), "public");
}

function ed25519(option: string, read: () => KeyObject, type: KeyObject["type"]): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = read();
  } catch {}
  if (key?.asymmetricKeyType === "ed25519" && key.type === type) return key;
  throw new HoldpointError(
    "configuration",
    `\`${option}\` is no ${type} Ed25519 key: make one with \`generateKeyPairSync("ed25519")\` or \`openssl genpkey -algorithm ed25519\``,
  );
}

function signedBytes({ v, chain, file, seq, hash, time }: Omit<AuditCheckpoint, "signature">): Buffer {
  return Buffer.from(canonicalJson({ v, chain, file, seq, hash, time }));
}
