import { describe, expect, it } from "vitest";

import { checkInputs } from "../../../src/pulumi/check.js";
import type { Properties } from "../../../src/pulumi/properties.js";
import { backendVersionKind } from "../../../src/resources/backend-version.js";
import { unknownValue } from "../../../src/resources/difference.js";
import { gatewayKind } from "../../../src/resources/gateway.js";
import { hostKind } from "../../../src/resources/host.js";
import { instanceKind } from "../../../src/resources/instance.js";
import type { CommonInputs, CommonObserved, ResourceKind } from "../../../src/resources/kind.js";
import { modelFilesKind } from "../../../src/resources/model-files.js";
import { instanceOf } from "../support/instances.js";

const host = { name: "local", connection: "local", dataDir: "/data" };
const common = { name: "it", owner: "shop/dev", host };
const sha256 = "a".repeat(64);

/** Checks inputs of a kind; the kind's own types are of no interest here. */
type Check = (olds: Properties, news: Properties) => ReturnType<typeof checkInputs>;
const checkOf =
  <Inputs extends CommonInputs, Observed extends CommonObserved>(kind: ResourceKind<Inputs, Observed>): Check =>
  (olds, news) =>
    checkInputs(kind, olds, news);

const kinds: Record<string, { check: Check; whole: Properties }> = {
  Host: {
    check: checkOf(hostKind(() => Promise.resolve())),
    whole: { ...common, labels: { zone: "1" }, inventory: ["Instance/a", "Instance/b"] },
  },
  BackendVersion: {
    check: checkOf(backendVersionKind),
    whole: {
      ...common,
      ...{
        backend: "engine",
        version: "1.0",
        method: "pipx",
        package: "engine",
        pipxPath: "/p",
        indexUrl: "https://i",
      },
      requirements: { file: "engine/1.0.txt", sha256 },
      launcher: { file: "engine/launcher.py", sha256 },
    },
  },
  ModelFiles: {
    check: checkOf(modelFilesKind),
    whole: {
      ...common,
      from: { source: "wheels", wheels: [{ name: "m", version: "1", sha256 }], members: "*/data/*" },
      ...{ file: "m.gguf", sha256, indexUrl: "https://i" },
    },
  },
  Gateway: {
    check: checkOf(gatewayKind),
    whole: { ...common, haproxy: "/usr/sbin/haproxy", runtime: "systemd" },
  },
  Instance: { check: checkOf(instanceKind), whole: { ...instanceOf() } },
};

/** Every way to put a value into another, one path at a time. */
function placesIn(value: unknown, put: unknown): { path: string; value: unknown }[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const withItem = (inner: unknown) =>
      Array.isArray(value)
        ? (value as unknown[]).map((each, index) => (String(index) === key ? inner : each))
        : { ...value, [key]: inner };
    const deeper = placesIn(item, put).map(({ path, value: inner }) => ({
      path: `${key}.${path}`,
      value: withItem(inner),
    }));
    return [{ path: key, value: withItem(put) }, ...deeper];
  });
}

const unknownAnywhere = Object.entries(kinds).flatMap(([kind, { check, whole }]) =>
  placesIn(whole, unknownValue).map(({ path, value }) => ({ kind, path, check, news: value as Properties })),
);

describe("checkInputs", () => {
  it.each(Object.entries(kinds))("accepts whole inputs of a %s", (_, { check, whole }) => {
    expect(check({}, whole).failures).toEqual([]);
  });

  it("completes them with their defaults, and with what follows from the change", () => {
    const { env: _env, secretEnv: _secrets, ...rest } = instanceOf();
    const { inputs } = checkOf(instanceKind)({}, { ...rest });
    expect(inputs).toMatchObject({ env: {}, secretEnv: {}, strategy: { kind: "create" } });
  });

  it("keeps what follows from the change when nothing changes", () => {
    const check = checkOf(instanceKind);
    const first = check({}, { ...instanceOf() }).inputs;
    expect(check(first, { ...instanceOf() }).inputs).toEqual(first);
    expect(check(first, { ...instanceOf({ port: 1 }) }).inputs.strategy).toMatchObject({ kind: "recreate" });
  });

  it("leaves out the text that leads Pulumi to the provider", () => {
    for (const { check, whole } of Object.values(kinds)) {
      const { inputs, failures } = check({ ...whole, __provider: "old" }, { ...whole, __provider: "new" });
      expect([failures, inputs.__provider]).toEqual([[], undefined]);
    }
  });

  it.each<[string, Properties, { property: string; reason: string }[]]>([
    ["Instance", { port: "80" }, [{ property: "port", reason: "Invalid input: expected number, received string" }]],
    ["Instance", { argv: "serve" }, [{ property: "argv", reason: "Invalid input: expected array, received string" }]],
    ["Instance", { env: { A: 1 } }, [{ property: "env.A", reason: "Invalid input: expected string, received number" }]],
    ["Instance", { strange: 1 }, [{ property: "strange", reason: 'Unrecognized key: "strange"' }]],
    ["Host", { host: { ...host, more: 1 } }, [{ property: "host.more", reason: 'Unrecognized key: "more"' }]],
    [
      "BackendVersion",
      { requirements: { file: "x" } },
      [{ property: "requirements.sha256", reason: "Invalid input: expected string, received undefined" }],
    ],
    [
      "ModelFiles",
      { from: { source: "hub" } },
      [
        {
          property: "from.source",
          reason: "Invalid discriminator value. Expected 'wheels' | 'url' | 'file' | 'huggingface'",
        },
      ],
    ],
  ])("tells for a %s with %j which property is wrong and why", (kind, change, failures) => {
    const { check, whole } = kinds[kind] ?? {};
    expect(check?.({}, { ...whole, ...change }).failures).toEqual(failures);
  });

  it("tells a missing property", () => {
    const { owner: _, ...rest } = kinds.Host?.whole ?? {};
    expect(kinds.Host?.check({}, rest).failures.map(({ property }) => property)).toEqual(["owner"]);
  });
});

describe("checkInputs of values that are not known yet", () => {
  it("takes them on trust at any place of any kind", () => {
    expect(unknownAnywhere.length).toBeGreaterThan(50);
    const refused = unknownAnywhere.filter(({ check, news }) => check({}, news).failures.length > 0);
    expect(refused.map(({ kind, path }) => `${kind} ${path}`)).toEqual([]);
  });

  it("hands them on as they are, so that Pulumi knows what is unknown", () => {
    for (const { check, news, path } of unknownAnywhere) {
      const { inputs } = check({}, news);
      const at = path.split(".").reduce<unknown>((value, key) => (value as Properties)[key], inputs);
      // The inventory is sorted, so its members move.
      expect([
        path,
        path.startsWith("inventory") ? JSON.stringify(inputs).includes(unknownValue) : at === unknownValue,
      ]).toEqual([path, true]);
    }
  });

  it("checks the other properties all the same, whatever place is unknown", () => {
    const missed = unknownAnywhere.filter(({ check, news, path }) => {
      if (path === "name") return false;
      const failures = check({}, { ...news, name: "not a name/", strange: 1 }).failures;
      const told = failures.map(({ property }) => property).sort();
      return told.join() !== "name,strange";
    });
    expect(missed.map(({ kind, path }) => `${kind} ${path}`)).toEqual([]);
  });

  it("checks what lies beside an unknown value in the same property", () => {
    const from = { source: "wheels", wheels: [{ name: unknownValue, version: 1, sha256 }], members: "*" };
    const { failures } = checkOf(modelFilesKind)({}, { ...kinds.ModelFiles?.whole, from });
    expect(failures.map(({ property }) => property)).toEqual(["from.wheels.0.version"]);
  });
});
