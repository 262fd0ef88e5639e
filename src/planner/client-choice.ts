/** What a client of a stack asks: the gateway or the instances, by which name, with which key. Pure. */
import { BerthError } from "../lib/errors.js";
import { lookUp, sorted } from "../lib/record.js";
import type { PlacedGateway } from "../schema/gateway.js";
import type { LockedDeployment, PlacedInstance } from "../schema/lock.js";
import { compareInstances } from "./replicas.js";

/** What a person says. */
export interface ClientChoice {
  readonly deployment?: string | undefined;
  /** A name by which the gateway knows models. */
  readonly model?: string | undefined;
  /** The name of one of the gateway's keys. */
  readonly key?: string | undefined;
  /** Whether the instances are asked although there is a gateway. */
  readonly direct?: boolean | undefined;
}

interface Asked {
  readonly deployment: string;
  /** The name by which the model is asked for. */
  readonly model: string;
  readonly category: NonNullable<LockedDeployment["category"]>;
  /** Its instances, by name. */
  readonly instances: readonly string[];
}

/** A key of a gateway: its name, and that of the secret. */
export interface ClientKey {
  readonly name: string;
  readonly secret: string;
}

export type ClientPlan =
  | (Asked & { readonly by: "instances" })
  | (Asked & {
      readonly by: "gateway";
      /** The hosts that it is on. */
      readonly hosts: readonly string[];
      readonly tls: boolean;
      readonly key: ClientKey | undefined;
    });

export interface ClientDecisions {
  readonly release: Readonly<Record<string, Pick<LockedDeployment, "servedModel" | "category">>>;
  readonly placement: {
    readonly gateway?: Pick<PlacedGateway, "hosts" | "routes" | "keys" | "certFile"> | undefined;
    readonly instances: Readonly<Record<string, Pick<PlacedInstance, "deployment">>>;
  };
}

/** @throws BerthError `usage` for a name that the lock does not have, or when it is not clear what is meant */
export function planClient(lock: ClientDecisions, choice: ClientChoice): ClientPlan {
  const { gateway } = lock.placement;
  if (gateway === undefined || choice.direct === true) {
    refuseGatewayWords(choice, gateway !== undefined);
    const deployment = chooseDeployment(lock, choice.deployment, deploymentsOf(lock));
    return { by: "instances", ...asked(lock, deployment) };
  }
  const routed = choice.model === undefined ? undefined : Object.keys(routeOf(gateway, choice.model));
  const deployment = chooseDeployment(lock, choice.deployment, routed ?? deploymentsOf(lock), choice.model);
  const common = asked(lock, deployment);
  const model = choice.model ?? common.model;
  const { hosts, certFile } = gateway;
  return {
    ...{ by: "gateway", ...common, model, hosts: Object.keys(hosts).toSorted(), tls: certFile !== undefined },
    key: chooseKey(gateway, model, choice.key),
  };
}

function asked({ release, placement }: ClientDecisions, deployment: string): Asked {
  const { servedModel = deployment, category = "llm" } = release[deployment] ?? {};
  const instances = Object.entries(placement.instances).filter(([, placed]) => placed.deployment === deployment);
  return {
    ...{ deployment, model: servedModel, category },
    instances: instances.map(([name]) => name).toSorted(compareInstances),
  };
}

function deploymentsOf({ placement }: ClientDecisions): string[] {
  return [...new Set(Object.values(placement.instances).map(({ deployment }) => deployment))].toSorted();
}

/** The one that is named; else the only one that there is, or, of a name that leads to several, the first. */
function chooseDeployment(
  { release }: ClientDecisions,
  named: string | undefined,
  among: readonly string[],
  model?: string,
): string {
  const [first, ...others] = among;
  if (named !== undefined) {
    if (among.includes(named)) return named;
    const isKnown = lookUp(release, named) !== undefined && model !== undefined;
    const what = isKnown ? `the model ${model} does not lead to that deployment` : "the lock has no such deployment";
    throw new BerthError("usage", { what, got: named, ...(first === undefined ? {} : { expected: among.join(", ") }) });
  }
  if (first !== undefined && (others.length === 0 || model !== undefined)) return first;
  throw new BerthError("usage", {
    what: first === undefined ? "the lock has no deployment" : "the deployment is not named",
    ...(first === undefined ? {} : { expected: among.join(" or ") }),
  });
}

function routeOf({ routes }: Pick<PlacedGateway, "routes">, model: string): Readonly<Record<string, number>> {
  const route = lookUp(routes, model);
  if (route !== undefined) return route;
  throw new BerthError("usage", {
    what: "the gateway has no such model",
    got: model,
    expected: Object.keys(routes).toSorted().join(", "),
  });
}

function chooseKey({ keys }: Pick<PlacedGateway, "keys">, model: string, named?: string): ClientKey | undefined {
  if (named !== undefined) {
    const key = lookUp(keys, named);
    if (key !== undefined) return { name: named, secret: key.secret };
    const known = Object.keys(keys).toSorted().join(", ");
    const expected = known === "" ? "no --key: the gateway has no keys" : known;
    throw new BerthError("usage", { what: "the gateway has no such key", got: named, expected });
  }
  const fitting = sorted(keys).filter(([, { models }]) => models === undefined || models.includes(model));
  const [only, ...others] = fitting;
  if (Object.keys(keys).length === 0) return undefined;
  if (only !== undefined && others.length === 0) return { name: only[0], secret: only[1].secret };
  throw new BerthError("usage", {
    what: only === undefined ? `none of the gateway's keys may ask for ${model}` : "the gateway has several keys",
    ...(only === undefined ? {} : { expected: fitting.map(([name]) => `--key ${name}`).join(" or ") }),
  });
}

function refuseGatewayWords({ model, key, direct }: ClientChoice, hasGateway: boolean): void {
  if (model === undefined && key === undefined) return;
  throw new BerthError("usage", {
    what: hasGateway && direct === true ? "--direct asks no gateway" : "the stack has no gateway",
    got: model === undefined ? "--key" : "--model",
    expected: "the name of a deployment",
  });
}
