/** What is to be done to an instance. Pure: from what was seen to steps. */

/** One way in which the instance was or is to be run: its arguments, environment, engine and model. */
export type Generation = string;

export interface SeenGeneration {
  readonly generation: Generation;
  readonly running: boolean;
  /** Its files and its supervisor's definition are as they were written. */
  readonly intact: boolean;
}

export interface InstanceSeen {
  /** The generation that was verified last; it serves, or should. */
  readonly current: Generation | undefined;
  readonly generations: readonly SeenGeneration[];
}

export type InstanceStep =
  | { readonly do: "stop"; readonly generation: Generation }
  | { readonly do: "start"; readonly generation: Generation }
  | { readonly do: "verify"; readonly generation: Generation }
  | { readonly do: "commit"; readonly generation: Generation }
  | { readonly do: "discard"; readonly generation: Generation };

/**
 * The way to the desired generation. Whatever else runs is stopped first, because it holds the port and the devices,
 * but kept until the desired one is verified, so that {@link planRollback} can bring it back.
 */
export function planInstance(desired: Generation, seen: InstanceSeen): InstanceStep[] {
  const others = seen.generations.filter(({ generation }) => generation !== desired);
  const present = seen.generations.find(({ generation }) => generation === desired);
  const steps: InstanceStep[] = others
    .filter(({ running }) => running)
    .map(({ generation }) => ({ do: "stop", generation }));
  if (present === undefined || !present.running || !present.intact) steps.push({ do: "start", generation: desired });
  steps.push({ do: "verify", generation: desired }, { do: "commit", generation: desired });
  return [...steps, ...others.map(({ generation }) => ({ do: "discard" as const, generation }))];
}

/**
 * The way back when the desired generation could not be verified. The one that served before serves again, and alone.
 * When there was none, nothing stays. When the desired one is itself the one that served, it stays with its supervisor.
 */
export function planRollback(desired: Generation, seen: InstanceSeen): InstanceStep[] {
  const { current, generations } = seen;
  if (current === desired) return [];
  const others = generations.filter(({ generation }) => generation !== desired && generation !== current);
  const steps: InstanceStep[] = [{ do: "discard", generation: desired }];
  steps.push(...others.map(({ generation }) => ({ do: "discard" as const, generation })));
  const before = generations.find(({ generation }) => generation === current);
  if (before === undefined) return steps;
  const { generation } = before;
  return [...steps, { do: "start", generation }, { do: "verify", generation }, { do: "commit", generation }];
}

export interface Strategy {
  readonly kind: "create" | "recreate" | "verify" | "replace";
  /** How long the instance may be without a runner, in words for people. */
  readonly downtime: string;
}

/** What an update will do, as the preview shows it. */
export function chooseStrategy(
  change: "create" | "restart" | "settings" | "replace",
  healthyDeadlineSeconds: number,
): Strategy {
  switch (change) {
    case "create":
      // What Pulumi replaces is checked as if it were new.
      return { kind: "create", downtime: "none: nothing runs yet; an instance that this replaces is deleted first" };
    case "settings":
      return { kind: "verify", downtime: "none: the runner is not touched" };
    case "replace":
      return {
        kind: "replace",
        downtime: `from the old runner's removal until the new one answers, at most ${healthyDeadlineSeconds} s; the old one does not come back if it does not`,
      };
    case "restart":
      return {
        kind: "recreate",
        downtime: `from the old runner's stop until the new one answers, at most ${healthyDeadlineSeconds} s; the old one is kept and comes back if it does not`,
      };
  }
}
