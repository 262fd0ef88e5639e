import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { repository } from "../support/toolchain.js";
import { steps } from "../support/workflow-steps.js";

/** Verbs and flags of each `berth` that a script runs; what comes after a lone `--` is Pulumi's. */
const commands = steps.flatMap(({ step }) =>
  [...(step.run ?? "").matchAll(/(?:^|[;&|!]|\b(?:then|else|do))\s*berth ([^|;&>\n]+)/gm)].map(([, text = ""]) => {
    const words = text.trim().split(/\s+/);
    const [verb = "", ...rest] = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
    return { verb, flags: rest.filter((word) => word.startsWith("--")) };
  }),
);

function help(...words: string[]): string {
  const { stdout } = spawnSync(process.execPath, [join(repository, "dist", "cli", "main.js"), ...words, "--help"], {
    encoding: "utf8",
  });
  return stdout;
}

describe("the commands of the workflows", () => {
  it("are those that are expected", () => {
    const verbs = new Set(commands.map(({ verb }) => verb));
    expect([...verbs].sort()).toEqual(["facts", "lock", "plan", "promote", "up"]);
  });

  it.each(commands)("$verb $flags is one that berth has", ({ verb, flags }) => {
    expect(help()).toMatch(new RegExp(`^ {2}${verb} `, "m"));
    const text = help(verb);
    for (const flag of flags) expect(text).toMatch(new RegExp(`${flag}(?: |$)`, "m"));
  });
});
