/**
 * The gateway of a stack that routes by model, on one of its hosts: a HAProxy that the host's supervisor keeps alive. It
 * knows the replicas that there are to be before they come, and asks them when they are healthy; which names lead to them
 * is decided after they are verified, by {@link modelRoutesKind}.
 */
import { posix } from "node:path";

import { listEntries } from "../host/journal.js";
import { dataPaths } from "../host/paths.js";
import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import { haproxyArguments } from "../runtime/haproxy-configuration.js";
import { modelGatewayPaths } from "../runtime/model-gateway.js";
import { withComingServers } from "../runtime/model-gateway-settings.js";
import { execFile, execPath, readOutput } from "../runtime/runner-files.js";
import { runtimes, type RunnerDefinition, type RunnerSpec } from "../runtime/supervisor.js";
import { hostChange } from "./host-change.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";
import {
  modelGatewayInputs,
  secretsOf,
  settingsDifferences,
  settingsOf,
  type ModelGatewayInputs,
} from "./model-gateway-inputs.js";

const kindName = "ModelGateway";
const startSeconds = 10;
const stopSeconds = 5;
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export const modelGatewayKind: ResourceKind<ModelGatewayInputs, CommonObserved> = {
  kind: kindName,
  inputs: modelGatewayInputs,
  differences: {
    name: { change: "replace", reason: "another gateway" },
    owner: { change: "replace", reason: "another owner" },
    host: hostChange("replace"),
    haproxy: { change: "update", reason: "it is started again: nothing answers for a moment" },
    runtime: { change: "update", reason: "another supervisor starts it again: nothing answers for a moment" },
    ...settingsDifferences,
  },
  uses: ({ owner }) => posix.join("model-gateways", owner),
  secrets: secretsOf,

  async observe(context, inputs) {
    return { drift: await findDrift(context, inputs) };
  },

  async converge(context, operation, inputs) {
    const gateway = context.modelGateway(inputs.owner);
    const wanted = withComingServers(await gateway.settings(), settingsOf(inputs));
    if ((await findProcessDrift(context, inputs)).length > 0) {
      const supervisor = context.supervisor(inputs.runtime);
      const others = runtimes.filter((runtime) => runtime !== inputs.runtime).map(context.supervisor);
      await operation.step("prepare the gateway's files", () => gateway.prepare(wanted, inputs.haproxy));
      await operation.step("start the gateway", async () => {
        await supervisor.prepare();
        for (const spec of specsOf(context, inputs)) {
          for (const other of others) await other.remove(spec);
          if ((await findSpecDrift(context, inputs.runtime, spec)).length > 0) await supervisor.start(spec);
        }
        if (!(await gateway.awaitAnswer())) throw await notUp(context, inputs);
      });
    }
    await operation.step("tell the gateway which replicas come", () => gateway.apply(wanted, inputs.haproxy));
  },

  async remove(context, operation, { owner, name }) {
    const { host, reference } = context;
    const entries = await listEntries(host, reference.dataDir);
    // A gateway that was renamed, as its host is: all that is here belongs to the new name.
    if (entries.some((entry) => entry.kind === kindName && entry.owner === owner && entry.name !== name)) return;
    const { folder, socketFolder } = modelGatewayPaths(reference.dataDir, owner);
    await operation.step("stop the gateway", async () => {
      for (const runtime of runtimes) {
        const supervisor = context.supervisor(runtime);
        for (const definition of definitionsOf(reference.dataDir, owner)) await supervisor.remove(definition);
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

/**
 * How the supervisor knows the two processes of a stack's gateway, that for large requests first. No instance's runner
 * has such a name: theirs end in a generation.
 */
function definitionsOf(dataDir: string, owner: string): [RunnerDefinition, RunnerDefinition] {
  const { folder, largeFolder } = modelGatewayPaths(dataDir, owner);
  const suffix = sha256(owner).slice(0, 8);
  return [
    { id: `models-large.${suffix}`, folder: largeFolder, startSeconds, stopSeconds },
    { id: `models.${suffix}`, folder, startSeconds, stopSeconds },
  ];
}

function specsOf({ reference }: Context, { owner, haproxy }: ModelGatewayInputs): RunnerSpec[] {
  const { socket, largeSocket } = modelGatewayPaths(reference.dataDir, owner);
  const [large, main] = definitionsOf(reference.dataDir, owner);
  const specOf = (definition: RunnerDefinition, master: string): RunnerSpec => ({
    ...definition,
    // It runs in its folder, where its files name each other.
    argv: haproxyArguments(haproxy, { socket: master, configuration: "haproxy.cfg" }),
    environment: { PATH: searchPath, HOME: definition.folder, LANG: "C.UTF-8" },
  });
  return [specOf(large, largeSocket), specOf(main, socket)];
}

async function findDrift(context: Context, inputs: ModelGatewayInputs): Promise<string[]> {
  const gateway = context.modelGateway(inputs.owner);
  const drift = await findProcessDrift(context, inputs);
  if (!(await gateway.isAsWritten())) drift.push("its files are gone or were changed, or its certificate was");
  else if (drift.length === 0 && !(await gateway.isInStep())) drift.push("it does not serve as its files say");
  return drift;
}

async function findProcessDrift(context: Context, inputs: ModelGatewayInputs): Promise<string[]> {
  const found = await Promise.all(specsOf(context, inputs).map((spec) => findSpecDrift(context, inputs.runtime, spec)));
  return [...new Set(found.flat())];
}

async function findSpecDrift(context: Context, runtime: string, spec: RunnerSpec): Promise<string[]> {
  const { state, asDefined } = await context.supervisor(runtime).observe(spec);
  if (state.kind !== "running") return [state.kind === "stopped" ? `is stopped (${state.reason})` : "does not run"];
  const started = await context.host.readText(execPath(spec.folder));
  return asDefined && started === execFile(spec) ? [] : ["what it is started from was changed"];
}

async function notUp({ host, reference }: Context, { owner, name }: ModelGatewayInputs): Promise<BerthError> {
  return new BerthError("runner-failed", {
    where: `host ${host.name}: ${name}`,
    what: "the gateway was started and does not answer",
    expected: "an answer from the master of HAProxy",
    detail: await readOutput(host, modelGatewayPaths(reference.dataDir, owner).folder, 20),
  });
}
