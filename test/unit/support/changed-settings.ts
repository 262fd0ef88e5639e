import fc from "fast-check";

import { digest } from "../../../src/lib/canonical.js";
import { containerSettings, type ContainerSettings } from "../../../src/schema/container.js";
import {
  declaredCards,
  devicesOf,
  fullSettings,
  privilegedSettings,
  settingsOf,
  type WrittenSettings,
} from "./container-specs.js";

/** Together they say everything that there is to say of a container. */
const examples: readonly WrittenSettings[] = [
  fullSettings,
  privilegedSettings,
  ...[...Object.values(devicesOf), declaredCards].map((devices) => settingsOf({ devices })),
];

/** Every field that an example has, as `.mounts.source`. */
export const exampleFields: ReadonlySet<string> = new Set(
  examples.flatMap((example) => placesIn(example).map(({ path }) => withoutIndexes(path))),
);

export interface ChangedSettings {
  /** The one field that is another, or not there. */
  readonly field: string;
  readonly before: ContainerSettings;
  /** Undefined where the schema refuses the change. */
  readonly after: ContainerSettings | undefined;
}

/** Settings of which one field is changed to something that may be one, and means something else. */
export const changedSettings: fc.Arbitrary<ChangedSettings> = fc
  .constantFrom(...examples.flatMap((example) => placesIn(example).map((place) => ({ example, place }))))
  .chain(({ example, place }) => other(place.value).map((to) => ({ example, place, to })))
  .map(({ example, place, to }) => {
    const after = containerSettings.safeParse(replaceAt(example, place.keys, to));
    return { field: withoutIndexes(place.path), before: containerSettings.parse(example), after: after.data };
  })
  .filter(({ before, after }) => after === undefined || digest(before) !== digest(after));

interface Place {
  /** As `.mounts[0].source`. */
  readonly path: string;
  readonly keys: readonly (string | number)[];
  readonly value: unknown;
}

/** Everything inside a value, members and items. */
function placesIn(value: unknown, path = "", keys: Place["keys"] = []): Place[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]: [string, unknown]) => {
    const [key, at] = Array.isArray(value) ? [Number(name), `${path}[${name}]`] : [name, `${path}.${name}`];
    return [{ path: at, keys: [...keys, key], value: item }, ...placesIn(item, at, [...keys, key])];
  });
}

export function withoutIndexes(path: string): string {
  return path.replace(/\[[^\]]*\]/g, "");
}

const words = ["host", "private", "unlimited", "cdi", ...Object.keys(devicesOf)];

/** Something else in the place of a value: mostly of its type, or nothing. */
function other(value: unknown): fc.Arbitrary<unknown> {
  const nothing = fc.constant(undefined);
  switch (typeof value) {
    case "string": {
      const edited = fc
        .tuple(fc.nat(value.length), fc.constantFrom(...Array.from("0123456789abcdefXYZ_-/.: \n")))
        .map(([at, character]) => value.slice(0, at) + character + value.slice(at + 1));
      return fc.oneof({ weight: 4, arbitrary: edited }, { weight: 2, arbitrary: fc.constantFrom(...words) }, nothing);
    }
    case "number":
      return fc.oneof(
        fc.integer({ min: -100, max: 100 }).map((step) => value + step),
        fc.constant("unlimited"),
        nothing,
      );
    case "boolean":
      return fc.constantFrom(!value, undefined);
    default:
      return Array.isArray(value) ? fc.oneof(fc.subarray(value as unknown[]), nothing) : nothing;
  }
}

function replaceAt(value: unknown, [key, ...keys]: Place["keys"], to: unknown): unknown {
  if (key === undefined) return to;
  if (Array.isArray(value)) {
    const items = value.map((item: unknown, index) => (index === key ? replaceAt(item, keys, to) : item));
    return items.filter((item) => item !== undefined);
  }
  const members = value as Readonly<Record<string, unknown>>;
  return { ...members, [key]: replaceAt(members[key], keys, to) };
}
