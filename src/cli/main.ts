import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Command, CommanderError, Option } from "commander";

import { BerthError } from "../lib/errors.js";
import { cacheTypes } from "../model/gguf-types.js";
import { printableLines } from "../lib/printable.js";
import { addVersion, type AddVersionOptions } from "./add-version.js";
import { initCi, type CiOptions } from "./ci-init.js";
import { collect, parseCount, parsePart, parseSize, parseSplit } from "./arguments.js";
import { importBackend, type ImportOptions } from "./backend-import.js";
import { lintBackends } from "./backend-lint.js";
import { listBackends, showBackend, type ShowOptions } from "./backend-show.js";
import { diff, type DiffOptions } from "./diff.js";
import { doctor, type DoctorOptions } from "./doctor.js";
import { drain, type DrainOptions } from "./drain.js";
import { printEnvironment } from "./env.js";
import { estimate, type EstimateOptions } from "./estimate.js";
import { explain, type ExplainOptions } from "./explain.js";
import { facts, type FactsOptions } from "./facts.js";
import { history, type HistoryOptions } from "./history.js";
import { forgetHost } from "./host-forget.js";
import { collectGarbage, type GcOptions } from "./gc.js";
import { importGpustack, type GpustackOptions } from "./import-gpustack.js";
import { lock, type LockOptions } from "./lock.js";
import { logs, type LogsOptions } from "./logs.js";
import { models, type ModelsOptions } from "./models.js";
import { evictModels, type EvictOptions } from "./models-evict.js";
import { pinnedMethods } from "./pin-version.js";
import { plan, planFormats, type PlanOptions } from "./plan.js";
import { promote, type PromoteOptions } from "./promote.js";
import { quickstart, type QuickstartOptions } from "./quickstart.js";
import { recover } from "./recover.js";
import { rollback, type RollbackOptions } from "./rollback.js";
import { printSchema } from "./schema.js";
import { status } from "./status.js";
import { proveStatus } from "./status-proof.js";
import { up, type UpOptions } from "./up.js";
import { verify, type VerifyOptions } from "./verify.js";
import { whatIfOptions } from "./what-if.js";
import { findRoot, openWorkplace, packageRoot, type Workplace } from "./workplace.js";

function here(): Workplace {
  return workplaceAt(findRoot(process.cwd()));
}

function workplaceAt(root: string): Workplace {
  return openWorkplace({
    environment: process.env,
    root,
    out: (text) => process.stdout.write(`${text}\n`),
    err: (text) => process.stderr.write(`${text}\n`),
  });
}

/** Ends a command that follows something when the user is done with it. */
function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort(new BerthError("usage", { what: "interrupted" })));
  return controller.signal;
}

/**
 * Ctrl-C reaches Pulumi too, which then ends what it has begun and keeps its state in order. This process waits for
 * that; the second Ctrl-C ends both.
 */
function leaveInterruptsToPulumi(workplace: Workplace): void {
  process.once("SIGINT", () => {
    workplace.note("   interrupted: Pulumi ends the steps that have begun; Ctrl-C again stops it at once");
    process.once("SIGINT", () => process.exit(130));
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

program
  .command("lock [stack]")
  .description("solve a stack file and write its lock")
  .option("--check", "tell whether the lock holds, and write nothing; exit code 2 when it does not")
  .option("--update <deployments...>", "choose versions and artifacts of these deployments anew")
  .option("--upgrade", "choose those of all deployments anew, and the commits of models' revisions")
  .option("--offline", "ask nobody but the hosts; refuse what is not known")
  .option("--upgrade-models", "take the commits that models' revisions are now, not those of the lock before")
  .action(async (stack: string | undefined, options: LockOptions) => {
    process.exitCode = await lock(here(), stack, options);
  });

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
    process.exitCode = await plan(here(), stack, options);
  });

program
  .command("up [stack]")
  .description("run `pulumi up`; with --host for these hosts alone. What comes after `--` is for Pulumi")
  .option("--host <hosts...>", "change these hosts, and leave everything else as it is")
  .action(async (stack: string | undefined, options: UpOptions) => {
    const workplace = here();
    leaveInterruptsToPulumi(workplace);
    process.exitCode = await up(workplace, stack, options, passed);
  });

program
  .command("status [stack]")
  .description("show what is wanted beside what is there")
  .option("--proof", "compare the processes, containers and files themselves with the lock; exit code 1 unless all fit")
  .option("--json", "for programs")
  .action(async (stack: string | undefined, options: { proof?: boolean; json?: boolean }) => {
    if (options.proof === true) process.exitCode = await proveStatus(here(), stack, options);
    else await status(here(), stack, options);
  });

program
  .command("verify [stack]")
  .description("put what runs to its environment's gates, and write evidence; exit code 3 when something fails")
  .option("-o, --output <file>", "where the evidence is written (default: .berth/evidence/STACK.json)")
  .option("--only <deployments...>", "look at these deployments alone")
  .option("--json", "for programs")
  .action(async (stack: string | undefined, options: VerifyOptions) => {
    process.exitCode = await verify(here(), stack, options, untilInterrupted());
  });

program
  .command("explain <deployment>")
  .description("tell why the replicas of a deployment are where they are, and why not on other hosts")
  .option("-s, --stack <stack>", "the stack that has it")
  .option(...whatIfOptions[0])
  .option(...whatIfOptions[1])
  .option(...whatIfOptions[2])
  .option("--json", "for programs")
  .action((deployment: string, options: ExplainOptions) => explain(here(), deployment, options));

program
  .command("drain <host>")
  .description("write into the stack file that a host takes no replicas, and tell which ones go where")
  .option("-s, --stack <stack>", "the stack that has it")
  .option("--undo", "let it take replicas again")
  .action((host: string, options: DrainOptions) => drain(here(), host, options));

program
  .command("facts [hosts...]")
  .description("show what is known of the hosts: system, Python, container engine, accelerators and who uses them")
  .option("-s, --stack <stack>", "the stack whose hosts are meant")
  .option("--json", "for programs")
  .action((hosts: string[], options: FactsOptions) => facts(here(), hosts, options));

program
  .command("estimate <model>")
  .description("tell how much memory a GGUF file, a model's folder or a repository of the Hub (OWNER/NAME) takes")
  .option("-c, --context <tokens>", "tokens that a text may have (default: 8192, or the model's own)", parseSize)
  .option("--parallel <count>", "texts at once", parseSize)
  .option("--batch <tokens>", "tokens of one step", parseSize)
  .option("--layers <count>", "llama.cpp: layers on devices (default: all)", parseCount)
  .option("--split <shares>", "llama.cpp: shares of the devices, such as 1 for one and 3,1 for two", parseSplit)
  .option("--rpc", "llama.cpp: the devices are RPC servers")
  .option("--no-flash-attention", "llama.cpp: without flash attention")
  .addOption(new Option("--cache-type-k <type>", "llama.cpp: type of cached keys").choices(cacheTypes))
  .addOption(new Option("--cache-type-v <type>", "llama.cpp: type of cached values").choices(cacheTypes))
  .option("--experts-on-host <layers>", "llama.cpp: experts of the first so many layers stay on the host", parseCount)
  .option("--no-mmap", "llama.cpp: the file is not mapped")
  .option("--mmproj <file>", "llama.cpp: the projector of a file that is here")
  .option("--tp <count>", "vLLM: tensor parallel size", parseSize)
  .option("--pp <count>", "vLLM: pipeline parallel size", parseSize)
  .option("--device-memory <GiB>", "vLLM: memory of a device, to tell what is left for the cache", parsePart)
  .option("--utilization <part>", "vLLM: the part of a device that it may have (default: 0.9)", parsePart)
  .option("--cache-fp8", "vLLM: a cache of 8 bits")
  .option("--files <pattern>", "which files of a repository; may be given several times", collect)
  .option("--revision <revision>", "branch, tag or commit of a repository")
  .option("--endpoint <address>", "address of a mirror of the Hub")
  .option("--json", "for programs")
  .action((model: string, options: EstimateOptions) => estimate(workplaceAt(process.cwd()), model, options));

const listing = program
  .command("models [host]")
  .description("list the models that lie on a stack's hosts, with their sizes and who uses them")
  .option("-s, --stack <stack>", "the stack")
  .option("--json", "for programs")
  .action((host: string | undefined, options: ModelsOptions) => models(here(), host, options));

listing
  .command("evict [host]")
  .description(
    "remove models from the hosts' caches that no stack has there and no lock wants; shows them, unless --yes",
  )
  .option("-s, --stack <stack>", "the stack")
  .option("--yes", "remove them")
  .action((host: string | undefined, options: EvictOptions) => evictModels(here(), host, options));

program
  .command("gc [stack]")
  .description("show what a stack's hosts hold that no stack has and no lock wants; remove it with --yes")
  .option("--host <name>", "this host alone")
  .option("--yes", "remove it")
  .option("--json", "for programs")
  .action((stack: string | undefined, options: GcOptions) => collectGarbage(here(), stack, options));

program
  .command("logs <deployment>")
  .description("print what the runners of a deployment wrote")
  .option("-s, --stack <stack>", "the stack")
  .option("-f, --follow", "go on as more comes")
  .option("-n, --lines <count>", "so many lines from the end", parseCount, 50)
  .action((deployment: string, options: LogsOptions) => logs(here(), deployment, options, untilInterrupted()));

program
  .command("doctor [stack]")
  .description("tell what this machine and a stack's hosts have and lack, with what mends each")
  .option("--host <name>", "look at this host alone; may be given several times", collect)
  .option("--data-dir <folder>", "data directory to look at, instead of the stack's")
  .option("--json", "for programs")
  .action((stack: string | undefined, options: DoctorOptions) => doctor(here(), stack, options));

program
  .command("recover [stack]")
  .description(
    "after a kill: unlock the state if its holder is dead, look at what is there, clear interrupted operations",
  )
  .action((stack: string | undefined) => recover(here(), stack));

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
    process.exitCode = await promote(here(), from, to, options, untilInterrupted());
  });

program
  .command("rollback [environment]")
  .description("give an environment what it had before its last promotion; hosts keep it, so nothing is downloaded")
  .option("--to <bundle>", "the id of an earlier bundle, or its beginning")
  .option("--dry-run", "do all but write")
  .option("--json", "for programs")
  .action(async (environment: string | undefined, options: RollbackOptions) => {
    process.exitCode = await rollback(here(), environment, options, untilInterrupted());
  });

program
  .command("history [environment]")
  .description("list what was promoted to an environment and rolled back in it, and what of that it has now")
  .option("--json", "for programs")
  .action((environment: string | undefined, options: HistoryOptions) => history(here(), environment, options));

program
  .command("diff <environment> <other>")
  .description("show how the locks of two environments differ: what a promotion moves, and what is each one's own")
  .option("--json", "for programs")
  .action((left: string, right: string, options: DiffOptions) => diff(here(), left, right, options));

program
  .command("env")
  .description('print what prepares a shell for Pulumi: eval "$(npx berth env)"')
  .action(() => printEnvironment(here()));

program
  .command("schema [document]")
  .description("print the JSON Schema of a document: stack, environments, backend, lock, plan, evidence or promotion")
  .action((document = "stack") => printSchema(here(), document as string));

const backend = program.command("backend").description("inference engines: what there is, what it runs, what is wrong");

backend
  .command("list")
  .description("list the backends that the project can use, and how many of their versions are not pinned yet")
  .option("--json", "for programs")
  .action((options: { json?: boolean }) => listBackends(here(), options));

backend
  .command("show <name>")
  .description("show a backend's versions, how each is installed, and what an example deployment would run")
  .option("--version <version>", "this version alone")
  .option("--json", "for programs")
  .action((name: string, options: ShowOptions) => showBackend(here(), name, options));

backend
  .command("lint [files...]")
  .description("tell what is wrong with backend files: the project's, unless others are given")
  .action((files: string[]) => lintBackends(here(), files));

backend
  .command("import <source>")
  .description("write backends/NAME.yaml from a file or an address, in Berth's format or GPUStack's")
  .option("--name <name>", "another name for the backend")
  .option("--force", "replace a file that is there")
  .action((source: string, options: ImportOptions) => importBackend(here(), source, options));

backend
  .command("add-version <name> <version>")
  .description("add a version to backends/NAME.yaml, with its digests and hashes looked up")
  .addOption(new Option("--method <method>", "this way to install it alone").choices(pinnedMethods))
  .option("--like <version>", "the version that it is like")
  .action((name: string, version: string, options: AddVersionOptions) => addVersion(here(), name, version, options));

program
  .command("host")
  .description("the machines of a stack")
  .command("forget <host> [stack]")
  .description("drop a host that is gone for good from the state; it is not asked, and nothing on it is touched")
  .action((host: string, stack: string | undefined) => forgetHost(here(), host, stack));

program
  .command("import")
  .description("take over what another system has")
  .command("gpustack <files...>")
  .description("write backend files and a stack file from what GPUStack's API returned, as JSON")
  .option("-o, --out <file>", "the stack file", "stacks/imported.yaml")
  .option("--force", "replace files that are there")
  .action((files: string[], options: GpustackOptions) => importGpustack(here(), files, options));

program
  .command("ci")
  .description("workflows of CI systems")
  .command("init")
  .argument("<system>", "the CI system: github")
  .description("write workflows that plan, bring up, promote and look for drift")
  .option("--stacks <names>", "the stacks by commas, in the order in which they are changed (default: all there are)")
  .option("--force", "replace files that are there")
  .action((system: string, options: CiOptions) => initCi(here(), system, options));

program
  .command("quickstart [what]")
  .description("serve a small model on this machine; `down` takes it away again")
  .option("--purge", "with down: the downloads too")
  .action((what: string | undefined, options: QuickstartOptions) => {
    const workplace = here();
    leaveInterruptsToPulumi(workplace);
    return quickstart(workplace, what, options);
  });

/** Of `up` what follows `--` is Pulumi's; commander would take it for the name of a stack. */
function splitArguments(words: readonly string[]): [own: string[], passed: string[]] {
  const end = words[0] === "up" ? words.indexOf("--") : -1;
  return end < 0 ? [[...words], []] : [words.slice(0, end), words.slice(end + 1)];
}

const [own, passed] = splitArguments(process.argv.slice(2));

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
    if (error.parts.what !== "interrupted")
      process.stderr.write(`${printableLines(`error: ${error.message} (${error.code})`)}\n`);
    // Of a plan 2 says that something is pending.
    return error.code === "usage" && own[0] !== "plan" ? 2 : 1;
  }
  process.stderr.write(
    `error: this is a bug in Berth: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 70;
}
