/**
 * The gateway of a stack that routes by model, on one of its hosts: a HAProxy that the host's supervisor keeps alive. It
 * knows the replicas that there are to be before they come, and asks them when they are healthy; which names lead to them
 * is decided after they are verified, by {@link modelRoutesKind}.
 */
import { posix } from "node:path";

import { sha256 } from "../lib/canonical.js";
import { modelGatewayPaths, type ModelGateway } from "../runtime/model-gateway.js";
import { withComingServers, type ModelGatewaySettings } from "../runtime/model-gateway-settings.js";
import type { RunnerDefinition, RunnerSpec } from "../runtime/supervisor.js";
import {
  findProcessDrift,
  gatewayDefinition,
  gatewayIdentity,
  gatewaySpec,
  processDifferences,
  removeGateway,
  startGateway,
} from "./gateway-process.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";
import {
  assertDistinctKeys,
  modelGatewayInputs,
  secretsOf,
  settingsDifferences,
  settingsOf,
  type ModelGatewayInputs,
} from "./model-gateway-inputs.js";

const kindName = "ModelGateway";

export const modelGatewayKind: ResourceKind<ModelGatewayInputs, CommonObserved> = {
  kind: kindName,
  inputs: modelGatewayInputs,
  differences: { ...gatewayIdentity, ...processDifferences, ...settingsDifferences },
  uses: ({ owner }) => posix.join("model-gateways", owner),
  secrets: secretsOf,

  async observe(context, inputs) {
    return { drift: await findDrift(context, inputs) };
  },

  async converge(context, operation, inputs) {
    assertDistinctKeys(inputs);
    const gateway = context.modelGateway(inputs.owner);
    const wanted = await findServed(gateway, settingsOf(inputs));
    const specs = specsOf(context, inputs);
    if ((await findProcessDrift(context, inputs.runtime, specs)).length > 0) {
      await operation.step("prepare the gateway's files", () => gateway.prepare(wanted, inputs.haproxy));
      await operation.step("start the gateway", () =>
        startGateway(context, inputs, specs, () => gateway.awaitAnswer()),
      );
    }
    await operation.step("tell the gateway which replicas come", () => gateway.apply(wanted, inputs.haproxy));
  },

  async remove(context, operation, { owner, name }) {
    const { dataDir } = context.reference;
    const paths = modelGatewayPaths(dataDir, owner);
    await removeGateway(context, operation, { kind: kindName, owner, name }, paths, definitionsOf(dataDir, owner));
  },
};

/** What it serves until the instances are verified. What a record that cannot be read said is not known: then all. */
async function findServed(
  gateway: Pick<ModelGateway, "settings" | "answers">,
  wanted: ModelGatewaySettings,
): Promise<ModelGatewaySettings> {
  const before = await gateway.settings();
  return before === undefined && (await gateway.answers()) ? wanted : withComingServers(before, wanted);
}

/** How the supervisor knows the two processes of a stack's gateway, that for large requests first. */
function definitionsOf(dataDir: string, owner: string): [RunnerDefinition, RunnerDefinition] {
  const { folder, largeFolder } = modelGatewayPaths(dataDir, owner);
  const suffix = sha256(owner).slice(0, 8);
  return [gatewayDefinition(`models-large.${suffix}`, largeFolder), gatewayDefinition(`models.${suffix}`, folder)];
}

/** They run in their folders, where their files name each other. */
function specsOf({ reference: { dataDir } }: Context, { owner, haproxy }: ModelGatewayInputs): RunnerSpec[] {
  const { socket, largeSocket } = modelGatewayPaths(dataDir, owner);
  const [large, main] = definitionsOf(dataDir, owner);
  const configuration = "haproxy.cfg";
  return [
    gatewaySpec(large, haproxy, { socket: largeSocket, configuration }),
    gatewaySpec(main, haproxy, { socket, configuration }),
  ];
}

async function findDrift(context: Context, inputs: ModelGatewayInputs): Promise<string[]> {
  const gateway = context.modelGateway(inputs.owner);
  const drift = await findProcessDrift(context, inputs.runtime, specsOf(context, inputs));
  if (!(await gateway.isAsWritten())) drift.push("its files are gone or were changed, or its certificate was");
  else if (drift.length === 0 && !(await gateway.isInStep())) drift.push("it does not serve as its files say");
  return drift;
}
