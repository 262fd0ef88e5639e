import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { Handler } from "./handler.js";
import type { Properties } from "./properties.js";

/** Number of the agreement between the text in the state and this package. It changes when the arguments do. */
export const contractNumber = 1;

export type Operation = "check" | "diff" | "create" | "read" | "update" | "delete";

export type Dispatch = (
  contract: number,
  kind: string,
  operation: Operation,
  args: readonly unknown[],
) => Promise<unknown>;

/** The one door through which Pulumi's calls come in. */
export function createDispatch(handlers: Readonly<Record<string, Handler>>): Dispatch {
  return async (contract, kind, operation, args) => {
    const handler = lookUp(handlers, kind);
    if (contract !== contractNumber || handler === undefined) {
      throw new BerthError("lock-incompatible", {
        what: "the state was written by a version of pulumi-berth that this one does not understand",
        got: `contract ${contract}, kind ${kind}`,
        expected: `contract ${contractNumber}, kind ${Object.keys(handlers).join(" or ")}`,
        hint: "use the version of pulumi-berth that wrote the state, or a later one",
      });
    }
    const text = (index: number) => String(args[index]);
    const properties = (index: number) => (args[index] ?? {}) as Properties;
    switch (operation) {
      case "check":
        return handler.check(properties(0), properties(1));
      case "diff":
        return handler.diff(properties(1), properties(2));
      case "create":
        return handler.create(properties(0));
      case "read":
        return handler.read(text(0), properties(1));
      case "update":
        return handler.update(properties(1), properties(2));
      case "delete":
        return handler.delete(properties(1));
    }
  };
}
