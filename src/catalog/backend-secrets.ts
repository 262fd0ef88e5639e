import type { Json } from "../lib/canonical.js";
import { holdsSecret, isSecretName, stripCommand, stripWords } from "./secret-words.js";

/** A place of a backend file that likely holds a secret, and what it is without. */
export interface SecretPlace {
  readonly path: readonly (string | number)[];
  /** What takes its place; undefined where nothing does. */
  readonly value: Json | undefined;
  /** What is left out and what to do, for people; never the value. */
  readonly text: string;
}

/**
 * Where a backend file likely holds secrets: a file that is committed has none. Looked at are environments, commands,
 * parameters and the description.
 *
 * @param written in Berth's own format
 */
export function findSecretPlaces(written: Json): SecretPlace[] {
  const file = fieldsOf(written);
  const versions = Object.entries(fieldsOf(file.versions)).flatMap(([version, entry]) =>
    inRunner(fieldsOf(entry), ["versions", version], `version ${version}: `),
  );
  const images = listOf(file.images).flatMap((rule, index) => inRunner(fieldsOf(rule), ["images", index], "images: "));
  return [...inDescription(file), ...inRunner(file, [], ""), ...inParameters(file), ...images, ...versions];
}

/** A backend file without its secrets. */
export function withoutSecrets(written: Json, places: readonly SecretPlace[]): Json {
  return places.reduce<Json>((value, { path, value: changed }) => replaceAt(value, path, changed), written);
}

type Fields = Readonly<Record<string, Json | undefined>>;

function inDescription({ description }: Fields): SecretPlace[] {
  if (typeof description !== "string" || !holdsSecret(description)) return [];
  return [{ path: ["description"], value: undefined, text: "the description is left out, because it holds a secret" }];
}

function inRunner(fields: Fields, path: readonly (string | number)[], of: string): SecretPlace[] {
  const variables = Object.entries(fieldsOf(fields.env)).filter(
    ([name, value]) => typeof value === "string" && isSecretVariable(name, value),
  );
  const commands = ["entrypoint", "runCommand"].flatMap((field) => inCommand(fields[field], [...path, field], of));
  return [
    ...variables.map(([name]) => ({
      path: [...path, "env", name],
      value: undefined,
      text: `${of}${leftOut([name])}: give it as secretEnv of the deployments`,
    })),
    ...commands,
  ];
}

/** Whether a variable's value is likely a secret, by its name or its look. */
export function isSecretVariable(name: string, value: string): boolean {
  return value !== "" && (isSecretName(name) || holdsSecret(value));
}

function inCommand(command: Json | undefined, path: readonly (string | number)[], of: string): SecretPlace[] {
  if (typeof command !== "string") return [];
  const { text, names } = stripCommand(command);
  const field = String(path.at(-1));
  if (text === undefined) {
    return [{ path, value: undefined, text: `${of}${field} is left out, because a command in quotes holds a secret` }];
  }
  if (names.length === 0) return [];
  return [{ path, value: text, text: `${of}${leftOut(names, ` of ${field}`)}: use apiKey or secretEnv` }];
}

function inParameters({ defaultParameters }: Fields): SecretPlace[] {
  const words = listOf(defaultParameters).filter((word) => typeof word === "string");
  const { words: kept, names } = stripWords(words);
  if (names.length === 0) return [];
  const text = `${leftOut(names, " of defaultParameters")}: use apiKey or secretEnv`;
  return [{ path: ["defaultParameters"], value: kept, text }];
}

function leftOut(names: readonly string[], of = ""): string {
  const why =
    names.length === 1
      ? "is left out, because its value is likely a secret"
      : "are left out, because their values are likely secrets";
  return `${names.join(", ")}${of} ${why}`;
}

function replaceAt(value: Json, [key, ...rest]: readonly (string | number)[], changed: Json | undefined): Json {
  if (key === undefined) return changed ?? null;
  if (Array.isArray(value)) {
    const items: readonly Json[] = value;
    return items.map((item, index) => (index === key ? replaceAt(item, rest, changed) : item));
  }
  return Object.fromEntries(
    Object.entries(fieldsOf(value)).flatMap(([name, member]) => {
      if (member === undefined) return [];
      if (name !== String(key)) return [[name, member]];
      return rest.length === 0 && changed === undefined ? [] : [[name, replaceAt(member, rest, changed)]];
    }),
  );
}

function listOf(value: Json | undefined): readonly Json[] {
  if (!Array.isArray(value)) return [];
  const items: readonly Json[] = value;
  return items;
}

function fieldsOf(value: Json | undefined): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
