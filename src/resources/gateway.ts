/**
 * What clients ask on a host: a HAProxy that the host's supervisor keeps alive. Which runner answers behind it is no
 * input: instances switch it when they are verified. It goes on with what serves when it starts again.
 */
import { posix } from "node:path";

import { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import { gatewayPaths } from "../runtime/haproxy-configuration.js";
import type { RunnerDefinition, RunnerSpec } from "../runtime/supervisor.js";
import { commonInputs } from "./common.js";
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

export const gatewayInputs = z.strictObject({
  ...commonInputs,
  haproxy: z.string().regex(/^\//).describe("HAProxy's executable on the host"),
  runtime: z.string().describe("What keeps it alive"),
});

export type GatewayInputs = z.output<typeof gatewayInputs>;

const kindName = "Gateway";

export const gatewayKind: ResourceKind<GatewayInputs, CommonObserved> = {
  kind: kindName,
  inputs: gatewayInputs,
  differences: { ...gatewayIdentity, ...processDifferences },
  uses: ({ owner }) => posix.join("gateways", owner),
  secrets: () => [],

  async observe(context, inputs) {
    return { drift: await findDrift(context, inputs) };
  },

  async converge(context, operation, inputs) {
    if ((await findDrift(context, inputs)).length === 0) return;
    const gateway = context.gateway(inputs.owner);
    const specs = [specOf(context, inputs)];
    await operation.step("prepare the gateway's files", () => gateway.prepare());
    if ((await findProcessDrift(context, inputs.runtime, specs)).length > 0)
      await operation.step("start the gateway", () =>
        startGateway(context, inputs, specs, () => gateway.awaitAnswer()),
      );
    if (!(await gateway.isInStep()))
      await operation.step("bring the gateway to what its file says", () => gateway.settle());
  },

  async remove(context, operation, { owner, name }) {
    const { dataDir } = context.reference;
    const paths = gatewayPaths(dataDir, owner);
    await removeGateway(context, operation, { kind: kindName, owner, name }, paths, [definitionOf(dataDir, owner)]);
  },
};

/** How the supervisor knows a stack's gateway. */
function definitionOf(dataDir: string, owner: string): RunnerDefinition {
  return gatewayDefinition(`gateway.${sha256(owner).slice(0, 8)}`, gatewayPaths(dataDir, owner).folder);
}

function specOf({ reference: { dataDir } }: Context, { owner, haproxy }: GatewayInputs): RunnerSpec {
  return gatewaySpec(definitionOf(dataDir, owner), haproxy, gatewayPaths(dataDir, owner));
}

async function findDrift(context: Context, inputs: GatewayInputs): Promise<string[]> {
  const gateway = context.gateway(inputs.owner);
  const drift = await findProcessDrift(context, inputs.runtime, [specOf(context, inputs)]);
  if (!(await gateway.isAsWritten())) drift.push("its configuration is gone or was changed");
  else if (drift.length === 0 && !(await gateway.isInStep())) drift.push("it does not serve as its file says");
  return drift;
}
