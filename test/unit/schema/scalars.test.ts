import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";

import * as scalars from "../../../src/schema/scalars.js";

const accepts = (schema: z.ZodType, text: unknown) => schema.safeParse(text).success;

const hostile = [
  "",
  ".",
  "..",
  "../a",
  "a/b",
  "a\\b",
  "/a",
  "a\0",
  "a\n",
  " a",
  "a b",
  "a..b/..",
  "-a",
  "ä",
  "a;b",
  "$(a)",
];

describe("names that become file names, labels and units", () => {
  it.each<[keyof typeof scalars & ("name" | "version" | "fileName"), string[], string[]]>([
    ["name", ["a", "0", "gpu-1", "a".repeat(63)], ["A", "a-", "a.b", "a_b", "a".repeat(64)]],
    ["version", ["1", "0.10", "v1.2.3-rc.1+cu12", "a".repeat(64)], ["1..2", ".1", "a".repeat(65)]],
    ["fileName", ["model.gguf", "...", ".hidden", "-", "a".repeat(200)], ["a".repeat(201)]],
  ])("%s", (kind, good, bad) => {
    for (const text of good) expect([text, accepts(scalars[kind], text)]).toEqual([text, true]);
    const refused = kind === "fileName" ? hostile.filter((text) => text !== "-a") : hostile;
    for (const text of [...refused, ...bad, 1, null])
      expect([text, accepts(scalars[kind], text)]).toEqual([text, false]);
  });

  it("never lead out of a folder, and never become two words", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from("./\\a-A0 \n\0~$")) }), (text) => {
        for (const kind of ["name", "version", "fileName"] as const) {
          if (!accepts(scalars[kind], text)) continue;
          expect(text).not.toMatch(/[/\\\s\0~$]|^\.{1,2}$/);
          expect(text).not.toBe("");
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("duration", () => {
  it.each([
    ["0s", 0],
    ["500ms", 0.5],
    ["9ms", 0.009],
    ["30s", 30],
    ["1.5m", 90],
    ["20m", 1200],
    ["1h", 3600],
    ["576h", 2_073_600],
  ])("%s is %d seconds", (text, seconds) => {
    expect(scalars.duration.parse(text)).toBe(seconds);
  });

  it.each([
    "30",
    "s",
    "-1s",
    "+1s",
    "1 s",
    "1d",
    "1e3s",
    ".5s",
    "1.s",
    "1s ",
    "Infinitys",
    `${"9".repeat(400)}s`,
    30,
    null,
  ])("%s is none", (text) => {
    expect(accepts(scalars.duration, text)).toBe(false);
  });
});

describe("a duration that timers cannot wait for", () => {
  it.each(["576.1h", "2073601s", "999999999h"])("is refused: %s", (text) => {
    const { error } = scalars.duration.safeParse(text);
    expect(error?.issues.map(({ message }) => message)).toEqual(["expected at most 24 days, 576h"]);
  });

  it("is below that of Node.js, and of nothing there is none for what has to take some time", () => {
    expect(scalars.mostSeconds * 1000).toBeLessThan(2 ** 31);
    expect(["0s", "0.0h", "1ms"].map((text) => accepts(scalars.timeoutText, text))).toEqual([false, false, true]);
  });
});

describe("byteSize", () => {
  it.each([
    ["1B", 1],
    ["512MiB", 536_870_912],
    ["10GiB", 10_737_418_240],
    ["1.5TB", 1_500_000_000_000],
    ["0.1KB", 100],
    ["0.0001B", 1],
    ["8191TiB", 9_006_099_743_113_216],
  ])("%s is %d bytes", (text, bytes) => {
    expect(scalars.byteSizeBytes(scalars.byteSize.parse(text))).toBe(bytes);
  });

  it.each(["10", "10G", "10 GiB", "10gb", "-1B", ".5GiB", "1e3B", "GiB", "", "0B", "0.0GiB", "9PiB", "1B\n", 10, null])(
    "%s is none",
    (text) => {
      expect(accepts(scalars.byteSize, text)).toBe(false);
    },
  );

  it("is told once what is wrong with one, and no number that is not exact", () => {
    const messages = ["0GiB", "8192TiB"].map((text) =>
      scalars.byteSize.safeParse(text).error?.issues.map(({ message }) => message),
    );
    expect(messages).toEqual([
      ['expected a size above 0 with its unit, such as "512MiB", "10GiB" or "1.5TB"'],
      ["expected at most 8191TiB"],
    ]);
  });
});

describe("sha256", () => {
  it("is 64 hexadecimal digits, told in lower case", () => {
    expect(scalars.sha256.parse("AB".repeat(32))).toBe("ab".repeat(32));
    for (const text of ["ab", "g".repeat(64), "a".repeat(65), ` ${"a".repeat(63)}`])
      expect(accepts(scalars.sha256, text)).toBe(false);
  });
});

describe("httpUrl", () => {
  it.each(["http://a.example", "https://a.example:8443/simple?x=1", "http://127.0.0.1/", "http://[::1]:3000/a"])(
    "accepts %s",
    (text) => {
      expect(accepts(scalars.httpUrl, text)).toBe(true);
    },
  );

  it.each([
    "",
    "a.example",
    "ftp://a.example",
    "file:///etc/passwd",
    "http://",
    "http://me:key@a.example",
    "http://a.example#x",
  ])("refuses %s", (text) => {
    expect(accepts(scalars.httpUrl, text)).toBe(false);
  });
});

describe.each(["folderUrl", "indexUrl"] as const)("%s", (kind) => {
  it.each(["http://a.example", "https://a.example:8443/simple/", "http://[::1]:3000/a%20b"])("accepts %s", (text) => {
    expect(accepts(scalars[kind], text)).toBe(true);
  });

  it.each([
    ...["https://a.example/x?token=abc", "https://a.example/?", "https://a.example?x=1", "https://a.example/x#y"],
    ...["https://me:key@a.example/", "https://me@a.example/", "ftp://a.example/", "", "/x"],
  ])("refuses %s, behind which no path can be put, or which holds a key", (text) => {
    expect(accepts(scalars[kind], text)).toBe(false);
  });
});

describe("secretReference", () => {
  it("is the name of a secret, never the secret", () => {
    expect(accepts(scalars.secretReference, { secret: "chat-key" })).toBe(true);
    for (const value of [
      "chat-key",
      { secret: "a b" },
      { secret: "" },
      { secret: "../a" },
      { secret: "a", value: "b" },
    ])
      expect(accepts(scalars.secretReference, value)).toBe(false);
  });
});

describe("a registry's login", () => {
  it.each(["docker.io", "ghcr.io", "registry.example.net:5000", "localhost", "127.0.0.1:5000", "r:5000"])(
    "may be for %j",
    (name) => {
      expect(accepts(scalars.registryHost, name)).toBe(true);
    },
  );

  it.each([
    "",
    "hub",
    "ghcr.io/team",
    "https://ghcr.io",
    "Ghcr.io",
    "registry-1.docker.io",
    "ann@ghcr.io",
    "-x.io",
    "ghcr.io:",
    "ghcr.io\n",
  ])("is for a registry alone, not for %j", (name) => {
    expect(accepts(scalars.registryHost, name)).toBe(false);
  });

  it.each([
    ["ann", true],
    ["$oauthtoken", true],
    ["robot$team+ci", true],
    ["", false],
    ["ann:hunter2", false],
    ["ann lee", false],
    ["ann\n", false],
  ])("has a user such as %j: %s", (name, isUser) => {
    expect(accepts(scalars.registryUser, name)).toBe(isUser);
  });
});
