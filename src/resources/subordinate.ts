/**
 * What an instance has beside its primary: an RPC server on another host to which the primary loads layers, and before
 * it what admits the primary alone; or a node of its Ray cluster. It is there before its primary and goes after it. One
 * that is to take its place stands beside it, on another port, until the primary has changed.
 */
import { runtimes } from "../runtime/supervisor.js";
import { claimedBy, claimSubordinate, releaseOthers } from "./subordinate-claims.js";
import { subordinateDifferences, subordinateInputs, type SubordinateInputs } from "./subordinate-inputs.js";
import { readSubordinate, writeSubordinate, type SubordinateRecord } from "./subordinate-record.js";
import { assertVersions, findVersions } from "./ray-cluster.js";
import { rayFolder, readToken } from "./ray-node.js";
import { assertPresent } from "./present-devices.js";
import { partDefinition, parts, subordinateFolder, type PartSpecs, type SeenPart } from "./subordinate-part.js";
import { lookAtPart, partSpecs, startParts, stopParts } from "./subordinate-runner.js";
import type { CommonObserved, Context, ResourceKind } from "./kind.js";

export interface SubordinateObserved extends CommonObserved {
  /** Names its start that was proven last; empty when none was. A primary that was started with another has to be again. */
  readonly start: string;
  /** Of a node of a Ray cluster: those of Ray and Python, which are the same on all nodes. */
  readonly versions?: string | undefined;
  /** Of a head: what members show it. A secret. */
  readonly clusterToken?: string | undefined;
}

const kindName = "Subordinate";

export const subordinateKind: ResourceKind<SubordinateInputs, SubordinateObserved> = {
  kind: kindName,
  inputs: subordinateInputs,
  differences: subordinateDifferences,
  uses: ({ owner, name }) => `subordinates/${owner}/${name}`,
  secrets: ({ token }) => (token === undefined ? [] : [token]),

  async observe(context, inputs) {
    const { record, seen, drift } = await look(context, inputs);
    const problems = [...drift, ...seen.flatMap((part) => part.drift), ...describeReturns(record, seen)];
    return { start: record?.start ?? "", ...(await observeRay(context, inputs)), drift: problems };
  },

  async converge(context, operation, inputs) {
    const { record, seen, specs, drift } = await look(context, inputs);
    const plan = planSubordinate({ record, seen, isDrifted: drift.length > 0 });
    if (plan !== "nothing") await assertPresent(context, inputs);
    if (plan === "start") await assertPossible(context, inputs, specs);
    await claimSubordinate(context, operation, inputs);
    if (plan !== "nothing") {
      if (plan === "start" && specs !== undefined) {
        await operation.step(startText(inputs), async () => {
          try {
            await startParts(context, inputs, specs);
          } catch (error) {
            await stopParts(context, inputs);
            throw error;
          }
        });
      }
      await operation.step("record what runs", () => commit(context, inputs));
    } else if (record !== undefined) {
      const folder = subordinateFolder(context.reference, inputs.owner, inputs.name);
      const claims = claimedBy(inputs);
      if (JSON.stringify(claims) !== JSON.stringify(record.claims))
        await operation.step("record what it claims", () =>
          writeSubordinate(context.host, folder, { ...record, claims }),
        );
    }
    await releaseOthers(context, operation, inputs, claimedBy(inputs));
  },

  async remove(context, operation, { owner, name }) {
    const { host, reference } = context;
    const folder = subordinateFolder(reference, owner, name);
    await operation.step("stop what runs", async () => {
      for (const runtime of runtimes) {
        if (runtime === "docker") continue;
        const supervisor = context.supervisor(runtime);
        for (const part of parts.toReversed()) await supervisor.remove(partDefinition(folder, part));
        await supervisor.retire();
      }
    });
    await operation.step("remove its files", async () => {
      await host.remove(rayFolder(folder));
      await host.remove(folder);
      await releaseOthers(context, operation, { owner, name }, []);
    });
  },
};

interface Look {
  readonly record: SubordinateRecord | undefined;
  readonly seen: readonly SeenPart[];
  readonly specs: PartSpecs | undefined;
  /** What is wrong with all of it. */
  readonly drift: readonly string[];
}

async function look(context: Context, inputs: SubordinateInputs): Promise<Look> {
  const folder = subordinateFolder(context.reference, inputs.owner, inputs.name);
  const record = await readSubordinate(context.host, folder);
  const specs = await partSpecs(context, inputs);
  if (specs === undefined) return { record, seen: [], specs, drift: ["its backend version is not installed"] };
  const seen = await Promise.all([...specs].map(([part, spec]) => lookAtPart(context, inputs, part, spec)));
  return { record, seen, specs, drift: record === undefined ? ["was never proven"] : [] };
}

function startText({ ray }: SubordinateInputs): string {
  return ray === undefined ? "start its server, and what stands before it" : "start its Ray node";
}

/** @throws BerthError `host-unsuitable` for an environment whose Ray cannot be a node of the cluster */
async function assertPossible(
  context: Context,
  inputs: SubordinateInputs,
  specs: PartSpecs | undefined,
): Promise<void> {
  const python = specs?.get("node")?.argv[0];
  if (python !== undefined) assertVersions(context, inputs, await findVersions(context, python));
}

async function observeRay(
  context: Context,
  inputs: SubordinateInputs,
): Promise<Pick<SubordinateObserved, "versions" | "clusterToken">> {
  if (inputs.ray === undefined) return {};
  const python = (await partSpecs(context, inputs))?.get("node")?.argv[0];
  const versions = python === undefined ? undefined : await findVersions(context, python);
  const token = inputs.ray.role === "head" ? { clusterToken: (await readToken(context, inputs)) ?? "" } : {};
  return { versions: versions ?? "", ...token };
}

/** Pure: what is to be done. What runs as it should, but was started again by itself, is only written down anew. */
export function planSubordinate({
  record,
  seen,
  isDrifted,
}: {
  readonly record: Pick<SubordinateRecord, "pids"> | undefined;
  readonly seen: readonly SeenPart[];
  readonly isDrifted: boolean;
}): "nothing" | "record" | "start" {
  const runs = seen.length > 0 && seen.every(({ drift }) => drift.length === 0);
  if (!runs || isDrifted || record === undefined) return "start";
  return isSame(record, seen) ? "nothing" : "record";
}

/** A primary has lost what it had on a server that came back. */
function describeReturns(record: SubordinateRecord | undefined, seen: readonly SeenPart[]): string[] {
  if (record === undefined || seen.some(({ pid }) => pid === undefined) || isSame(record, seen)) return [];
  return seen.flatMap(({ part, pid }, index) =>
    pid === record.pids[index] ? [] : [`its ${part} came back by itself, and the primary has lost what it had there`],
  );
}

function isSame({ pids }: Pick<SubordinateRecord, "pids">, seen: readonly SeenPart[]): boolean {
  return pids.length === seen.length && seen.every(({ pid }, index) => pid === pids[index]);
}

async function commit(context: Context, inputs: SubordinateInputs): Promise<void> {
  const { seen } = await look(context, inputs);
  const pids = seen.flatMap(({ pid }) => pid ?? []);
  const folder = subordinateFolder(context.reference, inputs.owner, inputs.name);
  const record = { schemaVersion: 1, start: context.newId(), pids, claims: claimedBy(inputs) } as const;
  await writeSubordinate(context.host, folder, record);
}
