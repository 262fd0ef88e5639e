/**
 * What clients ask on a host: a HAProxy that the host's supervisor keeps alive. Which runner answers behind it is no
 * input: instances switch it when they are verified. It goes on with what serves when it starts again.
 */
import { posix } from "node:path";

import { z } from "zod";

import { listEntries } from "../host/journal.js";
import { dataPaths } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { gatewayPaths, haproxyArguments } from "../runtime/haproxy-configuration.js";
import { execFile, execPath, readOutput } from "../runtime/runner-files.js";
import { runtimes, type RunnerDefinition, type RunnerSpec } from "../runtime/supervisor.js";
import { commonInputs } from "./common.js";
import { hostChange } from "./host-change.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";

export const gatewayInputs = z.strictObject({
  ...commonInputs,
  haproxy: z.string().regex(/^\//).describe("HAProxy's executable on the host"),
  runtime: z.string().describe("What keeps it alive"),
});

export type GatewayInputs = z.output<typeof gatewayInputs>;

const kindName = "Gateway";
const startSeconds = 10;
const stopSeconds = 5;
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export const gatewayKind: ResourceKind<GatewayInputs, CommonObserved> = {
  kind: kindName,
  inputs: gatewayInputs,
  differences: {
    name: { change: "replace", reason: "another gateway" },
    owner: { change: "replace", reason: "another owner" },
    host: hostChange("replace"),
    haproxy: { change: "update", reason: "it is started again: nothing answers for a moment" },
    runtime: { change: "update", reason: "another supervisor starts it again: nothing answers for a moment" },
  },
  uses: ({ owner }) => posix.join("gateways", owner),
  secrets: () => [],

  async observe(context, inputs) {
    return { drift: await findDrift(context, inputs) };
  },

  async converge(context, operation, inputs) {
    if ((await findDrift(context, inputs)).length === 0) return;
    const gateway = context.gateway(inputs.owner);
    const supervisor = context.supervisor(inputs.runtime);
    const spec = specOf(context, inputs);
    await operation.step("prepare the gateway's files", () => gateway.prepare());
    if ((await findProcessDrift(context, inputs)).length > 0) {
      await operation.step("start the gateway", async () => {
        for (const runtime of runtimes) if (runtime !== inputs.runtime) await context.supervisor(runtime).remove(spec);
        await supervisor.prepare();
        await supervisor.start(spec);
        if (!(await gateway.awaitAnswer())) throw await notUp(context, inputs);
      });
    }
    if (!(await gateway.isInStep()))
      await operation.step("bring the gateway to what its file says", () => gateway.settle());
  },

  async remove(context, operation, { owner, name }) {
    const { host, reference } = context;
    const entries = await listEntries(host, reference.dataDir);
    // A gateway that was renamed, as its host is: all that is here belongs to the new name.
    if (entries.some((entry) => entry.kind === kindName && entry.owner === owner && entry.name !== name)) return;
    const { folder, socketFolder } = gatewayPaths(reference.dataDir, owner);
    await operation.step("stop the gateway", async () => {
      for (const runtime of runtimes) {
        const supervisor = context.supervisor(runtime);
        await supervisor.remove(definitionOf(reference.dataDir, owner));
        await supervisor.retire();
      }
    });
    await operation.step("remove its files", async () => {
      await host.remove(folder);
      if (socketFolder !== folder) await host.remove(socketFolder);
      await host.removeIfEmpty(dataPaths(reference.dataDir).gateways);
    });
  },
};

/** How the supervisor knows a stack's gateway. No instance's runner has such a name: theirs end in a generation. */
function definitionOf(dataDir: string, owner: string): RunnerDefinition {
  const { folder } = gatewayPaths(dataDir, owner);
  return { id: `gateway.${sha256(owner).slice(0, 8)}`, folder, startSeconds, stopSeconds };
}

function specOf({ reference }: Context, { owner, haproxy }: GatewayInputs): RunnerSpec {
  const definition = definitionOf(reference.dataDir, owner);
  const argv = haproxyArguments(haproxy, gatewayPaths(reference.dataDir, owner));
  return { ...definition, argv, environment: { PATH: searchPath, HOME: definition.folder, LANG: "C.UTF-8" } };
}

async function findDrift(context: Context, inputs: GatewayInputs): Promise<string[]> {
  const gateway = context.gateway(inputs.owner);
  const drift = await findProcessDrift(context, inputs);
  if (!(await gateway.isAsWritten())) drift.push("its configuration is gone or was changed");
  else if (drift.length === 0 && !(await gateway.isInStep())) drift.push("it does not serve as its file says");
  return drift;
}

async function findProcessDrift(context: Context, inputs: GatewayInputs): Promise<string[]> {
  const spec = specOf(context, inputs);
  const { state, asDefined } = await context.supervisor(inputs.runtime).observe(spec);
  if (state.kind !== "running") return [state.kind === "stopped" ? `is stopped (${state.reason})` : "does not run"];
  const started = await context.host.readText(execPath(spec.folder));
  return asDefined && started === execFile(spec) ? [] : ["what it is started from was changed"];
}

async function notUp({ host, reference }: Context, { owner, name }: GatewayInputs): Promise<BerthError> {
  return new BerthError("runner-failed", {
    where: `host ${host.name}: ${name}`,
    what: "the gateway was started and does not answer",
    expected: "an answer from the master of HAProxy",
    detail: await readOutput(host, gatewayPaths(reference.dataDir, owner).folder, 20),
  });
}
