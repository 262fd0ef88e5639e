import { describe, expect, it } from "vitest";

import { chooseGarbage, references, wantedReferences, type StoredThing } from "../../../src/install/garbage.js";

const digest = `sha256:${"a".repeat(64)}`;
const content = "b".repeat(64);

function thing(name: string, changes: Partial<StoredThing>): StoredThing {
  return { kind: "backend", name, references: [], heldBy: [], sizeBytes: 1, lastUsed: new Date(0), ...changes };
}

const stored = [
  thing("vllm 1", { references: [references.backend("vllm", "1")] }),
  thing("image", { kind: "image", references: [references.image(digest)] }),
  thing("archive of vllm 1", { kind: "download", references: [references.backend("vllm", "1")] }),
  thing("archive that nothing was made from yet", { kind: "download", references: [references.content(content)] }),
  thing("cache", { kind: "engine cache", references: [references.engineCache("vllm")] }),
];
const garbage = (...wanted: Parameters<typeof wantedReferences>) =>
  chooseGarbage(stored, wantedReferences(...wanted)).map(({ name }) => name);
const all = stored.map(({ name }) => name);
const but = (...kept: string[]) => all.filter((name) => !kept.includes(name));

describe("garbage on a host", () => {
  it("is all that nobody wants", () => {
    expect(garbage([], [])).toEqual(all);
  });

  it("is nothing that a resource of any stack has, as the journal tells", () => {
    expect(garbage([{ uses: "backends/vllm_1" }], [])).toEqual(but("vllm 1", "archive of vllm 1"));
    expect(garbage([{ uses: `images/${"a".repeat(64)}` }], [])).toEqual(but("image"));
  });

  it("is nothing that a lock would put there again", () => {
    const wanted = (install: Parameters<typeof wantedReferences>[1][number]["install"], version = "1") =>
      garbage([], [{ backend: "vllm", version, install }]);
    expect(wanted({ method: "manual" })).toEqual(but("vllm 1", "archive of vllm 1", "cache"));
    expect(wanted({ method: "image", digest })).toEqual(but("image", "cache"));
    const other = but("archive that nothing was made from yet", "cache");
    expect(wanted({ method: "binary", artifacts: [{ sha256: content }] }, "2")).toEqual(other);
    expect(wanted({ method: "pipx", requirements: { sha256: content } }, "2")).toEqual(other);
  });

  it("is nothing that something runs from, whoever wants it", () => {
    const held = stored.map((each) => ({ ...each, heldBy: ["chat-0"] }));
    expect(chooseGarbage(held, new Set())).toEqual([]);
  });
});
