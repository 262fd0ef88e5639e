import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";

import { containerBody } from "../../../src/runtime/container-body.js";
import { containerSettings, containerSpec, type ContainerSettings } from "../../../src/schema/container.js";
import { changedSettings, exampleFields, withoutIndexes } from "../support/changed-settings.js";
import { devicesOf, settingsOf, writtenSpec } from "../support/container-specs.js";
import { objectsOf, type JsonSchema } from "../support/json-schema.js";

const accepts = (changes: object) => containerSpec.safeParse({ ...writtenSpec(), ...changes }).success;
const acceptsSettings = (changes: object) => accepts({ settings: { ...settingsOf(), ...changes } });
const zero = "a\0b";

describe("hostile values of a container", () => {
  it.each(["A=B", "A\n", "A B", "", "1A", "A\0", "Ä", "=A"])("are refused as a variable: %j", (variable) => {
    expect(accepts({ environment: { [variable]: "x" } })).toBe(false);
  });

  it("are refused where they hold a NUL, which ends a text", () => {
    expect(accepts({ environment: { A: zero } })).toBe(false);
    expect(accepts({ argv: [zero] })).toBe(false);
    expect(accepts({ identity: { ...writtenSpec().identity, owner: zero } })).toBe(false);
    expect(acceptsSettings({ entrypoint: [zero] })).toBe(false);
    expect(acceptsSettings({ privileged: { why: zero } })).toBe(false);
  });

  it("are handed on as they are where any text is one", () => {
    const texts = ["", " ", "a\nb", "a=b", "$(touch x)", "`x`", "'", '"', "--privileged", "語", "{{port}}"];
    const { Cmd, Env } = containerBody(
      containerSpec.parse({ ...writtenSpec(), argv: texts, environment: { A: texts.join("\n") } }),
    );
    expect(Cmd).toEqual(texts);
    expect(Env).toContain(`A=${texts.join("\n")}`);
  });

  it.each(["", "a", "./a", "/", "//a", "/a/", "/a//b", "/a/../b", "/..", "/a/.", "/a\n", "/a\0", "~/a", "\\a"])(
    "are refused as a path: %j",
    (path) => {
      const mount = { source: "/a", target: "/b" };
      expect(acceptsSettings({ mounts: [{ ...mount, source: path }] })).toBe(false);
      expect(acceptsSettings({ mounts: [{ ...mount, target: path }] })).toBe(false);
      expect(acceptsSettings({ cache: { ...mount, target: path } })).toBe(false);
    },
  );

  it.each<[string, object]>([
    ["an image without its digest", { image: "registry.example/team/engine:1.0" }],
    ["an image with half of one", { image: "engine@sha256:1234" }],
    ["an image of another engine's words", { image: `engine@sha256:${"1".repeat(64)} --privileged` }],
    ["no entrypoint", { entrypoint: [] }],
    ["a port that there is not", { containerPort: 0 }],
    ["two things at one place", { cache: { source: "/c", target: "/models/a" } }],
    ["less memory than an engine takes", { memoryBytes: 1_000_000 }],
    ["no processor", { cpus: 0 }],
    ["a user of several words", { user: "root --privileged" }],
    ["a user in two lines", { user: "1000\n0" }],
    ["the network of the host", { networks: ["host"] }],
    ["the network of another container", { networks: ["container:other"] }],
    ["all capabilities", { capAdd: ["ALL"] }],
    ["a capability twice", { capAdd: ["SYS_NICE", "SYS_NICE"] }],
    ["a number for a signal", { stopSignal: "9" }],
    ["privileges without a reason", { privileged: {} }],
    ["privileges for an empty reason", { privileged: { why: "" } }],
    ["capabilities beside all of them", { privileged: { why: "w" }, capAdd: ["SYS_NICE"] }],
    ["a size of memory that is the host's", { ipc: "host", shmBytes: 1 }],
    ["a key that there is not", { pidMode: "host" }],
  ])("are refused: %s", (_, changes) => {
    expect(acceptsSettings({})).toBe(true);
    expect(acceptsSettings(changes)).toBe(false);
  });

  it.each<[string, object]>([
    ["all of NVIDIA's", { ...devicesOf.cuda, ids: ["all"] }],
    ["a GPU by its number", { ...devicesOf.cuda, ids: ["0"] }],
    ["two in one", { ...devicesOf.cuda, ids: ["GPU-1,GPU-2"] }],
    ["a kind of CDI device", { ...devicesOf.cuda, form: "cdi", ids: ["nvidia.com/gpu=all"] }],
    ["none", { ...devicesOf.cuda, ids: [] }],
    ["one twice", { ...devicesOf.cuda, ids: ["GPU-1", "GPU-1"] }],
    ["a number of them", { form: "request", acceleratorType: "cuda", count: 1 }],
    ["a card without its device files", { ...devicesOf.rocm, nodes: [] }],
    ["a file that is no device", { ...devicesOf.rocm, nodes: ["/etc/shadow"] }],
    ["a file beside the devices", { ...devicesOf.rocm, nodes: ["/dev/../etc/shadow"] }],
    ["the folder of the devices", { ...devicesOf.rocm, nodes: ["/dev/"] }],
    ["more cards than numbers", { ...devicesOf.cann, indexes: [1] }],
    ["a form that its type has not", { ...devicesOf.cann, form: "request" }],
    ["a type that no container has", { ...devicesOf.cann, acceleratorType: "metal" }],
  ])("are refused as devices: %s", (_, devices) => {
    expect(acceptsSettings({ devices })).toBe(false);
  });
});

const schema = z.toJSONSchema(containerSettings, { io: "input" }) as JsonSchema;
const fields = new Set(
  objectsOf(schema, "").flatMap(({ path, object }) =>
    Object.keys(object.properties ?? {}).map((key) => withoutIndexes(`${path}.${key}`)),
  ),
);

describe("every field of a container's settings", () => {
  it("is in an example, so that a new one cannot be forgotten below", () => {
    expect([...exampleFields].sort()).toEqual([...fields].sort());
  });

  it("changes the container when it changes, or is refused: none is dropped in silence", () => {
    const accepted = new Set<string>();
    fc.assert(
      fc.property(changedSettings, ({ field, before, after }) => {
        if (after === undefined) return;
        accepted.add(field);
        expect(bodyText(after)).not.toBe(bodyText(before));
      }),
      { numRuns: 10_000 },
    );
    expect([...accepted].sort()).toEqual([...fields].sort());
  });
});

function bodyText(settings: ContainerSettings): string {
  return JSON.stringify(containerBody(containerSpec.parse({ ...writtenSpec(), settings })));
}
