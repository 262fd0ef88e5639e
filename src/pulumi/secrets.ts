import * as pulumi from "@pulumi/pulumi";

import { findPlainSecret, secretMissing, type PlainPlaces } from "../lock/secret.js";

export interface SecretPlaces extends PlainPlaces {
  readonly config: pulumi.Config;
}

/**
 * A secret by its name: from Pulumi's secret configuration, else the environment, else a file below `.berth/secrets`
 * (one newline at its end is left out). The value stays a secret in Pulumi's state.
 */
export async function findSecret(name: string, places: SecretPlaces): Promise<pulumi.Output<string>> {
  const configured = places.config.getSecret(name);
  if (configured !== undefined) return configured;
  const found = await findPlainSecret(name, places);
  if (found === undefined) throw secretMissing(name);
  return pulumi.secret(found);
}

/** The same as plain text, for what the program itself asks for with it; undefined when it is found nowhere. */
export async function revealSecret(name: string, places: SecretPlaces): Promise<string | undefined> {
  const configured = places.config.getSecret(name);
  if (configured === undefined) return findPlainSecret(name, places);
  return new Promise((resolve) => configured.apply(resolve));
}
