/** What would make a change of an instance fail is told before anything on its host is touched. */
import { alreadyClaimed } from "../host/claim-conflict.js";
import { findRivals } from "../host/claims.js";
import { findListener } from "../host/listener.js";
import { BerthError } from "../lib/errors.js";
import { findPublishedPorts } from "../runtime/docker-sight.js";
import { findRunner } from "../runtime/runner-files.js";
import { claimPlace, neededClaims } from "./instance-claims.js";
import { generationFolder } from "./instance-files.js";
import { assertMemory } from "./instance-memory.js";
import type { InstanceWork } from "./instance-steps.js";
import { isAmong, type Going } from "./instance-succession.js";
import { assertPresent } from "./present-devices.js";

/** @throws BerthError when the runner's files, port, devices or memory are not there for it */
export async function assertPossible(work: InstanceWork, { replaced, leaving }: Going): Promise<void> {
  assertOneVersion(work);
  await assertFiles(work);
  const { context, inputs } = work;
  const [conflict] = await findRivals(await claimPlace(work), neededClaims(work), isAmong(leaving));
  if (conflict !== undefined) throw alreadyClaimed(`host ${context.host.name}: ${inputs.name}`, conflict);
  await assertPort({ ...work, givenUp: [...(replaced?.ports ?? []), ...leaving.ports] });
  await assertPresent(context, inputs);
  await assertMemory(work, { replaced, leaving });
}

/** Engines of two versions understand each other by chance alone. */
function assertOneVersion({ context: { host }, inputs }: InstanceWork): void {
  const { name, backend, backendVersion, subordinates = [] } = inputs;
  const odd = subordinates.filter((each) => each.backendVersion !== backendVersion);
  if (odd.length === 0) return;
  throw new BerthError("host-unsuitable", {
    where: `host ${host.name}: ${name}`,
    what: "not all parts of the instance have the same version of the backend",
    got: odd.map((each) => `${each.name} has ${each.backendVersion}`).join("; "),
    expected: `${backend} ${backendVersion} for all of them`,
    hint: "run `pulumi up` for the whole stack",
  });
}

interface PortWork extends InstanceWork {
  /** Ports of what goes before the runner starts. */
  readonly givenUp: readonly number[];
}

async function assertFiles({ context: { host }, inputs }: InstanceWork): Promise<void> {
  // What a container runs is in its image.
  const executable = inputs.container === undefined ? [inputs.argv[0] ?? ""] : [];
  for (const path of [...executable, inputs.modelPath]) {
    if ((await host.status(path)) === undefined) {
      throw new BerthError("file-not-found", {
        where: `host ${host.name}: ${path}`,
        what: "the runner needs a file that is not there",
        hint: "run `pulumi up` with refresh, so that what is missing is put in place first",
      });
    }
  }
}

async function assertPort(work: PortWork): Promise<void> {
  const { context, inputs, record, seen, port, givenUp } = work;
  const running = await findOwnRunning(work);
  const isDirect = (generation: string) => record.ports?.[generation] === undefined;
  if (port !== undefined) {
    const hasPort = running.some((generation) => record.ports?.[generation] === port);
    if (!hasPort) await assertFree(work, port);
    // Of one that it had before, the gateway knows more.
    const isKnown = seen.active !== undefined || record.target?.port === inputs.port;
    return isKnown || running.some(isDirect) ? undefined : assertFree(work, inputs.port);
  }
  // Behind the gateway the port is the gateway's, which gives it up first.
  const isOwn = record.target === undefined || record.target.port === inputs.port;
  if (isOwn && (running.length > 0 || seen.active !== undefined)) return;
  return assertFree({ context, inputs, givenUp }, inputs.port);
}

/** Generations that run, whoever supervises them. */
async function findOwnRunning({ context: { host }, folder, seen }: InstanceWork): Promise<string[]> {
  const runs = await Promise.all(
    seen.generations.map(
      async ({ generation, running }) =>
        running || (await findRunner(host, generationFolder(folder, generation))) !== undefined,
    ),
  );
  return seen.generations.filter((_, index) => runs[index]).map(({ generation }) => generation);
}

async function assertFree(
  { context: { host, containerEngine }, inputs, givenUp }: Pick<PortWork, "context" | "inputs" | "givenUp">,
  port: number,
) {
  if (givenUp.includes(port)) return;
  const isTaken = (await host.listeningPorts()).has(port);
  if (!isTaken && !(await findPublishedPorts(host, containerEngine)).includes(port)) return;
  const listener = await findListener(host, port);
  throw new BerthError("port-in-use", {
    where: `host ${host.name}: ${inputs.name}`,
    what: `port ${port} is taken by another process`,
    ...(listener === undefined ? {} : { got: listener }),
    hint: `stop that process${
      listener === undefined ? ` (ss -ltnp "sport = :${port}" tells root which it is)` : ""
    }, or give the deployment another port`,
  });
}
