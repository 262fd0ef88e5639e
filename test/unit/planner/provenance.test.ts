import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createRedact } from "../../../src/lib/redact.js";
import {
  compareArguments,
  compareDigest,
  compareEnvironment,
  compareExecutable,
  compareFiles,
  compareImage,
  isProven,
  type ProofRow,
  type Script,
} from "../../../src/planner/provenance.js";

const [one, other] = ["1".repeat(64), "2".repeat(64)];
const redact = createRedact(["hunter2-and-more"]);
const told = ({ verdict, found }: ProofRow) => `${verdict}: ${found}`;

describe("the arguments of a process", () => {
  const argv = ["/bin/engine", "--model", "/m"];
  const script: Script = { argument: undefined };
  const cases: [what: string, found: string[], script: Script | undefined, expected: string][] = [
    ["are the same", argv, undefined, "proven: the same words"],
    ["of a script stand behind its interpreter", ["/usr/bin/python3", ...argv], script, "proven: the same words"],
    [
      "of a script stand behind the argument that it gives",
      ["/bin/sh", "-e", ...argv],
      { argument: "-e" },
      "proven: the same words",
    ],
    [
      "of a script have nothing else before them",
      ["/bin/sh", "-c", ...argv],
      script,
      "differs: word 1 is -c, not /bin/engine",
    ],
    [
      "of a program have no interpreter",
      ["/usr/bin/python3", ...argv],
      undefined,
      "differs: word 1 is /usr/bin/python3, not /bin/engine",
    ],
    ["are more", [...argv, "--seed", "1"], undefined, "differs: word 4 is too many: --seed"],
    ["are fewer", argv.slice(0, 2), undefined, "differs: word 3 is missing: /m"],
    ["are others", ["/bin/engine", "--model", "/n"], undefined, "differs: word 3 is /n, not /m"],
    ["are an empty word more", [...argv, ""], undefined, "differs: word 4 is too many: "],
    ["are no words", [], undefined, "differs: word 1 is missing: /bin/engine"],
    [
      "are a title that the process gave itself",
      ["VLLM::Engine"],
      undefined,
      "differs: word 1 is VLLM::Engine, not /bin/engine",
    ],
  ];
  it.each(cases)("%s", (_, found, script, expected) => {
    expect(told(compareArguments({ argv, script, redact }, { value: found }))).toBe(expected);
  });

  it("are not proven where they cannot be read", () => {
    expect(told(compareArguments({ argv, redact }, { unknown: "the host has no /proc" }))).toBe(
      "unknown: the host has no /proc",
    );
  });

  it("tell no secret: neither one that is known, nor one that looks like it, nor a part of one", () => {
    const words = (more: string[]) => told(compareArguments({ argv, redact }, { value: [...argv, ...more] }));
    expect(words(["hunter2-and-more"])).toBe("differs: word 4 is too many: [secret]");
    expect(words([`${"x".repeat(70)}hunter2-and-more`])).not.toContain("hunter2");
    const key = { value: [...argv, "--api-key", "of-somebody-else"] };
    expect(told(compareArguments({ argv: [...argv, "--api-key"], redact }, key))).not.toContain("of-somebody-else");
  });

  it("are proven for the same words alone", () => {
    const words = fc.array(fc.string(), { maxLength: 5 });
    fc.assert(
      fc.property(words, words, (argv, found) => {
        const { verdict } = compareArguments({ argv, redact }, { value: found });
        expect(verdict).toBe(JSON.stringify(argv) === JSON.stringify(found) ? "proven" : "differs");
      }),
    );
  });
});

describe("the environment of a process", () => {
  const wanted = { PATH: "/bin", TOKEN: "hunter2-and-more" };
  const cases: [what: string, found: Record<string, string>, expected: string][] = [
    ["is the same", { ...wanted }, "proven: the same values"],
    ["lacks a variable", { PATH: "/bin" }, "differs: TOKEN is missing"],
    ["has another secret, which is not told", { ...wanted, TOKEN: "another" }, "differs: TOKEN has another value"],
    ["has a variable more", { ...wanted, LD_PRELOAD: "/x.so" }, "differs: LD_PRELOAD is too many"],
    ["has a variable of an object's more", { ...wanted, constructor: "" }, "differs: constructor is too many"],
    ["has what a shell adds", { ...wanted, PWD: "/", SHLVL: "1", _: "/bin/engine" }, "proven: the same values"],
  ];
  it.each(cases)("%s", (_, found, expected) => {
    expect(told(compareEnvironment({ value: wanted }, { value: found }))).toBe(expected);
  });

  it("is not proven without the secrets, or without a look at it", () => {
    expect(compareEnvironment({ unknown: "no secrets" }, { value: {} }).verdict).toBe("unknown");
    expect(compareEnvironment({ value: {} }, { unknown: "no permission" }).verdict).toBe("unknown");
  });

  it("never tells a value", () => {
    const values = fc.dictionary(fc.stringMatching(/^[A-Z]{1,3}$/), fc.stringMatching(/^value-[a-z0-9]{6}$/));
    fc.assert(
      fc.property(values, values, (wanted, found) => {
        const row = JSON.stringify(compareEnvironment({ value: wanted }, { value: found }));
        expect(row).not.toContain("value-");
      }),
    );
  });
});

describe("the program of a process", () => {
  const wanted = { value: { path: "/bin/engine", sha256: one } };
  const seen = (path: string, sha256: string) => ({ executable: { value: path }, executableSha256: { value: sha256 } });
  it("is proven by its path and its bytes together", () => {
    expect(compareExecutable("program", wanted, seen("/bin/engine", one)).verdict).toBe("proven");
    expect(compareExecutable("program", wanted, seen("/bin/engine", other)).verdict).toBe("differs");
    expect(compareExecutable("program", wanted, seen("/tmp/engine", one)).verdict).toBe("differs");
  });
  it("is the right one still when the file was replaced since, which the file's own row tells", () => {
    expect(compareExecutable("program", wanted, seen("/bin/engine (deleted)", one)).verdict).toBe("proven");
    expect(compareExecutable("program", wanted, seen("/bin/engine (deleted)", other)).verdict).toBe("differs");
  });
  it("is not proven where any of it cannot be told", () => {
    const unknown = { unknown: "no permission" };
    expect(compareExecutable("program", unknown, seen("/bin/engine", one)).verdict).toBe("unknown");
    const path = { executable: unknown, executableSha256: { value: one } };
    expect(compareExecutable("program", wanted, path)).toMatchObject({ verdict: "unknown", found: "no permission" });
    const bytes = { executable: { value: "/bin/engine" }, executableSha256: unknown };
    expect(compareExecutable("program", wanted, bytes).verdict).toBe("unknown");
  });
});

describe("the image of a container", () => {
  const image = { reference: "engine:1", digest: `sha256:${one}` };
  const ids = [`sha256:${other}`];
  const name = `docker.io/engine@sha256:${one}`;
  const cases: [what: string, wanted: object, seen: { id: string; names: string[] }, verdict: string][] = [
    ["by the name that it was pulled by", {}, { id: `sha256:${other}`, names: [name] }, "proven"],
    ["by its own digest", {}, { id: image.digest, names: [] }, "proven"],
    ["by the lock's digest of the platform", { ids }, { id: `sha256:${other}`, names: [] }, "proven"],
    ["not by a name that ends alike", {}, { id: "sha256:3", names: [`engine@sha256:0${one}`] }, "differs"],
    ["not by nothing", {}, { id: "sha256:3", names: [] }, "differs"],
  ];
  it.each(cases)("is known %s", (_, wanted, seen, verdict) => {
    expect(compareImage({ ...image, ...wanted }, seen).verdict).toBe(verdict);
  });
});

describe("installed files and digests", () => {
  it("are proven when nothing differs, and tell the first difference and how many there are", () => {
    expect(told(compareFiles(412, []))).toBe("proven: the same bytes");
    expect(told(compareFiles(412, ["a was changed"]))).toBe("differs: a was changed");
    expect(told(compareFiles(412, ["a was changed", "b is missing"]))).toBe("differs: a was changed, and 1 more");
    expect(compareFiles(undefined, []).verdict).toBe("unknown");
  });

  it("are compared whole, however little of a digest is shown", () => {
    const almost = `${one.slice(0, 63)}2`;
    expect(compareDigest("file", one, { value: almost })).toEqual({
      what: "file",
      wanted: "sha256 111111111111",
      found: "sha256 111111111111",
      verdict: "differs",
    });
  });
});

describe("a proof", () => {
  it("is none without rows, or with a row that differs or cannot be told", () => {
    const row = (verdict: ProofRow["verdict"]): ProofRow => ({ what: "", wanted: "", found: "", verdict });
    expect(isProven([row("proven"), row("proven")])).toBe(true);
    expect(isProven([])).toBe(false);
    expect(isProven([row("proven"), row("unknown")])).toBe(false);
    expect(isProven([row("proven"), row("differs")])).toBe(false);
  });
});
