import { Option, type Command } from "commander";

import type { AddVersionOptions } from "../add-version.js";
import { pinnedMethods } from "../arguments.js";
import type { ImportOptions } from "../backend-import.js";
import type { ShowOptions } from "../backend-show.js";
import type { Caller } from "./caller.js";

/** Verbs of shells and of documents: what Pulumi needs, schemas, backend files. */
export function addDocumentVerbs(program: Command, caller: Caller): void {
  addEnv(program, caller);
  addSchema(program, caller);
  const backend = addBackend(program);
  addList(backend, caller);
  addShow(backend, caller);
  addLint(backend, caller);
  addBackendImport(backend, caller);
  addAddVersion(backend, caller);
}

function addEnv(program: Command, { here }: Caller): void {
  program
    .command("env")
    .description('print what prepares a shell for Pulumi: eval "$(npx berth env)"')
    .action(async () => {
      const { printEnvironment } = await import("../env.js");
      await printEnvironment(here());
    });
}

function addSchema(program: Command, { here }: Caller): void {
  program
    .command("schema [document]")
    .description(
      "print the JSON Schema of a document: stack, environments, backend, runner, runner-matrix, lock, plan, evidence or promotion",
    )
    .action(async (document = "stack") => {
      const { printSchema } = await import("../schema.js");
      printSchema(here(), document as string);
    });
}

function addBackend(program: Command): Command {
  return program.command("backend").description("inference engines: what there is, what it runs, what is wrong");
}

function addList(backend: Command, { here }: Caller): void {
  backend
    .command("list")
    .description("list the backends that the project can use, and how many of their versions are not pinned yet")
    .option("--json", "for programs")
    .action(async (options: { json?: boolean }) => {
      const { listBackends } = await import("../backend-show.js");
      listBackends(here(), options);
    });
}

function addShow(backend: Command, { here }: Caller): void {
  backend
    .command("show <name>")
    .description("show a backend's versions, how each is installed, and what an example deployment would run")
    .option("--version <version>", "this version alone")
    .option("--json", "for programs")
    .action(async (name: string, options: ShowOptions) => {
      const { showBackend } = await import("../backend-show.js");
      showBackend(here(), name, options);
    });
}

function addLint(backend: Command, { here }: Caller): void {
  backend
    .command("lint [files...]")
    .description("tell what is wrong with backend files: the project's, unless others are given")
    .action(async (files: string[]) => {
      const { lintBackends } = await import("../backend-lint.js");
      lintBackends(here(), files);
    });
}

function addBackendImport(backend: Command, { here }: Caller): void {
  backend
    .command("import <source>")
    .description("write backends/NAME.yaml from a file or an address, in Berth's format or GPUStack's")
    .option("--name <name>", "another name for the backend")
    .option("--force", "replace a file that is there")
    .action(async (source: string, options: ImportOptions) => {
      const { importBackend } = await import("../backend-import.js");
      await importBackend(here(), source, options);
    });
}

function addAddVersion(backend: Command, { here }: Caller): void {
  backend
    .command("add-version <name> <version>")
    .description("add a version to backends/NAME.yaml, with its digests and hashes looked up")
    .addOption(new Option("--method <method>", "this way to install it alone").choices(pinnedMethods))
    .option("--like <version>", "the version that it is like")
    .action(async (name: string, version: string, options: AddVersionOptions) => {
      const { addVersion } = await import("../add-version.js");
      await addVersion(here(), name, version, options);
    });
}
