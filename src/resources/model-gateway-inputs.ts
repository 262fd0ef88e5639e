import { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { sorted } from "../lib/record.js";
import { modelGatewaySettings, type ModelGatewaySettings } from "../runtime/model-gateway-settings.js";
import { commonInputs } from "./common.js";
import type { DifferenceTable } from "./kind.js";

const { keyDigests: _, ...settings } = modelGatewaySettings;

/** Of both resources of a gateway that routes by model: its process, and what it serves. */
export const modelGatewayInputs = z.strictObject({
  ...commonInputs,
  ...settings,
  haproxy: z.string().regex(/^\//).describe("HAProxy's executable on the host"),
  runtime: z.string().describe("What keeps it alive"),
  clientKeys: z.record(z.string(), z.string().min(1)).describe("Keys of clients, by name. Secret"),
});

export type ModelGatewayInputs = z.output<typeof modelGatewayInputs>;

/** What the gateway is told: of clients' keys only what they can be recognised by. */
export function settingsOf({
  name: _name,
  owner: _owner,
  host: _host,
  haproxy: _haproxy,
  runtime: _runtime,
  clientKeys,
  ...rest
}: ModelGatewayInputs): ModelGatewaySettings {
  return {
    ...rest,
    keyDigests: Object.fromEntries(Object.entries(clientKeys).map(([key, secret]) => [key, sha256(secret)])),
  };
}

export function secretsOf({ clientKeys, apiKeys }: ModelGatewayInputs): string[] {
  return [...Object.values(clientKeys), ...Object.values(apiKeys)];
}

/**
 * A client is known by its key alone, so that one of two names would lose what it may and what it may not.
 *
 * @throws BerthError `stack-inconsistent` where two names have one key
 */
export function assertDistinctKeys({ host, clientKeys }: Pick<ModelGatewayInputs, "host" | "clientKeys">): void {
  const names = new Map<string, string>();
  for (const [name, key] of sorted(clientKeys)) {
    const other = names.get(key);
    names.set(key, name);
    if (other === undefined) continue;
    throw new BerthError("stack-inconsistent", {
      where: `host ${host.name}: gateway.keys`,
      what: "two of the gateway's keys are the same",
      got: `${other} and ${name}`,
      expected: "a key of its own for each name",
      hint: "give one of their secrets another value, or leave one of the names out",
    });
  }
}

/** What changes of what it serves mean: nothing ends. */
export const settingsDifferences: Omit<
  DifferenceTable<ModelGatewayInputs>,
  "name" | "owner" | "host" | "haproxy" | "runtime"
> = {
  listen: { change: "update", reason: "it listens elsewhere" },
  metrics: { change: "update", reason: "its metrics are elsewhere" },
  certFile: { change: "update", reason: "another certificate" },
  routes: { change: "update", reason: "names of models lead elsewhere, at once and without a reload" },
  targets: { change: "update", reason: "other replicas; what is in progress ends where it is" },
  keys: { change: "update", reason: "keys may something else" },
  clientKeys: { change: "update", reason: "other keys, at once and without a reload" },
  apiKeys: { change: "update", reason: "engines ask for another key" },
  queueSeconds: { change: "update", reason: "requests wait for another time" },
  maxBodyBytes: { change: "update", reason: "another limit for requests" },
  accessLog: { change: "update", reason: "whether requests are logged" },
};
