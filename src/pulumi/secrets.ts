import { readFile } from "node:fs/promises";
import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { BerthError } from "../lib/errors.js";

export interface SecretPlaces {
  readonly config: pulumi.Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly projectRoot: string;
}

/**
 * A secret by its name: from Pulumi's secret configuration, else the environment, else a file below `.berth/secrets`
 * (one newline at its end is left out). The value stays a secret in Pulumi's state.
 */
export async function findSecret(name: string, places: SecretPlaces): Promise<pulumi.Output<string>> {
  const configured = places.config.getSecret(name);
  if (configured !== undefined) return configured;
  const variable = secretVariable(name);
  const fromEnvironment = places.environment[variable];
  if (fromEnvironment !== undefined) return pulumi.secret(fromEnvironment);
  const file = join(".berth", "secrets", name);
  const fromFile = await readFile(join(places.projectRoot, file), "utf8").catch(() => undefined);
  if (fromFile !== undefined) return pulumi.secret(fromFile.replace(/\r?\n$/, ""));
  throw new BerthError("secret-missing", {
    where: `secret ${name}`,
    what: "the stack names a secret that is found nowhere",
    expected: `pulumi config berth:${name}, environment variable ${variable}, or file ${file}`,
    hint: `pulumi config set --secret berth:${name}`,
  });
}

/** `ci-key` is BERTH_SECRET_CI_KEY. */
export function secretVariable(name: string): string {
  return `BERTH_SECRET_${name.toUpperCase().replaceAll("-", "_")}`;
}
