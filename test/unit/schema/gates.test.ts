import { describe, expect, it } from "vitest";

import { parseYaml } from "../../../src/schema/document.js";
import { gates } from "../../../src/schema/gates.js";
import { thrownBy } from "../support/thrown.js";

const read = (text: string) => parseYaml(text, "gates.yaml", gates);

describe("gates", () => {
  it("may ask nothing, and have defaults for what is asked", () => {
    expect(read("{}")).toEqual({});
    const text = [
      "soak: 1h",
      "verify: true",
      'smoke: { "*": [], chat: [{ prompt: Hello }, { messages: [{ role: user, content: Hi }], expect: { contains: a } }] }',
      "performance: { chat: { requests: 100, firstTokenSeconds: 0.5 } }",
    ].join("\n");
    expect(read(text)).toEqual({
      soak: 3600,
      verify: true,
      smoke: {
        "*": [],
        chat: [
          { prompt: "Hello", maxTokens: 64 },
          { messages: [{ role: "user", content: "Hi" }], maxTokens: 64, expect: { contains: "a" } },
        ],
      },
      performance: {
        chat: {
          ...{ requests: 100, parallel: 1, promptTokens: 128, maxTokens: 128 },
          ...{ firstTokenSeconds: 0.5, failures: 0 },
        },
      },
    });
  });

  it.each([
    ["soak: 60", "a duration with its unit"],
    ["soak: 600h", "at most 24 days"],
    ["soak: -1h", "a duration with its unit"],
    ["verify: false", "expected true"],
    ["smokes: {}", "smokes"],
    ["smoke: { Chat: [{ prompt: a }] }", "smoke"],
    ["smoke: { chat: [{}] }", "either `prompt` or `messages`"],
    ["smoke: { chat: [{ prompt: a, messages: [{ role: user, content: a }] }] }", "either `prompt` or `messages`"],
    ["smoke: { chat: [{ messages: [] }] }", "messages"],
    ["smoke: { chat: [{ messages: [{ role: root, content: a }] }] }", "role"],
    ["smoke: { chat: [{ prompt: '' }] }", "a prompt"],
    ["smoke: { chat: [{ prompt: a, maxTokens: 0 }] }", "maxTokens"],
    ["smoke: { chat: [{ prompt: a, maxTokens: 1000000 }] }", "maxTokens"],
    ["smoke: { chat: [{ prompt: a, expect: {} }] }", "`contains`, `notContains` or both"],
    ["smoke: { chat: [{ prompt: a, expect: { matches: '(a+)+$' } }] }", "matches"],
    ["performance: { chat: {} }", "requests"],
    ["performance: { chat: { requests: 0 } }", "requests"],
    ["performance: { chat: { requests: 1e9 } }", "requests"],
    ["performance: { chat: { requests: 1, parallel: 1000 } }", "parallel"],
    ["performance: { chat: { requests: 1, tokensPerSecond: 0 } }", "tokensPerSecond"],
    ["performance: { chat: { requests: 1, failures: -1 } }", "failures"],
  ])("refuse %s, and name it", (text, named) => {
    const error = thrownBy(() => read(text));
    expect(error).toMatchObject({ code: "file-invalid" });
    expect(error.message).toMatch(/^gates\.yaml:1:\d+/);
    expect(error.message).toContain(named);
  });
});
