import { Option, type Command } from "commander";

import { benchFormats, parseConcurrency, parseSize } from "../arguments.js";
import type { BenchOptions } from "../bench.js";
import type { ChatOptions } from "../chat.js";
import type { MetricsOptions } from "../metrics.js";
import { interruption, untilInterrupted } from "../interrupts.js";
import type { Caller } from "./caller.js";

/** Verbs for those who use what is deployed: its clients, and those who watch it. */
export function addClientVerbs(program: Command, caller: Caller): void {
  addChat(program, caller);
  addBench(program, caller);
  addMetrics(program, caller);
}

function addChat(program: Command, { here }: Caller): void {
  addChoice(program.command("chat [deployment]"))
    .description("talk to a deployment, by the stack's gateway where there is one; exit code 130 after Ctrl-C")
    .option("--system <text>", "what the model is told before the conversation")
    .option("--message <text>", "ask this alone, instead of what is typed or piped in")
    .option("--max-tokens <number>", "most tokens of an answer. Default: as the engine says", parseSize)
    .option("--json", "for programs: each answer as one line")
    .action(async (deployment: string | undefined, options: ChatOptions) => {
      const { chat } = await import("../chat.js");
      const { stdin, stdout } = process;
      const isPerson = stdin.isTTY && stdout.isTTY && options.json !== true;
      await chat(here(), deployment, options, { input: stdin, output: stdout, isPerson, interrupt: interruption() });
    });
}

function addBench(program: Command, { here }: Caller): void {
  addChoice(program.command("bench <deployment>"))
    .description(
      "measure a deployment's time to the first token, tokens a second and latency under load; exit code 1 when nothing was answered",
    )
    .option("--concurrency <numbers>", "requests at a time, one measurement for each number", parseConcurrency, [1, 4])
    .option("--requests <number>", "requests of each measurement", parseSize, 32)
    .option("--prompt-tokens <number>", "about so many tokens of each prompt", parseSize, 128)
    .option("--output-tokens <number>", "most tokens of each answer", parseSize, 128)
    .option("--ignore-end", "ask engines to go on to that many (vLLM, SGLang and llama.cpp do)")
    .addOption(new Option("--format <format>", "how it is printed").choices(benchFormats).default("table"))
    .action(async (deployment: string, options: BenchOptions) => {
      const { bench } = await import("../bench.js");
      process.exitCode = await bench(here(), deployment, options, untilInterrupted());
    });
}

function addMetrics(program: Command, { here }: Caller): void {
  program
    .command("metrics")
    .description("tell Prometheus what to scrape of a stack (its file_sd), and with --out when to raise an alarm")
    .option("-s, --stack <stack>", "the stack")
    .option("--out <folder>", "write STACK.targets.json and berth.rules.yaml there")
    .option("--from <host>", "the host that Prometheus runs on. Default: this machine")
    .option("--exporters", "hosts have node_exporter and their vendor's exporter of devices, at their usual ports")
    .action(async (options: MetricsOptions) => {
      const { metrics } = await import("../metrics.js");
      await metrics(here(), options);
    });
}

function addChoice(command: Command): Command {
  return command
    .option("-s, --stack <stack>", "the stack that has it")
    .option("--model <name>", "the name to ask the gateway for, such as an alias")
    .option("--key <name>", "which of the gateway's keys")
    .option("--direct", "ask the instances themselves, not the gateway")
    .option("--url <url>", "ask this address from this machine, such as https://models.example");
}
