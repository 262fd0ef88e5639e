import { Option, type Command } from "commander";

import { needFormats } from "../arguments.js";
import type { ImagesOptions } from "../images.js";
import type { Caller } from "./caller.js";

/** Verbs of hosts without a route to where things come from: what a lock needs, and how it gets there. */
export function addBundleVerbs(program: Command, caller: Caller): void {
  addImages(program, caller);
}

function addImages(program: Command, { here }: Caller): void {
  program
    .command("images")
    .description("list the container images that a lock needs, with their digests and sizes")
    .option("-s, --stack <stack>", "the stack whose lock is meant")
    .option("--all", "archives, packages and model files too")
    .addOption(new Option("--format <format>", "how they are printed").choices(needFormats).default("table"))
    .action(async (options: ImagesOptions) => {
      const { printNeeds } = await import("../images.js");
      await printNeeds(here(), options);
    });
}
