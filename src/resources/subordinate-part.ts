/** The processes of which a subordinate consists. */
import { posix } from "node:path";

import { BerthError } from "../lib/errors.js";
import { readOutput } from "../runtime/runner-files.js";
import { runnerId } from "../runtime/runner-id.js";
import type { RunnerDefinition, RunnerSpec } from "../runtime/supervisor.js";
import { instanceFolder } from "./instance-files.js";
import type { Context } from "./kind.js";

/**
 * In the order in which they start: a node of a Ray cluster, or an RPC server and what stands before it. With how long
 * each may take to start and to stop, seconds.
 */
const times = {
  node: { startSeconds: 120, stopSeconds: 10 },
  server: { startSeconds: 30, stopSeconds: 5 },
  relay: { startSeconds: 30, stopSeconds: 5 },
} as const;

export type Part = keyof typeof times;
export const parts = ["node", "server", "relay"] as const satisfies readonly Part[];

/** What is to be run, part by part. */
export type PartSpecs = ReadonlyMap<Part, RunnerSpec>;

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function subordinateFolder({ dataDir }: { readonly dataDir: string }, owner: string, name: string): string {
  return instanceFolder(dataDir, owner, name);
}

/** How the supervisor knows a part. */
export function partDefinition(folder: string, part: Part): RunnerDefinition {
  return { id: runnerId(folder, part), folder: posix.join(folder, part), ...times[part] };
}

/** @param folder the subordinate's */
export function specOfPart(
  folder: string,
  part: Part,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): RunnerSpec {
  const definition = partDefinition(folder, part);
  const base = { PATH: searchPath, HOME: definition.folder, LANG: "C.UTF-8" };
  return { ...definition, argv, environment: { ...base, ...environment } };
}

export interface SeenPart {
  readonly part: Part;
  /** Undefined where it does not run. */
  readonly pid: number | undefined;
  readonly drift: readonly string[];
}

/** Why a part did not start, with what it wrote. @param said by what was asked beside it */
export async function notUp(
  { host, redact }: Context,
  { name }: { readonly name: string },
  { folder }: RunnerSpec,
  what: string,
  said = "",
): Promise<BerthError> {
  const output = await readOutput(host, folder, 20);
  return new BerthError("runner-failed", {
    where: `host ${host.name}: ${name}`,
    what,
    detail: redact([said, output].filter((text) => text !== "").join("\n")),
  });
}
