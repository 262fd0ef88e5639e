import { BerthError } from "../lib/errors.js";
import { createRedact } from "../lib/redact.js";
import { shown } from "../lib/shown.js";
import { findStaleness } from "../lock/build.js";
import { lockPath, readLock } from "../lock/lock-file.js";
import { readProject } from "../lock/project.js";
import { desiredStack, type DesiredInstance, type DesiredStack } from "../planner/desired.js";
import { isProven, type ProofRow, type Seen } from "../planner/provenance.js";
import { compareInstances } from "../planner/replicas.js";
import type { Contexts } from "../resources/context.js";
import { proveInstallation, type InstallationProof } from "../resources/installation-proof.js";
import { proveInstance } from "../resources/instance-proof.js";
import type { Context } from "../resources/kind.js";
import { proveModel } from "../resources/model-proof.js";
import { openContexts } from "./contexts.js";
import { readState, type StackState } from "./state.js";
import { plainTable } from "./table.js";
import { chooseStack, openPulumi, packageRoot, stackFileOf, type Workplace } from "./workplace.js";

export interface InstanceProof {
  readonly instance: string;
  readonly host: string;
  readonly proven: boolean;
  readonly rows: readonly ProofRow[];
}

export interface StackProof {
  readonly stack: string;
  /** Why the lock does not hold for the stack file, if it does not: then it is the lock that is compared. */
  readonly stale: string | undefined;
  readonly proven: boolean;
  readonly instances: readonly InstanceProof[];
}

/**
 * Compares what runs with the lock, by the processes, containers and files themselves and not by what is written down
 * of them. Changes nothing. Returns the exit code: 0 when all is proven.
 */
export async function proveStatus(
  workplace: Workplace,
  named: string | undefined,
  options: { json?: boolean },
): Promise<number> {
  const stack = await chooseStack(workplace, named);
  const { root } = workplace;
  const project = readProject(root, stackFileOf(root, stack), packageRoot, { stackName: stack });
  const path = lockPath(project.stackPath);
  const lock = await readLock(path, shown(root, path));
  if (lock === undefined) {
    throw new BerthError("lock-missing", {
      where: stackFileOf(root, stack),
      what: "the lock is missing, with which what runs is compared",
      hint: `run \`berth lock ${stack}\``,
    });
  }
  const pulumi = await openPulumi(workplace);
  const state = await readState(pulumi, stack);
  const desired = desiredStack(lock, root);
  workplace.note("reading the files of models and engines whole; that takes as long as it takes to read them");
  const proofs = new StackProofs(desired, state, {
    contexts: openContexts(workplace, new AbortController().signal),
    owner: `${pulumi.project}/${stack}`,
  });
  const instances = await proofs.ofAll();
  const found = {
    stack,
    stale: findStaleness(lock, project),
    proven: instances.every(({ proven }) => proven),
    instances,
  };
  workplace.print(options.json === true ? JSON.stringify(found, undefined, 2) : formatProof(found));
  return found.proven ? 0 : 1;
}

/** What several instances of a host share is read once. */
class StackProofs {
  readonly #installations = new Map<string, Promise<InstallationProof>>();
  readonly #models = new Map<string, Promise<ProofRow[]>>();

  constructor(
    private readonly desired: DesiredStack,
    private readonly state: StackState | undefined,
    private readonly place: { readonly contexts: Contexts; readonly owner: string },
  ) {}

  /** All hosts at once, and of each one instance after the other: a disk is no faster for several readers. */
  async ofAll(): Promise<InstanceProof[]> {
    const found = await Promise.all(
      this.desired.hosts.map(async ({ name }) => {
        const proofs: InstanceProof[] = [];
        for (const instance of this.desired.instances)
          if (instance.host.name === name) proofs.push(await this.#ofInstance(instance));
        return proofs;
      }),
    );
    return [...found.flat(), ...this.#unwanted()].sort((a, b) => compareInstances(a.instance, b.instance));
  }

  async #ofInstance(instance: DesiredInstance): Promise<InstanceProof> {
    const rows = await this.#rowsOf(instance).catch((error: unknown) => {
      if (!(error instanceof BerthError)) throw error;
      return [{ what: "host", wanted: "an answer", found: error.parts.what, verdict: "unknown" } satisfies ProofRow];
    });
    return { instance: instance.name, host: instance.host.name, proven: isProven(rows), rows };
  }

  async #rowsOf(instance: DesiredInstance): Promise<ProofRow[]> {
    const { owner, contexts } = this.place;
    const backendVersion = this.desired.backendVersions.find(({ name }) => name === instance.backendVersion);
    const model = this.desired.models.find(({ name }) => name === instance.model);
    if (backendVersion === undefined || model === undefined) throw new Error(`${instance.name} stands on nothing`);
    const secretEnv = findSecrets(instance, this.state);
    const context = contexts.of(
      instance.host,
      createRedact("value" in secretEnv ? Object.values(secretEnv.value) : []),
    );
    const installation = await once(this.#installations, backendVersion.name, () =>
      proveInstallation(context, backendVersion),
    );
    const live = await proveInstance(context, { owner, instance, backendVersion, installation, secretEnv });
    const files = await once(this.#models, model.name, () => proveModel(context, model));
    return [...live, ...installation.rows, ...files].map((row) => redacted(row, context));
  }

  /** Deployed, and not in the lock. */
  #unwanted(): InstanceProof[] {
    const wanted = new Set(this.desired.instances.map(({ name }) => name));
    const deployed = (this.state?.resources ?? []).filter(({ kind }) => kind === "Instance");
    return deployed.flatMap(({ outputs }) => {
      const instance = String(outputs.name);
      if (wanted.has(instance)) return [];
      const host = (outputs.host as { name?: string } | undefined)?.name ?? "";
      const row = { what: "instance", wanted: "none", found: "the state has it", verdict: "differs" } as const;
      return [{ instance, host, proven: false, rows: [row] }];
    });
  }
}

function redacted(row: ProofRow, { redact }: Context): ProofRow {
  return { ...row, wanted: redact(row.wanted), found: redact(row.found) };
}

function once<T>(known: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}

/** The values of the lock's secret variables, which only the state has. */
function findSecrets(
  { name, placed }: DesiredInstance,
  state: StackState | undefined,
): Seen<Readonly<Record<string, string>>> {
  const instance = state?.resources.find(({ kind, outputs }) => kind === "Instance" && outputs.name === name);
  const known = (instance?.outputs.secretEnv ?? {}) as Readonly<Record<string, unknown>>;
  const values: Record<string, string> = {};
  for (const variable of Object.keys(placed.secretEnv)) {
    const value = known[variable];
    if (typeof value !== "string") return { unknown: `the state does not have the secret ${variable}` };
    values[variable] = value;
  }
  return { value: values };
}

/** The table for people. */
export function formatProof({ stack, stale, proven, instances }: StackProof): string {
  if (instances.length === 0) return `stack ${stack}: no instances`;
  const rows = instances.flatMap(({ instance, host, rows }) =>
    rows.map(({ what, wanted, found, verdict }) => [instance, host, what, wanted, found, verdictTexts[verdict]]),
  );
  const lines = [plainTable(["INSTANCE", "HOST", "WHAT", "WANTED", "FOUND", "PROOF"], rows)];
  const failed = instances.filter((instance) => !instance.proven).map(({ instance }) => instance);
  lines.push(
    proven ? "all that runs is as the lock says" : `not as the lock says, or not to be told: ${failed.join(", ")}`,
  );
  if (stale !== undefined) lines.push(`lock: stale, ${stale}`);
  return lines.join("\n");
}

const verdictTexts = { proven: "ok", differs: "DIFFERS", unknown: "CANNOT BE TOLD" } as const;
