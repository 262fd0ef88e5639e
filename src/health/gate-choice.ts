import { lookUp } from "../lib/record.js";
import type { HealthRequest } from "../schema/backend.js";
import type { Gates, PerformanceGate, SmokeTest } from "../schema/gates.js";
import type { Category } from "./proof.js";
import { canBeAsked } from "./question.js";

/** What is asked of one deployment. */
export interface ChosenGates {
  readonly soakSeconds: number | undefined;
  readonly verify: boolean;
  readonly smoke: readonly SmokeTest[];
  readonly performance: PerformanceGate | undefined;
}

export interface AskedRelease {
  readonly category?: Category | undefined;
  /** Its engine has another API than OpenAI's. */
  readonly healthRequest?: HealthRequest | undefined;
}

/** The gates of a deployment: its own entries, else those for all, where its engine speaks OpenAI's API. Pure. */
export function chooseGates(gates: Gates, deployment: string, { category, healthRequest }: AskedRelease): ChosenGates {
  const isForAll = canBeAsked(category) && healthRequest === undefined;
  const entryOf = <T>(entries: Readonly<Record<string, T>> = {}): T | undefined =>
    lookUp(entries, deployment) ?? (isForAll ? lookUp(entries, "*") : undefined);
  return {
    soakSeconds: gates.soak,
    verify: gates.verify === true,
    smoke: entryOf(gates.smoke) ?? [],
    performance: entryOf(gates.performance),
  };
}

/** Names in the gates that are no deployment's: their entries would ask nothing. Pure. */
export function findUnknown({ smoke = {}, performance = {} }: Gates, deployments: readonly string[]): string[] {
  const named = [...Object.keys(smoke), ...Object.keys(performance)];
  return [...new Set(named)].filter((name) => name !== "*" && !deployments.includes(name)).sort();
}
