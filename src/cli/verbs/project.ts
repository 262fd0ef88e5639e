import type { Command } from "commander";

import type { CiOptions } from "../ci-init.js";
import type { GpustackOptions } from "../import-gpustack.js";
import { leaveInterruptsToPulumi } from "../interrupts.js";
import type { QuickstartOptions } from "../quickstart.js";
import type { Caller } from "./caller.js";

/** Verbs of whole projects: what is gone for good, what comes from elsewhere, where it begins. */
export function addProjectVerbs(program: Command, caller: Caller): void {
  addHost(program, caller);
  addImport(program, caller);
  addCi(program, caller);
  addQuickstart(program, caller);
}

function addHost(program: Command, { here }: Caller): void {
  program
    .command("host")
    .description("the machines of a stack")
    .command("forget <host> [stack]")
    .description("drop a host that is gone for good from the state; it is not asked, and nothing on it is touched")
    .action(async (host: string, stack: string | undefined) => {
      const { forgetHost } = await import("../host-forget.js");
      await forgetHost(here(), host, stack);
    });
}

function addImport(program: Command, { here }: Caller): void {
  program
    .command("import")
    .description("take over what another system has")
    .command("gpustack <files...>")
    .description("write backend files and a stack file from what GPUStack's API returned, as JSON")
    .option("-o, --out <file>", "the stack file", "stacks/imported.yaml")
    .option("--force", "replace files that are there")
    .action(async (files: string[], options: GpustackOptions) => {
      const { importGpustack } = await import("../import-gpustack.js");
      await importGpustack(here(), files, options);
    });
}

function addCi(program: Command, { here }: Caller): void {
  program
    .command("ci")
    .description("workflows of CI systems")
    .command("init")
    .argument("<system>", "the CI system: github")
    .description("write workflows that plan, bring up, promote and look for drift")
    .option("--stacks <names>", "the stacks by commas, in the order in which they are changed (default: all there are)")
    .option("--force", "replace files that are there")
    .action(async (system: string, options: CiOptions) => {
      const { initCi } = await import("../ci-init.js");
      await initCi(here(), system, options);
    });
}

function addQuickstart(program: Command, { here }: Caller): void {
  program
    .command("quickstart [what]")
    .description("serve a small model on this machine; `down` takes it away again")
    .option("--purge", "with down: the downloads too")
    .action(async (what: string | undefined, options: QuickstartOptions) => {
      const { quickstart } = await import("../quickstart.js");
      const workplace = here();
      leaveInterruptsToPulumi(workplace);
      await quickstart(workplace, what, options);
    });
}
