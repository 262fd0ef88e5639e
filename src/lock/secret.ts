import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { BerthError } from "../lib/errors.js";

/** `ci-key` is BERTH_SECRET_CI_KEY. */
export function secretVariable(name: string): string {
  return `BERTH_SECRET_${name.toUpperCase().replaceAll("-", "_")}`;
}

export interface PlainPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly projectRoot: string;
}

/** A secret that Pulumi's configuration does not have: from the environment, else a file below `.berth/secrets`. */
export async function findPlainSecret(
  name: string,
  { environment, projectRoot }: PlainPlaces,
): Promise<string | undefined> {
  const fromEnvironment = environment[secretVariable(name)];
  if (fromEnvironment !== undefined) return fromEnvironment;
  const fromFile = await readFile(join(projectRoot, secretFile(name)), "utf8").catch(() => undefined);
  return fromFile?.replace(/\r?\n$/, "");
}

export function secretMissing(name: string): BerthError {
  return new BerthError("secret-missing", {
    where: `secret ${name}`,
    what: "the stack names a secret that is found nowhere",
    expected: `pulumi config berth:${name}, environment variable ${secretVariable(name)}, or file ${secretFile(name)}`,
    hint: `pulumi config set --secret berth:${name}`,
  });
}

function secretFile(name: string): string {
  return join(".berth", "secrets", name);
}
