import type { Command } from "commander";

import type { DiffOptions } from "../diff.js";
import type { HistoryOptions } from "../history.js";
import { untilInterrupted } from "../interrupts.js";
import type { PromoteOptions } from "../promote.js";
import type { RollbackOptions } from "../rollback.js";
import type { Caller } from "./caller.js";

/** Verbs of environments that follow each other. */
export function addPromotionVerbs(program: Command, caller: Caller): void {
  addPromote(program, caller);
  addRollback(program, caller);
  addHistory(program, caller);
  addDiff(program, caller);
}

function addPromote(program: Command, { here }: Caller): void {
  program
    .command("promote <from> <to>")
    .description(
      "move what is applied, healthy and verified in one environment into the lock of the next; exit code 3 a gate failed, 4 it cannot be there, 5 somebody else wrote the lock",
    )
    .option("--only <deployments...>", "these deployments alone")
    .option("--dry-run", "do all but write")
    .option("--check", "tell whether something would move, by exit code 2, and ask nobody")
    .option("--evidence <file>", "what `berth verify` has written, instead of asking now")
    .option("--offline", "do not ask whether artifacts can still be had")
    .option("--accept-moved", "promote what was pinned though a tag or revision means something else now")
    .option("--force", "leave out an environment; needs --reason")
    .option("--reason <text>", "why; it is written down")
    .option("--json", "for programs")
    .action(async (from: string, to: string, options: PromoteOptions) => {
      const { promote } = await import("../promote.js");
      process.exitCode = await promote(here(), from, to, options, untilInterrupted());
    });
}

function addRollback(program: Command, { here }: Caller): void {
  program
    .command("rollback [environment]")
    .description("give an environment what it had before its last promotion; hosts keep it, so nothing is downloaded")
    .option("--to <bundle>", "the id of an earlier bundle, or its beginning")
    .option("--dry-run", "do all but write")
    .option("--json", "for programs")
    .action(async (environment: string | undefined, options: RollbackOptions) => {
      const { rollback } = await import("../rollback.js");
      process.exitCode = await rollback(here(), environment, options, untilInterrupted());
    });
}

function addHistory(program: Command, { here }: Caller): void {
  program
    .command("history [environment]")
    .description("list what was promoted to an environment and rolled back in it, and what of that it has now")
    .option("--json", "for programs")
    .action(async (environment: string | undefined, options: HistoryOptions) => {
      const { history } = await import("../history.js");
      await history(here(), environment, options);
    });
}

function addDiff(program: Command, { here }: Caller): void {
  program
    .command("diff <environment> <other>")
    .description("show how the locks of two environments differ: what a promotion moves, and what is each one's own")
    .option("--json", "for programs")
    .action(async (left: string, right: string, options: DiffOptions) => {
      const { diff } = await import("../diff.js");
      await diff(here(), left, right, options);
    });
}
