import { Option, type Command } from "commander";

import { buildFormats, collect, runnerPlatforms } from "../arguments.js";
import type { RunnerBuildOptions } from "../runner-build.js";
import type { RunnerLintOptions } from "../runner-lint.js";
import type { RunnerPlanOptions } from "../runner-plan.js";
import type { RunnerReleaseOptions } from "../runner-release.js";
import type { Caller } from "./caller.js";

/** Verbs that make runner images. */
export function addRunnerBuildVerbs(runner: Command, caller: Caller): void {
  addLint(runner, caller);
  addPlan(runner, caller);
  addBuild(runner, caller);
  addRelease(runner, caller);
}

function addLint(runner: Command, { here }: Caller): void {
  runner
    .command("lint [files...]")
    .description("tell where Dockerfiles of runner images do not follow the convention; exit code 1 when somewhere")
    .addOption(new Option("--format <format>", "how it is printed").choices(buildFormats).default("table"))
    .action(async (files: string[], options: RunnerLintOptions) => {
      const { lintRunners } = await import("../runner-lint.js");
      process.exitCode = lintRunners(here(), files, options);
    });
}

function addPlan(runner: Command, { here }: Caller): void {
  addChoice(runner.command("plan"))
    .option("--namespace <namespace>", "namespace of the images", "gpustack")
    .description("show the images that matrices say are built, in their order")
    .option("--release", "with the tags that they are released under")
    .addOption(new Option("--format <format>", "how it is printed").choices(buildFormats).default("table"))
    .action(async (options: RunnerPlanOptions) => {
      const { printBuilds } = await import("../runner-plan.js");
      printBuilds(here(), options);
    });
}

function addBuild(runner: Command, { here }: Caller): void {
  addChoice(runner.command("build"))
    .requiredOption("--namespace <namespace>", "namespace that images are pushed to")
    .description("build runner images on this machine's Docker Engine and push them, those of all platforms as -dev")
    .option("--force", "build also what the registry has of the same inputs, without caches")
    .addOption(new Option("--format <format>", "how it is printed").choices(buildFormats).default("table"))
    .action(async (options: RunnerBuildOptions) => {
      const { buildRunners } = await import("../runner-build.js");
      await buildRunners(here(), options);
    });
}

function addRelease(runner: Command, { here }: Caller): void {
  addChoice(runner.command("release"))
    .requiredOption("--namespace <namespace>", "namespace of the images")
    .description("give images that were tested their tags without -dev, and the catalogue their digests")
    .option("--digest <digest>", "the one image must be this one: what was tested")
    .option("--replace", "move tags too that lead to another image already")
    .action(async (options: RunnerReleaseOptions) => {
      const { releaseRunners } = await import("../runner-release.js");
      await releaseRunners(here(), options);
    });
}

function addChoice(command: Command): Command {
  return command
    .option("--accelerator <type>", "this accelerator type alone, such as cuda")
    .option("--service <service>", "this service alone, and what its images are made from")
    .option("--tag <tag>", "this tag alone, or those that begin so, by components: cann8.5-a3")
    .addOption(new Option("--platform <platform>", "this platform alone").choices(runnerPlatforms))
    .option("--arg <name=value>", "an argument in the place of the matrices' and Dockerfiles'; once for each", collect)
    .option("--registry <registry>", "registry that images are pushed to, before their namespace");
}
