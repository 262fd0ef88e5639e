import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Command, CommanderError } from "commander";

import { BerthError } from "../lib/errors.js";
import { printableLines } from "../lib/printable.js";
import { endWithReaders } from "./readers.js";
import { addBundleVerbs } from "./verbs/bundle.js";
import type { Caller } from "./verbs/caller.js";
import { addClientVerbs } from "./verbs/clients.js";
import { addDocumentVerbs } from "./verbs/documents.js";
import { addHostVerbs } from "./verbs/hosts.js";
import { addProjectVerbs } from "./verbs/project.js";
import { addPromotionVerbs } from "./verbs/promotion.js";
import { addRunnerVerbs } from "./verbs/runner.js";
import { addStackVerbs } from "./verbs/stack.js";
import { findRoot, openWorkplace, packageRoot, type Workplace } from "./workplace.js";

function workplaceAt(root: string): Workplace {
  return openWorkplace({
    environment: process.env,
    root,
    out: (text) => process.stdout.write(`${text}\n`),
    err: (text) => process.stderr.write(`${text}\n`),
  });
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
  return version;
}

const program = new Command("berth")
  .description(
    "LLM inference on your own GPU hosts, as code. Pulumi does the work: `pulumi up` makes hosts match a stack file.",
  )
  .version(readVersion())
  // `berth --version` is Berth's own; the option of a command's is the command's.
  .enablePositionalOptions()
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

/** Of `up` what follows `--` is Pulumi's; commander would take it for the name of a stack. */
function splitArguments(words: readonly string[]): [own: string[], passed: string[]] {
  const end = words[0] === "up" ? words.indexOf("--") : -1;
  return end < 0 ? [[...words], []] : [words.slice(0, end), words.slice(end + 1)];
}

const [own, passed] = splitArguments(process.argv.slice(2));

const caller: Caller = { here: () => workplaceAt(findRoot(process.cwd())), at: workplaceAt, passed };
addStackVerbs(program, caller);
addClientVerbs(program, caller);
addHostVerbs(program, caller);
addPromotionVerbs(program, caller);
addDocumentVerbs(program, caller);
addRunnerVerbs(program, caller);
addBundleVerbs(program, caller);
addProjectVerbs(program, caller);

endWithReaders([process.stdout, process.stderr]);

try {
  await program.parseAsync(own, { from: "user" });
} catch (error) {
  process.exitCode = report(error);
}

/** Prints what went wrong; returns the exit code. */
function report(error: unknown): number {
  // Commander has printed its own message.
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof BerthError) {
    // It needs no words: whoever pressed Ctrl-C knows.
    if (error.code === "interrupted") return 130;
    process.stderr.write(`${printableLines(`error: ${error.message} (${error.code})`)}\n`);
    // Of some verbs 2 says that something is pending.
    return error.code === "usage" && !["lock", "plan", "promote"].includes(own[0] ?? "") ? 2 : 1;
  }
  process.stderr.write(
    `error: this is a bug in Berth: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 70;
}
