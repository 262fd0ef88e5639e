import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";

import { gatherHost } from "../../src/host/facts.js";
import type { Host, HostReference, RunOptions, RunResult } from "../../src/host/host.js";
import { listEntries } from "../../src/host/journal.js";
import { HostLeases } from "../../src/host/lease.js";
import { LocalHost } from "../../src/host/local.js";
import { systemClock } from "../../src/lib/clock.js";
import { silentLog } from "../../src/lib/log.js";
import { ResourceHandler, type Handler, type Surroundings } from "../../src/pulumi/handler.js";
import { PartialFailure } from "../../src/pulumi/partial-failure.js";
import type { Properties } from "../../src/pulumi/properties.js";
import { Contexts } from "../../src/resources/context.js";
import { resourceKinds } from "../../src/resources/kinds.js";
import type { HostFacts } from "../../src/schema/facts.js";

export type KindName = "Host" | "ModelFiles" | "BackendVersion";

/** What Pulumi knows of a resource, by its name. */
type State = Map<string, Properties>;

interface JournalStep {
  readonly name: string;
  readonly step: string;
}

const environment = { PATH: process.env.PATH ?? "", HOME: "/" };
const answers = new Map<string, Promise<RunResult>>();

/** This machine, whose tools are asked once for what they tell of it. */
export class SurveyedHost extends LocalHost {
  constructor() {
    super("remote", environment);
  }

  override run(argv: readonly [string, ...string[]], options?: RunOptions): Promise<RunResult> {
    if (["cp", "chmod", "head"].includes(argv[0])) return super.run(argv, options);
    const key = argv.join(" ");
    const answer = answers.get(key) ?? super.run(argv, options);
    answers.set(key, answer);
    return answer;
  }
}

let marks = 0;
let processes = 0;
let knownFacts: Promise<HostFacts> | undefined;

/**
 * A data directory on a host that is reached through something that fails, and what Pulumi's engine does with it: each
 * run is a process of its own, and knows what the runs before have told.
 */
export class Convergence {
  readonly here = new SurveyedHost();
  readonly state: State = new Map();
  readonly reference: HostReference;
  /** Names its resources, so that they are told from those of others in the same process. */
  readonly mark = `c${(marks += 1)}`;

  /** @param folder where its data directory is to be */
  constructor(
    folder: string,
    private readonly remote: Host,
  ) {
    const dataDir = join(folder, "data dir");
    this.reference = { name: "remote", connection: "ssh", ssh: { address: "127.0.0.1" }, dataDir };
  }

  path(...names: string[]): string {
    return join(this.reference.dataDir, ...names);
  }

  inputs(kind: KindName, more: Properties): Properties {
    const common = { name: `${kind}.${this.mark}`, owner: "shop/dev", host: this.reference };
    return { ...common, ...more, __provider: "shim" };
  }

  /** A run over the network, as it is. Throws what Pulumi would show. */
  up(kind: KindName, news: Properties | undefined): Promise<void> {
    return this.#up(this.remote, kind, news);
  }

  /** A run on the machine itself, which no network disturbs. */
  upHere(kind: KindName, news: Properties | undefined): Promise<void> {
    return this.#up(this.here, kind, news);
  }

  /** The journal steps of its resources that began during an action. */
  async stepsOf(
    action: () => Promise<void>,
    onStep: (step: string, number: number) => void = () => undefined,
  ): Promise<string[]> {
    const steps: string[] = [];
    const note = (message: unknown) => {
      const { name, step } = message as JournalStep;
      if (name.endsWith(`.${this.mark}`)) onStep(step, steps.push(step));
    };
    subscribe("berth:journal", note);
    try {
      await action();
    } finally {
      unsubscribe("berth:journal", note);
    }
    return steps;
  }

  /** Journal entries of operations that have begun and not ended. */
  async open(): Promise<unknown[]> {
    return (await listEntries(this.here, this.reference.dataDir)).filter((entry) => entry.open !== undefined);
  }

  /** Everything in the data directory but the download cache. */
  files(): string[] {
    if (!existsSync(this.reference.dataDir)) return [];
    const entries = readdirSync(this.reference.dataDir, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
    return paths.map((path) => relative(this.reference.dataDir, path)).filter((path) => !path.startsWith("cache/"));
  }

  clear(): void {
    rmSync(this.reference.dataDir, { recursive: true, force: true });
    this.state.clear();
  }

  async #up(host: Host, kind: KindName, news: Properties | undefined): Promise<void> {
    const handler: Handler = new ResourceHandler<never, never>(resourceKinds[kind] as never, surroundingsOf(host));
    const checked = news === undefined ? undefined : { ...handler.check({}, news).inputs, __provider: "shim" };
    const name = `${kind}.${this.mark}`;
    const known = this.state.get(name);
    try {
      // `refresh: always`
      if (known !== undefined) this.state.set(name, (await handler.read(name, known)).props);
      await this.#apply(handler, name, checked);
    } catch (error) {
      if (error instanceof PartialFailure) this.state.set(name, error.properties);
      throw error;
    }
  }

  async #apply(handler: Handler, name: string, news: Properties | undefined): Promise<void> {
    const olds = this.state.get(name);
    if (olds === undefined) {
      if (news !== undefined) this.state.set(name, (await handler.create(news)).outs);
    } else if (news === undefined) {
      await handler.delete(olds);
      this.state.delete(name);
    } else if (handler.diff(olds, news).changes) {
      this.state.set(name, (await handler.update(olds, news)).outs);
    }
  }
}

/** What a provider process of its own has; those before it have ended. */
export function surroundingsOf(host: Host): Surroundings {
  processes += 1;
  const own = String(processes);
  let ids = 0;
  const newId = () => `${own}-${(ids += 1)}`;
  const contexts = new Contexts({
    openHost: () => host,
    content: {
      backendFile: () => Promise.reject(new Error("no backend files here")),
      pythonTool: () => Promise.reject(new Error("no tools here")),
    },
    clock: systemClock,
    signal: new AbortController().signal,
    log: silentLog,
    newId,
  });
  const leases = new HostLeases({
    machine: "here",
    process: own,
    clock: systemClock,
    isAlive: (identity) => Promise.resolve(identity === own),
    newId,
    waitSeconds: 10,
    onWait: () => undefined,
  });
  return {
    leases,
    context: (inputs, redact) => {
      const facts = () => (knownFacts ??= gatherHere(inputs.host.dataDir));
      return { ...contexts.of(inputs.host, redact), facts, findPython: facts };
    },
    assertWanted: () => Promise.resolve(),
    say: () => undefined,
  };
}

async function gatherHere(dataDir: string): Promise<HostFacts> {
  return (await gatherHost(new LocalHost("here", environment), { dataDir })).facts;
}
