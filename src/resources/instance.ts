/**
 * One replica of a deployment, run by a supervised process. "Created" and "updated" mean that it answered a real
 * request, and went on doing so. An update that does not get there brings the old runner back.
 */
import { isProven, probe, reasonOf } from "../health/probe.js";
import { instanceKey } from "../host/claims.js";
import { execFile, execPath } from "../runtime/runner-files.js";
import { isAlive, type RunnerObservation, type RunnerSpec } from "../runtime/supervisor.js";
import type { UsedMemory } from "../schema/placement.js";
import { assertAdoptable, replaceForeign } from "./instance-adoption.js";
import { claimWanted, keepClaims } from "./instance-claims.js";
import { bootDrift, deviceDrift } from "./instance-devices.js";
import { findGenerations, instanceFolder, listGenerations, readRecord, type InstanceRecord } from "./instance-files.js";
import { deriveStrategy, instanceDifferences, instanceInputs, type InstanceInputs } from "./instance-inputs.js";
import { choosePort, planInstance, type Generation, type SeenGeneration } from "./instance-plan.js";
import {
  askedAt,
  desiredGeneration,
  desiredRunner,
  endpointOf,
  probeTarget,
  runnerDefinition,
} from "./instance-runner.js";
import { assertPossible } from "./instance-preconditions.js";
import { removeInstance } from "./instance-removal.js";
import { performSteps, type InstanceWork } from "./instance-steps.js";
import { findLeaving, removeLeaving } from "./instance-succession.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";

export interface InstanceObserved extends CommonObserved {
  /** Base URL for OpenAI clients. */
  readonly endpoint: string;
  /** Names what runs; empty when nothing was verified. */
  readonly generation: string;
  /** How often the runner came back by itself since it was verified. */
  readonly restarts: number;
  /** The rung of the health ladder that was reached; `busy` when it answers but had no time for a request. */
  readonly health: string;
  /** What the runner had when it was verified, so that looking again changes nothing; where that could be told. */
  readonly usedMemory?: UsedMemory | undefined;
}

/** How long one request may take when a runner is looked at. A busy one is not taken for a dead one. */
const observeRequestSeconds = 20;

export const instanceKind: ResourceKind<InstanceInputs, InstanceObserved> = {
  kind: "Instance",
  inputs: instanceInputs,
  differences: instanceDifferences,
  uses: ({ owner, name }) => instanceKey({ owner, instance: name }).uses,
  secrets: ({ secretEnv }) => Object.values(secretEnv),
  derive: deriveStrategy,

  async observe(context, inputs) {
    const endpoint = endpointOf(inputs);
    const folder = instanceFolder(context.reference.dataDir, inputs.owner, inputs.name);
    const record = await readRecord(context.host, folder);
    if (record?.current === undefined) {
      const left = await findRunning(context, inputs, folder, "");
      const drift = left.length === 0 ? "does not run" : `runs, but its record is gone: ${left.join(", ")}`;
      return { endpoint, generation: "", restarts: 0, health: "down", drift: [drift] };
    }
    const current = runnerDefinition(inputs, folder, record.current, record);
    const runner = await context.supervisor(inputs.runtime).observe(current);
    const restarts = countRestarts(runner, record);
    const { current: generation, usedMemory } = record;
    const known = { endpoint, generation, restarts, ...(usedMemory === undefined ? {} : { usedMemory }) };
    const drift = [...stateDrift(runner, restarts), ...(await fileDrift(context, inputs, folder, record))];
    const others = await findRunning(context, inputs, folder, record.current);
    if (others.length > 0) drift.push(`an old runner still runs: ${others.join(", ")}`);
    drift.push(...(await gatewayDrift(context, inputs, record)));
    drift.push(...(await bootDrift(context, inputs, record.bootId)));
    if (runner.state.kind !== "running") return { ...known, health: "down", drift };

    const health = await probe(
      probeTarget(inputs),
      (request) => context.host.request(request),
      observeRequestSeconds,
      context.signal,
    );
    const busy = "busy" in health;
    if (!isProven(health) && !busy) drift.push(`is not healthy: ${context.redact(reasonOf(health))}`);
    if (isProven(health)) drift.push(...(await deviceDrift(context, inputs, runner.state.pid)));
    return { ...known, health: busy ? "busy" : health.level, drift };
  },

  async converge(context, operation, inputs) {
    const work = await prepareWork(context, inputs);
    const replaced = await assertAdoptable(work, operation);
    await keepClaims(work, operation, async () => {
      const leaving = await findLeaving(work);
      await assertPossible(work, { replaced, leaving });
      await removeLeaving(work, operation, leaving);
      await claimWanted(work, operation);
      await replaceForeign(work, operation, replaced, () =>
        performSteps(work, operation, planInstance(work.desired, work.seen, work.port)),
      );
    });
  },

  remove: removeInstance,
};

/** What is to be run, and what was seen of what is. */
async function prepareWork(context: Context, inputs: InstanceInputs): Promise<InstanceWork> {
  const { host, reference, newId } = context;
  const folder = instanceFolder(reference.dataDir, inputs.owner, inputs.name);
  const record = (await readRecord(host, folder)) ?? { schemaVersion: 1, salt: newId(), restarts: 0, pid: 0 };
  const { current, ports = {} } = record;
  const { owner, slots } = inputs;
  const isServed = slots !== undefined || Object.keys(ports).length > 0;
  const active = isServed ? await context.gateway(owner).activePort(askedAt(inputs)) : undefined;
  const desired = desiredGeneration(inputs, folder, record.salt);
  const port = slots === undefined ? undefined : choosePort(slots, desired, { current, ports, active });
  const spec = desiredRunner(inputs, folder, record.salt, port);
  const generations = await look(context, inputs, folder, record, spec);
  return { context, inputs, folder, record, spec, desired, port, seen: { current, generations, active } };
}

async function look(
  context: Context,
  inputs: InstanceInputs,
  folder: string,
  record: InstanceRecord,
  spec: RunnerSpec & { generation: Generation },
): Promise<SeenGeneration[]> {
  const supervisor = context.supervisor(inputs.runtime);
  return Promise.all(
    (await findGenerations(context.host, folder, [supervisor])).map(async (generation) => {
      const desired = generation === spec.generation;
      const definition = runnerDefinition(inputs, folder, generation, record);
      const { state, asDefined } = await supervisor.observe(definition);
      const started = await context.host.readText(execPath(definition.folder));
      const works = asDefined && state.kind !== "paused" && state.kind !== "restarting";
      const intact = works && (!desired || started === execFile(spec));
      return { generation, running: isAlive(state), intact, port: record.ports?.[generation] };
    }),
  );
}

function countRestarts({ state, restarts }: RunnerObservation, record: InstanceRecord): number {
  const replaced = state.kind === "running" && state.pid !== record.pid ? 1 : 0;
  return Math.max(restarts - record.restarts, replaced);
}

function stateDrift({ state, asDefined, changes = [] }: RunnerObservation, restarts: number): string[] {
  switch (state.kind) {
    case "unsupervised":
      return ["its supervisor does not run"];
    case "absent":
      return ["its runner is gone from the supervisor", ...changes];
    case "paused":
      return ["its runner is paused"];
    case "restarting":
      return [`its runner ends again and again (${state.reason})`];
    case "stopped":
      return [`its runner is stopped (${state.reason})`];
    case "running":
      return [
        ...(restarts > 0
          ? [`its runner came back ${restarts === 1 ? "once" : `${restarts} times`} since it was verified`]
          : []),
        ...changes.map((field) => `its container was changed: ${field}`),
        ...(asDefined || changes.length > 0 ? [] : ["its definition in the supervisor was changed"]),
      ];
  }
}

async function fileDrift(
  context: Context,
  inputs: InstanceInputs,
  folder: string,
  record: InstanceRecord,
): Promise<string[]> {
  const spec = desiredRunner(inputs, folder, record.salt, record.ports?.[record.current ?? ""]);
  if (record.current !== spec.generation) return ["runs with other inputs than these"];
  const started = await context.host.readText(execPath(spec.folder));
  return started === execFile(spec) ? [] : ["the file it is started from was changed"];
}

/** Whether requests get to the runner that is recorded, and by the way that the inputs ask for. */
async function gatewayDrift(
  context: Context,
  inputs: InstanceInputs,
  { current = "", ports = {} }: InstanceRecord,
): Promise<string[]> {
  const port = ports[current];
  if (inputs.slots === undefined || port === undefined) return [];
  const active = await context.gateway(inputs.owner).activePort(askedAt(inputs));
  return active === port ? [] : ["the gateway does not send requests to its runner"];
}

async function findRunning(
  context: Context,
  inputs: InstanceInputs,
  folder: string,
  current: Generation,
): Promise<string[]> {
  const supervisor = context.supervisor(inputs.runtime);
  const generations = await listGenerations(context.host, folder, [supervisor]);
  const others = generations.filter((generation) => generation !== current);
  const states = await Promise.all(
    others.map((generation) => supervisor.observe(runnerDefinition(inputs, folder, generation, undefined))),
  );
  return others.filter((_, index) => {
    const state = states[index]?.state;
    return state !== undefined && isAlive(state);
  });
}
