import type { dynamic } from "@pulumi/pulumi";

import type { Operation } from "./dispatch.js";

/**
 * What Pulumi serialises into the state of every resource: these few lines and nothing they would capture. They hand
 * each call to the installed package, so that a fix in Berth reaches old resources and never shows as a change.
 *
 * The text is part of every state. Changing it is a breaking change; a test compares it with a snapshot.
 */
export function shim(kind: string): dynamic.ResourceProvider {
  // One function holds all that is long: Pulumi writes out each of the others too.
  const call = async (operation: Operation, args: unknown[]): Promise<never> =>
    (await import("pulumi-berth/provider")).dispatch(1, kind, operation, args) as Promise<never>;
  return {
    check: (...args) => call("check", args),
    diff: (...args) => call("diff", args),
    create: (...args) => call("create", args),
    read: (...args) => call("read", args),
    update: (...args) => call("update", args),
    delete: (...args) => call("delete", args),
  };
}
