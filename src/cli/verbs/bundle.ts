import { Option, type Command } from "commander";

import { bundlePlatforms, needFormats } from "../arguments.js";
import type { CreateOptions, PushOptions } from "../bundle.js";
import type { LoadOptions } from "../bundle-load.js";
import type { ImagesOptions } from "../images.js";
import type { Caller } from "./caller.js";

/** Verbs of hosts without a route to where things come from: what a lock needs, and how it gets there. */
export function addBundleVerbs(program: Command, caller: Caller): void {
  addImages(program, caller);
  const bundle = program
    .command("bundle")
    .description("bundles of all that a lock needs, for hosts without a route to where it comes from");
  addCreate(bundle, caller);
  addVerify(bundle, caller);
  addLoad(bundle, caller);
  addPush(bundle, caller);
}

function addCreate(bundle: Command, { here }: Caller): void {
  bundle
    .command("create")
    .description("fetch all that a lock needs into a folder; what is there is not fetched again")
    .option("-s, --stack <stack>", "the stack whose lock is meant")
    .requiredOption("--out <folder>", "where the bundle is made, or goes on")
    .addOption(
      new Option(
        "--platform <platform...>",
        "platforms of images (default: those of the hosts that need them)",
      ).choices(bundlePlatforms),
    )
    .action(async (options: CreateOptions) => {
      const { create } = await import("../bundle.js");
      await create(here(), options);
    });
}

function addVerify(bundle: Command, { here }: Caller): void {
  bundle
    .command("verify <folder>")
    .description("read all of a bundle, and name what is not as its digest says")
    .action(async (folder: string) => {
      const { verify } = await import("../bundle.js");
      await verify(here(), folder);
    });
}

function addLoad(bundle: Command, { here }: Caller): void {
  bundle
    .command("load <folder>")
    .description("bring what hosts need and lack from a bundle: images into their engines, files to where they belong")
    .option("-s, --stack <stack>", "the stack whose hosts are meant")
    .option("--host <host>", "this host alone")
    .action(async (folder: string, options: LoadOptions) => {
      const { load } = await import("../bundle-load.js");
      await load(here(), folder, options);
    });
}

function addPush(bundle: Command, { here }: Caller): void {
  bundle
    .command("push <folder>")
    .description("copy a bundle's images to a registry, by their digests; what is there is not sent")
    .requiredOption("--registry <registry>", "the registry, or a folder of it, such as registry.example.net:5000/hub")
    .option("-s, --stack <stack>", "a stack whose mirrors and logins count")
    .option("--replace", "move tags that lead to other images there")
    .action(async (folder: string, options: PushOptions) => {
      const { push } = await import("../bundle.js");
      await push(here(), folder, options);
    });
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
