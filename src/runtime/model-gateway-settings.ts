import { z } from "zod";

import { modelName } from "../schema/gateway.js";
import { name, port } from "../schema/scalars.js";

const listen = z.strictObject({ address: z.string(), port });

const target = z.strictObject({
  servedModel: modelName.describe("Name by which its engine knows the model"),
  servers: z.array(z.strictObject({ instance: z.string(), address: z.string(), port })).describe("Its replicas"),
  healthPath: z
    .string()
    .regex(/^\/[^\s"'\\#%]{0,200}$/)
    .describe("Answers 2xx when the engine is up"),
  minHealthySeconds: z.number().describe("How long a replica must be healthy before it is asked, seconds"),
  drainSeconds: z.number().describe("How long requests in progress may take to end at a replica that goes, seconds"),
  concurrency: z.int().optional().describe("Most requests that one replica is given at a time"),
  queue: z.int().optional().describe("Most requests that wait"),
});

/** What a gateway that routes by model does: fields of its resources' inputs, and of its own record. */
export const modelGatewaySettings = {
  listen: listen.describe("Where clients ask"),
  metrics: listen.describe("Where its metrics are"),
  certFile: z.string().optional().describe("Its certificate, where it speaks TLS"),
  routes: z
    .record(modelName, z.record(name, z.int()))
    .describe("Names of models, each with its deployments and the shares that they get"),
  targets: z.record(name, target).describe("The deployments"),
  keys: z
    .record(name, z.strictObject({ models: z.array(modelName).optional(), requestsPerMinute: z.int().optional() }))
    .describe("What each key may"),
  keyDigests: z.record(name, z.string().regex(/^[0-9a-f]{64}$/)).describe("SHA-256 of each key"),
  apiKeys: z.record(name, z.string().regex(/^[\x21-\x7e]+$/)).describe("What engines ask for, by deployment"),
  queueSeconds: z.number().describe("How long a request may wait for its turn, seconds"),
  maxBodyBytes: z.int().describe("Largest request, bytes"),
  accessLog: z.boolean().describe("Whether there is a line for each request"),
};

/** Not strict: another version of Berth may have written more. */
const settingsSchema = z.object(modelGatewaySettings);

export type ModelGatewaySettings = z.output<typeof settingsSchema>;

type Server = ModelGatewaySettings["targets"][string]["servers"][number];

/** What a gateway's record says; undefined when it says nothing that can be understood. */
export function parseSettings(text: string | undefined): ModelGatewaySettings | undefined {
  if (text === undefined) return undefined;
  try {
    return settingsSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The proxy of a deployment. */
export function targetProxy(deployment: string): string {
  return `deployment:${deployment}`;
}

/** A replica that moves is another server. */
export function serverName({ instance, address, port: of }: Server): string {
  return `${instance}:${address}:${of}`;
}

export function addressText({ address, port: of }: Pick<Server, "address" | "port">): string {
  return `${address.includes(":") ? `[${address}]` : address}:${of}`;
}

/** The servers of one that are not in the other. */
export function serversGone(
  before: ModelGatewaySettings | undefined,
  after: ModelGatewaySettings | undefined,
): { proxy: string; server: string; drainSeconds: number }[] {
  return Object.entries(before?.targets ?? {}).flatMap(([deployment, { servers, drainSeconds }]) => {
    const stays = new Set((after?.targets[deployment]?.servers ?? []).map(serverName));
    const gone = servers.map(serverName).filter((name) => !stays.has(name));
    return gone.map((server) => ({ proxy: targetProxy(deployment), server, drainSeconds }));
  });
}

/**
 * What serves as before, and knows the replicas that there are to be as well: they come and go while it does. Pure.
 *
 * @param before undefined when nothing serves yet: then no name leads anywhere
 */
export function withComingServers(
  before: ModelGatewaySettings | undefined,
  wanted: ModelGatewaySettings,
): ModelGatewaySettings {
  if (before === undefined) return { ...wanted, routes: {} };
  const targets = { ...before.targets };
  for (const [deployment, target] of Object.entries(wanted.targets)) {
    const present = targets[deployment] ?? { ...target, servers: [] };
    const known = new Set(present.servers.map(serverName));
    const coming = target.servers.filter((server) => !known.has(serverName(server)));
    targets[deployment] = { ...present, servers: [...present.servers, ...coming] };
  }
  // Whoever asks a deployment that was not there needs its key.
  return { ...before, targets, apiKeys: { ...wanted.apiKeys, ...before.apiKeys } };
}
