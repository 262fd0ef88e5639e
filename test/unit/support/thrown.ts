import { expect } from "vitest";

import { BerthError } from "../../../src/lib/errors.js";

/** The BerthError that an action throws; anything else fails the test. */
export function thrownBy(action: () => unknown): BerthError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(BerthError);
    if (error instanceof BerthError) return error;
  }
  throw new Error("expected a BerthError");
}

/** The same of a promise. */
export async function rejectionOf(promise: Promise<unknown>): Promise<BerthError> {
  const settled = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  return thrownBy(() => {
    if (settled !== undefined) throw settled.error;
  });
}
