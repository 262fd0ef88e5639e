import { Option, type Command } from "commander";

import { runnerPlatforms } from "../arguments.js";
import type { RunnerImportOptions } from "../runner-import.js";
import type { IngestBackendOptions, IngestServiceOptions } from "../runner-ingest.js";
import type { Caller } from "./caller.js";

/** Verbs that change the catalogue of runner images. */
export function addRunnerCatalogueVerbs(runner: Command, caller: Caller): void {
  addImport(runner, caller);
  const ingest = runner.command("ingest").description("write what a new accelerator type or service begins with");
  addIngestBackend(ingest, caller);
  addIngestService(ingest, caller);
}

function addIngestBackend(ingest: Command, { here }: Caller): void {
  addImageOptions(ingest.command("backend <type>"))
    .description("an accelerator type: its file of images, a Dockerfile and a build matrix")
    .requiredOption("--service <service>", "its first service")
    .requiredOption("--runtime-version <version>", "whole version of the vendor's runtime, such as 12.9.1")
    .option("--name <name>", "name for people. Default: as the type")
    .option("--vendor <vendor>", "vendor of the devices. Default: as the type")
    .option("--device <device>", "what the devices are called")
    .action(async (type: string, options: IngestBackendOptions) => {
      const { ingestBackend } = await import("../runner-ingest.js");
      await ingestBackend(here(), type, options);
    });
}

function addIngestService(ingest: Command, { here }: Caller): void {
  addImageOptions(ingest.command("service <service>"))
    .description("a service of an accelerator type: in its file, with a Dockerfile and a rule of the build matrix")
    .requiredOption("--backend <type>", "the accelerator type")
    .option("--runtime-version <version>", "whole version of the vendor's runtime. Default: the newest that there is")
    .action(async (service: string, options: IngestServiceOptions) => {
      const { ingestService } = await import("../runner-ingest.js");
      await ingestService(here(), service, options);
    });
}

function addImageOptions(command: Command): Command {
  return command
    .requiredOption("--service-version <version>", "version of the service")
    .option("--service-name <name>", "name of the service for people")
    .addOption(
      new Option("--platform <platforms...>", "platforms of an image that there is already").choices(runnerPlatforms),
    );
}

function addImport(runner: Command, { here }: Caller): void {
  runner
    .command("import <file>")
    .description("show what a release of GPUStack's images (its runner.py.json) adds to the catalogue, and changes")
    .option("--write", "write it into backends/runners of the project")
    .action(async (file: string, options: RunnerImportOptions) => {
      const { importRunners } = await import("../runner-import.js");
      await importRunners(here(), file, options);
    });
}
