import { nativeTypes } from "../schema/accelerator-type.js";
import type { BackendOverlay } from "../schema/backend.js";
import { nearestNames } from "./nearest.js";

/** All accelerator types that there are: those of the runner catalogue's files, those that Berth knows, and `cpu`. */
export function acceleratorTypesWith(files: Iterable<string>): string[] {
  return [...new Set([...nativeTypes, ...files])].sort();
}

/** Something of a backend that is of a type that there is not. */
export interface UnknownType {
  /** Below the backend. */
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** Accelerator types that versions of a backend are for, and that there are not. */
export function findUnknownTypes({ versions = {} }: BackendOverlay, known: readonly string[]): UnknownType[] {
  return Object.entries(versions).flatMap(([version, { install = {} }]) => {
    const { binary = [], ...ways } = install;
    const lists = [
      ...binary.map((way, index) => ({ way, path: ["binary", index] })),
      ...Object.entries(ways).map(([method, way]) => ({ way, path: [method] })),
    ];
    return lists.flatMap(({ way, path }) =>
      (way !== undefined && "acceleratorTypes" in way ? (way.acceleratorTypes ?? []) : []).flatMap((type, index) =>
        known.includes(type)
          ? []
          : [
              {
                path: ["versions", version, "install", ...path, "acceleratorTypes", index],
                text: describe(type, known),
              },
            ],
      ),
    );
  });
}

function describe(type: string, known: readonly string[]): string {
  const near = nearestNames(type, known);
  const hint = near.length === 0 ? "" : `; did you mean ${near.join(" or ")}?`;
  return `no accelerator type is called ${type}; expected one of ${known.join(", ")}${hint}`;
}
