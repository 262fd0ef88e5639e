/** What is to be done to an instance. Pure: from what was seen to steps. */

/** One way in which the instance was or is to be run: its arguments, environment, engine and model. */
export type Generation = string;

export interface SeenGeneration {
  readonly generation: Generation;
  readonly running: boolean;
  /** Its files and its supervisor's definition are as they were written. */
  readonly intact: boolean;
  /** Where it listens behind the gateway; undefined for one that clients ask themselves. */
  readonly port?: number | undefined;
}

export interface InstanceSeen {
  /** The generation that was verified last; it serves, or should. */
  readonly current: Generation | undefined;
  readonly generations: readonly SeenGeneration[];
  /** The port to which the gateway sends requests; undefined where it sends none. */
  readonly active?: number | undefined;
}

export interface InstanceStep {
  readonly do: "stop" | "start" | "verify" | "commit" | "discard" | "switch" | "drain" | "close";
  /** Of `close` the desired one: no generation is served through the gateway any more. */
  readonly generation: Generation;
}

/**
 * The way to the desired generation.
 *
 * @param port where it listens behind a gateway; without it clients ask the runner itself, and only one can run
 */
export function planInstance(desired: Generation, seen: InstanceSeen, port?: number): InstanceStep[] {
  return port === undefined ? planRecreate(desired, seen) : planBlueGreen(desired, port, seen);
}

/** What of the instance's own ends before the desired one starts; undefined when that is not to start. */
export function endingBefore(
  desired: Generation,
  seen: InstanceSeen,
  port: number | undefined,
): ReadonlySet<Generation> | undefined {
  const steps = planInstance(desired, seen, port);
  const start = steps.findIndex((step) => step.do === "start" && step.generation === desired);
  if (start === -1) return undefined;
  const ended = steps.slice(0, start).filter((step) => step.do === "stop" || step.do === "discard");
  return new Set([desired, ...ended.map(({ generation }) => generation)]);
}

/**
 * Whatever else runs is stopped first, because it holds the port and the devices, but kept until the desired one is
 * verified, so that {@link planRollback} can bring it back.
 */
function planRecreate(desired: Generation, seen: InstanceSeen): InstanceStep[] {
  const others = seen.generations.filter(({ generation }) => generation !== desired);
  const steps: InstanceStep[] = others
    .filter(({ running }) => running)
    .map(({ generation }) => ({ do: "stop", generation }));
  if (seen.active !== undefined || others.some(({ port }) => port !== undefined))
    steps.push({ do: "close", generation: desired });
  if (!isReady(find(seen, desired))) steps.push({ do: "start", generation: desired });
  steps.push({ do: "verify", generation: desired }, { do: "commit", generation: desired });
  return [...steps, ...others.map(discard)];
}

/**
 * The one that serves goes on while the desired one starts beside it and is verified; then requests are sent to that,
 * and the other is removed when those it has got have ended. What else is there goes first: it may hold the port.
 */
function planBlueGreen(desired: Generation, port: number, seen: InstanceSeen): InstanceStep[] {
  const keeper = findKeeper(desired, seen, port);
  const strays = seen.generations.filter((each) => each !== keeper && each.generation !== desired);
  const ready = isReady(find(seen, desired));
  const steps = ready && strays.length === 0 ? [] : sendBack(keeper, strays, seen.active);
  const active = steps.length > 0 ? keeper?.port : seen.active;
  steps.push(...strays.flatMap(retire));
  if (!ready) steps.push({ do: "start", generation: desired });
  steps.push({ do: "verify", generation: desired });
  // It listens where the gateway is to.
  if (keeper?.running === true && keeper.port === undefined) steps.push({ do: "stop", generation: keeper.generation });
  if (active !== port) steps.push({ do: "switch", generation: desired });
  return [...steps, { do: "commit", generation: desired }, ...(keeper === undefined ? [] : retire(keeper))];
}

/** What serves, or served last, and is not wanted any more. */
function findKeeper(desired: Generation, seen: InstanceSeen, port: number | undefined): SeenGeneration | undefined {
  const others = seen.generations.filter(({ generation }) => generation !== desired);
  const serves = (each: SeenGeneration) => each.port !== port && isServing(each, seen.active);
  return others.find(({ generation }) => generation === seen.current) ?? others.find(serves);
}

/** An interrupted change may have sent requests to what is about to go: they go back to what was verified last. */
function sendBack(
  keeper: SeenGeneration | undefined,
  strays: readonly SeenGeneration[],
  active: number | undefined,
): InstanceStep[] {
  if (keeper?.port === undefined || keeper.port === active) return [];
  const { generation, running } = keeper;
  if (running) return [{ do: "switch", generation }];
  if (!strays.some((stray) => isServing(stray, active))) return [];
  return [
    { do: "start", generation },
    { do: "verify", generation },
    { do: "switch", generation },
  ];
}

/**
 * The port on which a generation listens behind the gateway: its own when it has one, else the one that what serves has
 * not.
 */
export function choosePort(
  [first, second]: readonly [number, number],
  desired: Generation,
  { current, ports, active }: { current: Generation | undefined; ports: Ports; active: number | undefined },
): number {
  const held = current === undefined || current === desired ? undefined : ports[current];
  const own = ports[desired];
  if (own !== undefined && own !== held && [first, second].includes(own)) return own;
  return first === (held ?? active) ? second : first;
}

/** The ports of generations behind the gateway. */
export type Ports = Readonly<Record<Generation, number | undefined>>;

/**
 * The way back when the desired generation could not be verified. The one that served before serves again, and alone.
 * When there was none, nothing stays. When the desired one is itself the one that served, it stays with its supervisor.
 *
 * @param begun the steps that were begun
 */
export function planRollback(
  desired: Generation,
  seen: InstanceSeen,
  begun: readonly InstanceStep[] = [],
  port?: number,
): InstanceStep[] {
  if (seen.current === desired) return [];
  const before = findKeeper(desired, seen, port);
  const strays = seen.generations.filter((each) => each !== before && each.generation !== desired).map(discard);
  const rest: InstanceStep[] = [{ do: "discard", generation: desired }];
  const close: InstanceStep[] = port === undefined ? [] : [{ do: "close", generation: desired }];
  if (before === undefined) return [...close, ...rest, ...strays];
  const { generation } = before;
  const again: InstanceStep[] = [
    { do: "start", generation },
    { do: "verify", generation },
  ];
  const commit: InstanceStep = { do: "commit", generation };
  const isStopped = !before.running || begun.some((step) => step.do === "stop" && step.generation === generation);
  if (before.port !== undefined) {
    const back: InstanceStep = { do: "switch", generation };
    const isSwitched = begun.some((step) => step.do === "switch");
    if (!isStopped) return [...(isSwitched ? [back] : []), ...rest, ...strays];
    // What clients ask itself has the gateway's port; another may serve until the one before does.
    const after = [...again, back, commit];
    return port === undefined ? [...rest, ...after, ...strays] : [...after, ...rest, ...strays];
  }
  if (port !== undefined && !isStopped) return [...rest, ...strays];
  return [...close, ...rest, ...strays, ...again, commit];
}

function find({ generations }: InstanceSeen, wanted: Generation): SeenGeneration | undefined {
  return generations.find(({ generation }) => generation === wanted);
}

function isReady(generation: SeenGeneration | undefined): boolean {
  return generation?.running === true && generation.intact;
}

function isServing({ running, port }: SeenGeneration, active: number | undefined): boolean {
  return running && port !== undefined && port === active;
}

function discard({ generation }: SeenGeneration): InstanceStep {
  return { do: "discard", generation };
}

function retire(old: SeenGeneration): InstanceStep[] {
  const { generation, running, port } = old;
  return [...(running && port !== undefined ? [{ do: "drain" as const, generation }] : []), discard(old)];
}

export interface Strategy {
  readonly kind: "create" | "blueGreen" | "recreate" | "verify" | "replace";
  /** How long the instance may be without a runner, in words for people. */
  readonly downtime: string;
}

/** What an update will do, as the preview shows it. */
export function chooseStrategy(
  change: "create" | "restart" | "switch" | "settings" | "replace",
  healthyDeadlineSeconds: number,
): Strategy {
  switch (change) {
    case "create":
      // What Pulumi replaces is checked as if it were new.
      return { kind: "create", downtime: "none: nothing runs yet; an instance that this replaces is deleted first" };
    case "settings":
      return { kind: "verify", downtime: "none: the runner is not touched" };
    case "switch":
      return { kind: "blueGreen", downtime: "none: the old runner serves until the new one is verified" };
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
