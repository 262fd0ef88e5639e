import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { BerthError, errorCodes, messageOf, systemCode, type ErrorParts } from "../../../src/lib/errors.js";

const full: ErrorParts = {
  where: "stacks/dev.yaml:3:5",
  what: "the stack has no such host",
  got: "gpu-9",
  expected: "gpu-1, gpu-2",
  hint: "correct `host`",
  detail: "line 1\nline 2\n\n",
};

describe("BerthError", () => {
  it("says where and what, then got, expected, what to do, and the material below", () => {
    expect(new BerthError("stack-inconsistent", full).message).toBe(
      [
        "stacks/dev.yaml:3:5: the stack has no such host",
        "  got: gpu-9",
        "  expected: gpu-1, gpu-2",
        "  to do: correct `host`",
        "  | line 1",
        "  | line 2",
      ].join("\n"),
    );
  });

  it("leaves out what is not given, and an empty detail", () => {
    expect(new BerthError("usage", { what: "no such verb" }).message).toBe("no such verb");
    expect(new BerthError("usage", { what: "no such verb", detail: "" }).message).toBe("no such verb");
  });

  it("has no stack trace: the message is for people", () => {
    const error = new BerthError("usage", { what: "no such verb" });
    expect(error.stack).toBe("no such verb (usage)");
    expect(String(error)).toBe("no such verb (usage)");
  });

  it("keeps its parts and its cause for programs", () => {
    const cause = new Error("deeper");
    const error = new BerthError("usage", { ...full, cause });
    expect(error).toBeInstanceOf(Error);
    expect([error.code, error.parts, error.cause]).toEqual(["usage", { ...full, cause }, cause]);
  });

  it("changes every text of it, and drops the cause, which may hold the same texts", () => {
    const changed = new BerthError("usage", { ...full, cause: new Error("hunter2") }).mapTexts(() => "***");
    expect(changed.parts).toEqual({
      what: "***",
      where: "***",
      got: "***",
      expected: "***",
      hint: "***",
      detail: "***",
    });
    expect(changed.code).toBe("usage");
    expect(changed.cause).toBeUndefined();
  });

  it("shows nothing of a text that was changed, wherever it stood", () => {
    const part = fc.constantFrom("what", "where", "got", "expected", "hint", "detail");
    fc.assert(
      fc.property(fc.subarray(["what", "where", "got", "expected", "hint", "detail"]), part, (parts, also) => {
        const texts = Object.fromEntries([...parts, also, "what"].map((name) => [name, "key hunter2"]));
        const error = new BerthError("usage", { what: "", ...texts });
        const changed = error.mapTexts((text) => text.replaceAll("hunter2", "[secret]"));
        expect(`${changed.message}\n${changed.stack ?? ""}\n${JSON.stringify(changed)}`).not.toContain("hunter2");
      }),
    );
  });
});

describe("errorCodes", () => {
  it.each(Object.entries(errorCodes))("documents %s in a sentence", (code, meaning) => {
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(meaning).toMatch(/^[A-Z].+\.$/);
  });
});

describe("messageOf", () => {
  it.each([
    [new Error("boom"), "boom"],
    [new BerthError("usage", { what: "wrong", got: "x" }), "wrong\n  got: x"],
    ["text", "text"],
    [undefined, "undefined"],
    [null, "null"],
    [42, "42"],
  ])("is the message of anything thrown: %s", (thrown, message) => {
    expect(messageOf(thrown)).toBe(message);
  });
});

describe("systemCode", () => {
  it.each<[unknown, string | undefined]>([
    [Object.assign(new Error("no"), { code: "ENOENT" }), "ENOENT"],
    [{ code: "EACCES" }, "EACCES"],
    [{ code: 5 }, undefined],
    [new Error("no"), undefined],
    [null, undefined],
    ["ENOENT", undefined],
  ])("is the code of a system error: %s", (error, code) => {
    expect(systemCode(error)).toBe(code);
  });
});
