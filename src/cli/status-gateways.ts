/** What `berth status` tells of the gateway that routes by model, host by host. */
import type { DesiredModelGateway } from "../planner/desired-model-gateway.js";
import type { Contexts } from "../resources/context.js";
import { resourceKinds } from "../resources/kinds.js";
import { observe } from "./observed.js";
import type { StackState } from "./state.js";

export interface StatusGateway {
  readonly host: string;
  /** The base URL for OpenAI's clients. */
  readonly endpoint: string;
  /** Names by which clients ask for models. */
  readonly models: readonly string[];
  readonly health: "serves" | "not deployed" | "drifted";
}

/** The gateway on each host where the lock wants it. */
export function gatewayRows(
  desired: readonly DesiredModelGateway[],
  state: StackState | undefined,
  contexts: Contexts,
): Promise<StatusGateway[]> {
  const { ModelGateway, ModelRoutes } = resourceKinds;
  const find = (kind: string, name: string) =>
    state?.resources.find((each) => each.kind === kind && each.outputs.name === name)?.outputs;
  return Promise.all(
    desired.map(async ({ name, routesName, host, endpoint, routes }): Promise<StatusGateway> => {
      const row = { host: host.name, endpoint, models: Object.keys(routes).toSorted() };
      const [process, served] = [find(ModelGateway.kind, name), find(ModelRoutes.kind, routesName)];
      if (process === undefined || served === undefined) return { ...row, health: "not deployed" };
      const observed = await Promise.all([
        observe(ModelGateway, process, contexts),
        observe(ModelRoutes, served, contexts),
      ]);
      return { ...row, health: observed.every(({ drift }) => drift.length === 0) ? "serves" : "drifted" };
    }),
  );
}

const troubles = { "not deployed": "is not deployed", drifted: "does not serve as it should" } as const;

/** For people: `gateway on gw-1: http://10.0.0.2:8443/v1 serves chat, gpt-4o`. */
export function formatGateway({ host, endpoint, models, health }: StatusGateway): string {
  const what = health === "serves" ? `serves ${models.join(", ")}` : troubles[health];
  return `gateway on ${host}: ${endpoint} ${what}`;
}
