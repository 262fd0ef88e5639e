import { Option, type Command } from "commander";

import { outdatedFormats, runnerFormats, runnerPlatforms, runnerPolicies } from "../arguments.js";
import type { RunnerListOptions } from "../runner-list.js";
import type { RunnerOutdatedOptions } from "../runner-outdated.js";
import type { RunnerResolveOptions } from "../runner-resolve.js";
import type { Caller } from "./caller.js";
import { addRunnerBuildVerbs } from "./runner-build.js";
import { addRunnerCatalogueVerbs } from "./runner-catalogue.js";

/** Verbs of runner images: what there is, and which of them a host is to run. */
export function addRunnerVerbs(program: Command, caller: Caller): void {
  const runner = program.command("runner").description("runner images: a service on a version of a vendor's runtime");
  addList(runner, caller);
  addResolve(runner, caller);
  addRunnerBuildVerbs(runner, caller);
  addOutdated(runner, caller);
  addRunnerCatalogueVerbs(runner, caller);
}

function addList(runner: Command, { here }: Caller): void {
  addChoice(runner.command("list"))
    .description("list runner images, newest first; versions are exact, such as 12.8, a prefix, 12.x, or a range")
    .option("--service <service>", "this service alone")
    .addOption(new Option("--platform <platform>", "those for a platform").choices(runnerPlatforms))
    .option("--deprecated", "deprecated ones too")
    .addOption(new Option("--format <format>", "how they are printed").choices(runnerFormats).default("table"))
    .action(async (options: RunnerListOptions) => {
      const { printRunners } = await import("../runner-list.js");
      printRunners(here(), options);
    });
}

function addResolve(runner: Command, { here }: Caller): void {
  addChoice(runner.command("resolve"))
    .description("tell which runner image a host is to run for a service, why, and why no other")
    .requiredOption("--host <host>", "the host")
    .requiredOption("--service <service>", "the service")
    .option("-s, --stack <stack>", "the stack whose host is meant")
    .addOption(
      new Option("--policy <policy>", "what is preferred of what can run")
        .choices(runnerPolicies)
        .default("newestRuntime"),
    )
    .option("--allow-rc", "take images made from release candidates too")
    .option("--json", "for programs")
    .action(async (options: RunnerResolveOptions) => {
      const { resolveForHost } = await import("../runner-resolve.js");
      process.exitCode = await resolveForHost(here(), options);
    });
}

function addOutdated(runner: Command, { here }: Caller): void {
  runner
    .command("outdated")
    .description(
      "tell which runner images of locks have moved under their tags, are deprecated, or have newer ones; exit code 2 when some are",
    )
    .option("-s, --stack <stack>", "the lock of this stack alone")
    .option("--offline", "ask no registry")
    .addOption(new Option("--format <format>", "how they are printed").choices(outdatedFormats).default("table"))
    .action(async (options: RunnerOutdatedOptions) => {
      const { printOutdated } = await import("../runner-outdated.js");
      process.exitCode = await printOutdated(here(), options);
    });
}

function addChoice(command: Command): Command {
  return command
    .option("--accelerator <type>", "this accelerator type alone, such as cuda")
    .option("--accelerator-version <version>", "version of the vendor's runtime")
    .option("--variant <variant>", "variant, such as 910b")
    .option("--service-version <version>", "version of the service")
    .option("--registry <registry>", "registry that images are had from, before their namespace")
    .option("--namespace <namespace>", "namespace of the images");
}
