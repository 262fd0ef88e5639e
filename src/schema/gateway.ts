/** The gateway that routes by model: what a stack says of it, and what a lock has decided. */
import { z } from "zod";

import { duration, name, port, secretReference } from "./scalars.js";

/** Where a gateway listens: `0.0.0.0:8443`, `[::]:8443`. */
const listenText = z.string().transform((text, context) => {
  const [, six, four, digits = ""] = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text) ?? [];
  const parsed = z
    .strictObject({ address: z.union([z.ipv4(), z.ipv6()]), port })
    .safeParse({ address: six ?? four, port: Number(digits) });
  if (parsed.success && (six === undefined) === z.ipv4().safeParse(parsed.data.address).success) return parsed.data;
  context.addIssue({ code: "custom", message: "expected ADDRESS:PORT, such as 0.0.0.0:8443 or [::]:8443" });
  return z.NEVER;
});

/** A name by which clients ask for a model. */
export const modelName = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._:/+-]{0,126}[A-Za-z0-9])?$/, {
    error: "expected 1 to 128 letters, digits and . _ : / + -, beginning and ending with a letter or digit",
  })
  .describe("A name by which clients ask for a model");

const weight = z.int().min(0).max(100);

const weights = z
  .record(name, weight)
  .refine((shares) => Object.values(shares).some((share) => share > 0), { error: "expected one weight above 0" })
  .describe("Deployments with the shares of the requests that they get, 0 to 100");

const requestsPerMinute = z.int().min(1).max(1_000_000);

const gatewayKey = z
  .strictObject({
    secret: secretReference.shape.secret,
    models: z.array(modelName).min(1).optional().describe("The only models it may ask for. Default: all"),
    requestsPerMinute: requestsPerMinute
      .optional()
      .describe("Most requests of a minute, at each host of the gateway. Default: no limit"),
  })
  .describe("A key of clients, and what it may");

const count = z.int().min(1).max(100_000);

const deploymentLimits = z
  .strictObject({
    concurrency: count
      .optional()
      .describe("Most requests that one instance is given at a time; others wait. Default: no limit"),
    queue: count
      .optional()
      .describe(
        "Most requests that wait for the deployment when its instances have as many as `concurrency` says; others are refused with 503. Default: no limit",
      ),
  })
  .refine(({ concurrency, queue }) => queue === undefined || concurrency !== undefined, {
    error: "expected `concurrency` beside `queue`: without it no request waits",
    path: ["queue"],
  })
  .describe("What a deployment is given at a time");

const mostBodyBytes = 256 * 2 ** 20;
const limits = z.record(name, deploymentLimits);
const maxBodyBytes = z.int().min(65_536).max(mostBodyBytes);
const certFile = z
  .string()
  .regex(/^\/[A-Za-z0-9._/@+-]{1,400}$/, { error: "expected an absolute path of letters, digits and . _ / @ + -" });

export const gatewayEntry = z
  .strictObject({
    hosts: z.array(name).min(1).describe("The hosts that it is on: each of them serves all models"),
    listen: listenText
      .prefault("127.0.0.1:8080")
      .describe(
        "Where clients ask: `0.0.0.0:8443`, `[::]:8443`. Default 127.0.0.1:8080. An address that others can reach needs `keys`, or `insecure: true`",
      ),
    insecure: z.boolean().default(false).describe("Allows an address other than loopback without keys"),
    tls: z
      .strictObject({
        certFile: certFile.describe(
          "File on each of its hosts: the certificate, those between it and its authority, and its key, as PEM. The gateway's user has to be able to read it",
        ),
      })
      .optional()
      .describe("Default: no TLS"),
    aliases: z
      .record(modelName, z.union([name, weights]))
      .default({})
      .describe("Other names of models: of one deployment, or of several with the shares that they get"),
    keys: z
      .record(name, gatewayKey)
      .default({})
      .describe(
        "Keys that clients send as `Authorization: Bearer KEY` or `x-api-key: KEY`, by names of your choice. Without any, everybody who reaches it may ask",
      ),
    limits: limits.default({}).describe("What deployments are given at a time"),
    queueTimeout: duration.default(30).describe("How long a request may wait for its turn before a 503. Default 30s"),
    maxBodyBytes: maxBodyBytes
      .default(32 * 2 ** 20)
      .describe("Largest request, bytes; a larger one is refused with 413. Default 33554432"),
    metrics: listenText
      .prefault("127.0.0.1:8405")
      .refine(({ address }) => address === "127.0.0.1" || address === "::1", { error: "expected a loopback address" })
      .describe("Where Prometheus finds `/metrics` and people `/stats`, on loopback alone. Default 127.0.0.1:8405"),
    accessLog: z
      .boolean()
      .default(true)
      .describe("Whether there is a line for each request, without anything of its body. Default true"),
  })
  .describe("One endpoint for all models: HAProxy, which routes by the model that a request names");

const listen = z.strictObject({ address: z.string().describe("IP address"), port });

export const placedGateway = z
  .strictObject({
    hosts: z
      .record(
        name,
        z.strictObject({
          haproxy: z.string().describe("HAProxy's executable"),
          runtime: z.enum(["systemd", "supervisord"]).describe("What keeps it alive"),
        }),
      )
      .describe("Where it runs"),
    listen: listen.describe("Where clients ask"),
    metrics: listen.describe("Where its metrics are"),
    certFile: certFile.optional().describe("Its certificate, where it speaks TLS"),
    routes: z
      .record(modelName, weights)
      .describe("Names of models, each with its deployments and the shares that they get"),
    keys: z
      .record(
        name,
        z.strictObject({
          secret: z.string().describe("Name of the secret that is the key"),
          models: z.array(modelName).optional().describe("The only models it may ask for"),
          requestsPerMinute: requestsPerMinute.optional().describe("Most requests of a minute"),
        }),
      )
      .describe("Keys of clients, by name"),
    limits: limits.describe("What deployments are given at a time"),
    queueSeconds: z.number().describe("How long a request may wait for its turn, seconds"),
    maxBodyBytes: maxBodyBytes.describe("Largest request, bytes"),
    accessLog: z.boolean().describe("Whether there is a line for each request"),
  })
  .describe("The gateway that routes by model");

export type GatewayEntry = z.output<typeof gatewayEntry>;
export type PlacedGateway = z.output<typeof placedGateway>;
/** Shares by deployment. */
export type Weights = z.output<typeof weights>;
