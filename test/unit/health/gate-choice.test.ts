import { describe, expect, it } from "vitest";

import { chooseGates, findUnknown } from "../../../src/health/gate-choice.js";
import { gates as schema } from "../../../src/schema/gates.js";

const forAll = { prompt: "all", maxTokens: 64 };
const own = { prompt: "own", maxTokens: 64 };
const gates = schema.parse({
  soak: "1m",
  smoke: { "*": [forAll], chat: [own], quiet: [] },
  performance: { "*": { requests: 5 }, voice: { requests: 7 } },
});

describe("the gates of a deployment", () => {
  it("are its own, else those for all", () => {
    expect(chooseGates(gates, "chat", {})).toMatchObject({
      ...{ soakSeconds: 60, verify: false, smoke: [own], performance: { requests: 5 } },
    });
    expect(chooseGates(gates, "code", { category: "embedding" }).smoke).toEqual([forAll]);
    expect(chooseGates(gates, "quiet", {}).smoke).toEqual([]);
    expect(chooseGates(gates, "constructor", {}).smoke).toEqual([forAll]);
  });

  it("are its own alone where its engine does not speak OpenAI's API", () => {
    const healthRequest = { method: "GET", path: "/up", contentType: "text/plain" } as const;
    for (const release of [{ category: "tts" as const }, { healthRequest }, { category: "reranker" as const }]) {
      expect(chooseGates(gates, "other", release)).toMatchObject({ smoke: [], performance: undefined });
      expect(chooseGates(gates, "voice", release).performance).toMatchObject({ requests: 7 });
    }
  });

  it("are none where nothing is asked", () => {
    const none = { soakSeconds: undefined, verify: false, smoke: [], performance: undefined };
    expect(chooseGates({}, "chat", {})).toEqual(none);
  });
});

describe("findUnknown", () => {
  it("names entries that are for no deployment", () => {
    expect(findUnknown(gates, ["chat", "quiet", "voice"])).toEqual([]);
    expect(findUnknown(gates, ["chat"])).toEqual(["quiet", "voice"]);
    expect(findUnknown({}, [])).toEqual([]);
  });
});
