/** Whose a field of a stack file is: a release's, which is the same in every environment, or the environment's. Pure. */
import { z } from "zod";

import { isMap } from "./layers.js";

export type Owner = "release" | "environment";

/** In the schema of the document, for programs. */
export const ownerMark = "x-berth-scope";

/** Marks a field, with all below it, as one that is promoted. */
export function ofRelease<Schema extends z.ZodType>(schema: Schema): Schema {
  return schema.meta({ [ownerMark]: "release" });
}

/** Marks a field within one that is promoted as the environment's own. */
export function ofEnvironment<Schema extends z.ZodType>(schema: Schema): Schema {
  return schema.meta({ [ownerMark]: "environment" });
}

/** The part of a written value that has one owner; undefined when there is none. */
export function partOf(schema: z.ZodType, value: unknown, wanted: Owner, owner: Owner = "environment"): unknown {
  if (!isMap(value) || Object.keys(value).length === 0) return owner === wanted ? value : undefined;
  const parts = Object.entries(value).flatMap(([key, inner]) => {
    const field = fieldOf(schema, key);
    const part = partOf(field ?? z.unknown(), inner, wanted, markOf(field) ?? owner);
    return part === undefined ? [] : [[key, part] as const];
  });
  return parts.length === 0 ? undefined : Object.fromEntries(parts);
}

/** The paths in a written value that have one owner, as short as can be. */
export function pathsOf(schema: z.ZodType, value: unknown, wanted: Owner, owner: Owner = "environment"): string[][] {
  if (!isMap(value)) return owner === wanted ? [[]] : [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const field = fieldOf(schema, key);
    const own = markOf(field) ?? owner;
    if (own === wanted && partOf(field ?? z.unknown(), inner, other(wanted), own) === undefined) return [[key]];
    return pathsOf(field ?? z.unknown(), inner, wanted, own).map((path) => [key, ...path]);
  });
}

function other(owner: Owner): Owner {
  return owner === "release" ? "environment" : "release";
}

function markOf(schema: z.ZodType | undefined): Owner | undefined {
  const marked = schema?.meta()?.[ownerMark];
  return marked === "release" || marked === "environment" ? marked : undefined;
}

/** The schema of a key of a map; of an option that has it where there are several. */
function fieldOf(schema: z.ZodType, key: string): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return schema.shape[key] as z.ZodType | undefined;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  if (schema instanceof z.ZodUnion) {
    const found = schema.options.map((option) => fieldOf(option as z.ZodType, key));
    return found.find((field) => markOf(field) !== undefined) ?? found.find((field) => field !== undefined);
  }
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return fieldOf(schema.unwrap() as z.ZodType, key);
  return undefined;
}
