import { Option, type Command } from "commander";

import { planFormats } from "../arguments.js";
import type { DrainOptions } from "../drain.js";
import type { ExplainOptions } from "../explain.js";
import { leaveInterruptsToPulumi, untilInterrupted } from "../interrupts.js";
import type { LockOptions } from "../lock.js";
import type { PlanOptions } from "../plan.js";
import type { UpOptions } from "../up.js";
import type { VerifyOptions } from "../verify.js";
import { whatIfOptions } from "../what-if.js";
import type { Caller } from "./caller.js";

/** Verbs of one stack: solve, bring up, look, ask why. */
export function addStackVerbs(program: Command, caller: Caller): void {
  addLock(program, caller);
  addPlan(program, caller);
  addUp(program, caller);
  addStatus(program, caller);
  addVerify(program, caller);
  addExplain(program, caller);
  addDrain(program, caller);
}

function addLock(program: Command, { here }: Caller): void {
  program
    .command("lock [stack]")
    .description("solve a stack file and write its lock")
    .option("--check", "tell whether the lock holds, and write nothing; exit code 2 when it does not")
    .option("--update <deployments...>", "choose versions and artifacts of these deployments anew")
    .option("--upgrade", "choose those of all deployments anew, and the commits of models' revisions")
    .option("--offline", "ask nobody but the hosts; refuse what is not known")
    .option("--upgrade-models", "take the commits that models' revisions are now, not those of the lock before")
    .action(async (stack: string | undefined, options: LockOptions) => {
      const { lock } = await import("../lock.js");
      process.exitCode = await lock(here(), stack, options);
    });
}

function addPlan(program: Command, { here }: Caller): void {
  program
    .command("plan [stack]")
    .description("show all that `pulumi up` would change, and change nothing; exit code 2 when something is pending")
    .addOption(
      new Option("--format <format>", "for a terminal, for programs, or one page for a browser")
        .choices(planFormats)
        .default("text"),
    )
    .option(...whatIfOptions[0])
    .option(...whatIfOptions[1])
    .option(...whatIfOptions[2])
    .action(async (stack: string | undefined, options: PlanOptions) => {
      const { plan } = await import("../plan.js");
      process.exitCode = await plan(here(), stack, options);
    });
}

function addUp(program: Command, { here, passed }: Caller): void {
  program
    .command("up [stack]")
    .description("run `pulumi up`; with --host for these hosts alone. What comes after `--` is for Pulumi")
    .option("--host <hosts...>", "change these hosts, and leave everything else as it is")
    .action(async (stack: string | undefined, options: UpOptions) => {
      const { up } = await import("../up.js");
      const workplace = here();
      leaveInterruptsToPulumi(workplace);
      process.exitCode = await up(workplace, stack, options, passed);
    });
}

function addStatus(program: Command, { here }: Caller): void {
  program
    .command("status [stack]")
    .description("show what is wanted beside what is there")
    .option(
      "--proof",
      "compare the processes, containers and files themselves with the lock; exit code 1 unless all fit",
    )
    .option("--json", "for programs")
    .addOption(
      new Option("--format <format>", "as node_exporter's textfile collector reads it")
        .choices(["prometheus"])
        .conflicts(["proof", "json"]),
    )
    .action(async (stack: string | undefined, options: { proof?: boolean; json?: boolean; format?: "prometheus" }) => {
      const { proveStatus } = await import("../status-proof.js");
      const { status } = await import("../status.js");
      if (options.proof === true) process.exitCode = await proveStatus(here(), stack, options);
      else await status(here(), stack, options);
    });
}

function addVerify(program: Command, { here }: Caller): void {
  program
    .command("verify [stack]")
    .description("put what runs to its environment's gates, and write evidence; exit code 3 when something fails")
    .option("-o, --output <file>", "where the evidence is written (default: .berth/evidence/STACK.json)")
    .option("--only <deployments...>", "look at these deployments alone")
    .option("--json", "for programs")
    .action(async (stack: string | undefined, options: VerifyOptions) => {
      const { verify } = await import("../verify.js");
      process.exitCode = await verify(here(), stack, options, untilInterrupted());
    });
}

function addExplain(program: Command, { here }: Caller): void {
  program
    .command("explain <deployment>")
    .description("tell why the replicas of a deployment are where they are, and why not on other hosts")
    .option("-s, --stack <stack>", "the stack that has it")
    .option(...whatIfOptions[0])
    .option(...whatIfOptions[1])
    .option(...whatIfOptions[2])
    .option("--json", "for programs")
    .action(async (deployment: string, options: ExplainOptions) => {
      const { explain } = await import("../explain.js");
      await explain(here(), deployment, options);
    });
}

function addDrain(program: Command, { here }: Caller): void {
  program
    .command("drain <host>")
    .description("write into the stack file that a host takes no replicas, and tell which ones go where")
    .option("-s, --stack <stack>", "the stack that has it")
    .option("--undo", "let it take replicas again")
    .action(async (host: string, options: DrainOptions) => {
      const { drain } = await import("../drain.js");
      await drain(here(), host, options);
    });
}
