const brand: unique symbol = Symbol.for("holdpoint.error") as never;

/**
 * The base of every error that Holdpoint throws. `code` is stable and machine-readable. Two copies of the package in one process recognise each
 * other's errors by a brand in the global symbol registry, so tell errors apart with `HoldpointError.is(value)`, not with `instanceof`.
 */
export class HoldpointError extends Error {
  override name = "HoldpointError";
  readonly code: string;
  readonly [brand] = true;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, brand, { enumerable: false });
  }

  static is(value: unknown): value is HoldpointError {
    return value instanceof Error && (value as Partial<HoldpointError>)[brand] === true;
  }
}

/** The counter store is down, full, or cannot tell whether it took the debits. The guard denies the call (law `fail-closed`). */
export class CounterStoreError extends HoldpointError {
  override name = "CounterStoreError";

  /** True where the store works and has no room for another key. A full store denies under every `failMode`: filling it would open it. */
  readonly full: boolean;

  constructor(message: string, options?: ErrorOptions & { readonly full?: boolean }) {
    super("store_unavailable", message, options);
    this.full = options?.full ?? false;
  }

  static override is(value: unknown): value is CounterStoreError {
    return HoldpointError.is(value) && value.code === "store_unavailable";
  }
}
