import fc from "fast-check";
import type { z } from "zod";

import type { stackFile } from "../../../src/schema/stack.js";

/** A stack as a person writes it. */
export type WrittenStack = z.input<typeof stackFile>;

const sha256 = "0123456789abcdef".repeat(4);
const name = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?$/);
const secret = fc.record({ secret: fc.constantFrom("chat-key", "HF_TOKEN") });
const short = fc.constantFrom("0s", "500ms", "30s");
const long = fc.constantFrom("30s", "1.5m", "1h");

const model: fc.Arbitrary<NonNullable<WrittenStack["deployments"]>[string]["model"]> = fc.oneof(
  fc.record(
    {
      source: fc.constant("wheels" as const),
      packages: fc.array(fc.constantFrom("gemma-part1==1.0.0", "gemma-part2==1.0.0"), { minLength: 1, maxLength: 2 }),
      members: fc.constant("*/data/*"),
      file: fc.constant("m.gguf"),
      sha256: fc.constant(sha256),
    },
    { requiredKeys: ["source", "packages", "sha256"] },
  ),
  fc.record({
    source: fc.constant("url" as const),
    url: fc.constant("https://models.example/m.gguf"),
    sha256: fc.constant(sha256),
  }),
  fc.record({
    source: fc.constant("file" as const),
    path: fc.constantFrom("/srv/m.gguf", "/srv/my model.gguf", "/srv/モデル"),
    sha256: fc.constant(sha256),
  }),
);

const deployment = (hosts: readonly string[]) =>
  fc.record(
    {
      backend: fc.constant("engine"),
      backendVersion: fc.constantFrom("1.0", "2.0"),
      model,
      contextLength: fc.integer({ min: 16, max: 131_072 }),
      parameters: fc.array(fc.constantFrom("--a", "--b=1", "")),
      extraParameters: fc.array(fc.constantFrom("--d", "1.0")),
      env: fc.dictionary(fc.constantFrom("A", "B_2"), fc.string(), { noNullPrototype: true }),
      secretEnv: fc.dictionary(fc.constantFrom("TOKEN"), secret, { noNullPrototype: true }),
      host: fc.constantFrom(...hosts),
      port: fc.integer({ min: 1, max: 65_535 }),
      bindAddress: fc.constantFrom("127.0.0.1", "::1"),
      apiKey: secret,
      insecure: fc.boolean(),
      update: fc.record({ minHealthyTime: short, healthyDeadline: long, stopTimeout: short }, { requiredKeys: [] }),
    },
    { requiredKeys: ["backend", "model", "host"] },
  );

const preload = (hosts: readonly string[]) =>
  fc.record(
    {
      backend: fc.constant("engine"),
      backendVersion: fc.constantFrom("1.0", "2.0"),
      model,
      hosts: fc.uniqueArray(fc.constantFrom(...hosts), { minLength: 1 }),
    },
    { requiredKeys: ["backend"] },
  );

const host = fc.record(
  {
    connection: fc.constant("local" as const),
    labels: fc.dictionary(fc.constantFrom("zone", "rack"), fc.string(), { noNullPrototype: true }),
    pipxPath: fc.constant("/opt/pipx"),
    runtime: fc.constant("supervisord" as const),
    portRange: fc.constantFrom<[number, number]>([14_000, 14_005], [20_000, 29_999]),
  },
  { requiredKeys: ["connection"] },
);

/** Well-formed stacks of one to three hosts, each with a data directory of its own, and up to four deployments. */
export const writtenStack: fc.Arbitrary<WrittenStack> = fc
  .dictionary(name, host, { minKeys: 1, maxKeys: 3, noNullPrototype: true })
  .chain((hosts) =>
    fc.record(
      {
        schemaVersion: fc.constant(1 as const),
        hosts: fc.constant(
          Object.fromEntries(Object.entries(hosts).map(([key, entry]) => [key, { ...entry, dataDir: `/srv/${key}` }])),
        ),
        mirrors: fc.record({ pip: fc.constant("https://pip.example/simple") }, { requiredKeys: [] }),
        deployments: fc.dictionary(name, deployment(Object.keys(hosts)), { maxKeys: 4, noNullPrototype: true }),
        preload: fc.dictionary(name, preload(Object.keys(hosts)), { maxKeys: 2, noNullPrototype: true }),
      },
      { requiredKeys: ["schemaVersion", "hosts"] },
    ),
  );
