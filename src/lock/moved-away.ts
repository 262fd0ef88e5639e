/** Whether what is not a bundle that comes is in an environment as its lock says. Pure. */
import type { DesiredStack } from "../planner/desired.js";
import type { RecordedState } from "./applied.js";
import type { BundleChange } from "./promotion.js";

/** Why what is taken away, or lies ready, may not go on: it is not so yet where it comes from. One sentence each. */
export function findUnsettled(
  changes: readonly BundleChange[],
  desired: Pick<DesiredStack, "backendVersions" | "models">,
  state: Pick<RecordedState, "resources"> | undefined,
): string[] {
  const present = (state?.resources ?? []).filter(({ leaving }) => leaving !== true);
  const removed = changes.filter(({ part, change }) => part === "release" && change === "removed");
  const running = removed.filter(({ name }) =>
    present.some(({ kind, outputs }) => kind === "Instance" && outputs.deployment === name),
  );
  const ready = changes.some(({ part, change }) => part === "preload" && change !== "same");
  const has = (kind: string, name: string) => present.some((each) => each.kind === kind && each.outputs.name === name);
  const missing = [
    ...desired.backendVersions.flatMap(({ name }) => (has("BackendVersion", name) ? [] : [`BackendVersion ${name}`])),
    ...desired.models.flatMap(({ name }) => (has("ModelFiles", name) ? [] : [`ModelFiles ${name}`])),
  ];
  return [
    ...running.map(({ name }) => `${name}: is taken away, and still runs there`),
    ...(ready ? missing.map((what) => `preload: ${what} is not in the state`) : []),
  ];
}
