import { Option, type Command } from "commander";

import { cacheTypes } from "../../model/gguf-types.js";
import { collect, parseCount, parsePart, parseSize, parseSplit } from "../arguments.js";
import type { DoctorOptions } from "../doctor.js";
import type { EstimateOptions } from "../estimate.js";
import type { FactsOptions } from "../facts.js";
import type { GcOptions } from "../gc.js";
import { untilInterrupted } from "../interrupts.js";
import type { LogsOptions } from "../logs.js";
import type { EvictOptions } from "../models-evict.js";
import type { ModelsOptions } from "../models.js";
import type { Caller } from "./caller.js";

/** Verbs of hosts: what they are, what lies and runs on them, what helps after a failure. */
export function addHostVerbs(program: Command, caller: Caller): void {
  addFacts(program, caller);
  addEstimate(program, caller);
  const listing = addModels(program, caller);
  addEvict(listing, caller);
  addGc(program, caller);
  addLogs(program, caller);
  addDoctor(program, caller);
  addRecover(program, caller);
}

function addFacts(program: Command, { here }: Caller): void {
  program
    .command("facts [hosts...]")
    .description("show what is known of the hosts: system, Python, container engine, accelerators and who uses them")
    .option("-s, --stack <stack>", "the stack whose hosts are meant")
    .option("--json", "for programs")
    .action(async (hosts: string[], options: FactsOptions) => {
      const { facts } = await import("../facts.js");
      await facts(here(), hosts, options);
    });
}

function addEstimate(program: Command, { at }: Caller): void {
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
    .action(async (model: string, options: EstimateOptions) => {
      const { estimate } = await import("../estimate.js");
      await estimate(at(process.cwd()), model, options);
    });
}

function addModels(program: Command, { here }: Caller): Command {
  return program
    .command("models [host]")
    .description("list the models that lie on a stack's hosts, with their sizes and who uses them")
    .option("-s, --stack <stack>", "the stack")
    .option("--json", "for programs")
    .action(async (host: string | undefined, options: ModelsOptions) => {
      const { models } = await import("../models.js");
      await models(here(), host, options);
    });
}

function addEvict(listing: Command, { here }: Caller): void {
  listing
    .command("evict [host]")
    .description(
      "remove models from the hosts' caches that no stack has there and no lock wants; shows them, unless --yes",
    )
    .option("-s, --stack <stack>", "the stack")
    .option("--yes", "remove them")
    .action(async (host: string | undefined, options: EvictOptions) => {
      const { evictModels } = await import("../models-evict.js");
      await evictModels(here(), host, options);
    });
}

function addGc(program: Command, { here }: Caller): void {
  program
    .command("gc [stack]")
    .description("show what a stack's hosts hold that no stack has and no lock wants; remove it with --yes")
    .option("--host <name>", "this host alone")
    .option("--yes", "remove it")
    .option("--json", "for programs")
    .action(async (stack: string | undefined, options: GcOptions) => {
      const { collectGarbage } = await import("../gc.js");
      await collectGarbage(here(), stack, options);
    });
}

function addLogs(program: Command, { here }: Caller): void {
  program
    .command("logs <deployment>")
    .description("print what the runners of a deployment wrote")
    .option("-s, --stack <stack>", "the stack")
    .option("-f, --follow", "go on as more comes")
    .option("-n, --lines <count>", "so many lines from the end", parseCount, 50)
    .action(async (deployment: string, options: LogsOptions) => {
      const { logs } = await import("../logs.js");
      await logs(here(), deployment, options, untilInterrupted());
    });
}

function addDoctor(program: Command, { here }: Caller): void {
  program
    .command("doctor [stack]")
    .description("tell what this machine and a stack's hosts have and lack, with what mends each")
    .option("--host <name>", "look at this host alone; may be given several times", collect)
    .option("--data-dir <folder>", "data directory to look at, instead of the stack's")
    .option("--json", "for programs")
    .action(async (stack: string | undefined, options: DoctorOptions) => {
      const { doctor } = await import("../doctor.js");
      await doctor(here(), stack, options);
    });
}

function addRecover(program: Command, { here }: Caller): void {
  program
    .command("recover [stack]")
    .description(
      "after a kill: unlock the state if its holder is dead, look at what is there, clear interrupted operations",
    )
    .action(async (stack: string | undefined) => {
      const { recover } = await import("../recover.js");
      await recover(here(), stack);
    });
}
