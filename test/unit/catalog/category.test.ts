import { describe, expect, it } from "vitest";

import { chooseCategory } from "../../../src/catalog/category.js";
import { thrownBy } from "../support/thrown.js";

const anything = { name: "engine" };
const speech = { name: "speech", categories: ["stt", "tts"] as ("stt" | "tts")[] };
const ears = { name: "ears", categories: ["stt"] as "stt"[] };

describe("chooseCategory", () => {
  it("is what the deployment says, a language model where nothing is said", () => {
    expect(chooseCategory(anything, "embedding", "chat")).toBe("embedding");
    expect(chooseCategory(anything, undefined, "chat")).toBe("llm");
    expect(chooseCategory(speech, "tts", "chat")).toBe("tts");
  });

  it("is the only thing that the backend's models do", () => {
    expect(chooseCategory(ears, undefined, "chat")).toBe("stt");
  });

  it("is asked for where the backend's models do several things", () => {
    const error = thrownBy(() => chooseCategory(speech, undefined, "deployment voice"));
    expect(error.parts).toMatchObject({ where: "deployment voice", expected: "category: stt or tts" });
    expect(error.message).toContain("it is not told what the model of speech does");
  });

  it("is refused where the backend serves no such models", () => {
    const error = thrownBy(() => chooseCategory(ears, "llm", "deployment voice"));
    expect(error.code).toBe("stack-inconsistent");
    expect(error.parts).toMatchObject({ got: "category: llm", expected: "category: stt" });
  });
});
