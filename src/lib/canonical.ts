import { createHash } from "node:crypto";

/** A value that JSON can hold. `undefined` members of objects are left out. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** JSON with sorted keys and no blanks: equal values give equal bytes. */
export function canonicalJson(value: Json): string {
  return JSON.stringify(sortKeys(value));
}

/** Lower-case hexadecimal SHA-256 of a text (as UTF-8) or bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Lower-case hexadecimal SHA-256 of a value's canonical JSON. */
export function digest(value: Json): string {
  return sha256(canonicalJson(value));
}

function sortKeys(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item: Json) => sortKeys(item));
  const members = value as Readonly<Record<string, Json | undefined>>;
  const sorted: Record<string, Json> = {};
  for (const key of Object.keys(members).sort()) {
    const item = members[key];
    if (item === undefined) continue;
    // Assigned, it would be the prototype.
    if (key === "__proto__") Object.defineProperty(sorted, key, { value: sortKeys(item), enumerable: true });
    else sorted[key] = sortKeys(item);
  }
  return sorted;
}
