import { readdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import { processStart, seesWholeMachine } from "../host/process.js";
import { BerthError } from "../lib/errors.js";
import { nameStack, openPulumi, type Pulumi, type Workplace } from "./workplace.js";

const stateLock = z.object({ pid: z.int(), username: z.string(), hostname: z.string(), timestamp: z.string() });

export type StateLock = z.output<typeof stateLock>;

/** Pulumi's lock names a process by the machine's name and a number alone. */
const blindSpot = `this is a container: a process outside of it on a machine that is called ${hostname()} too could not be seen`;

/**
 * After a kill of the Pulumi CLI: takes its lock off the state, but only when the process that holds it is dead on
 * this machine; then looks at what is really there, and forgets creations that were never finished.
 */
export async function recover(workplace: Workplace, named: string | undefined): Promise<void> {
  const stack = await nameStack(workplace, named);
  const pulumi = await openPulumi(workplace);
  const done = await recoverStack(pulumi, stack);
  workplace.print(
    done.cancelled
      ? `stack ${stack}: the lock of a dead process was taken off the state`
      : `stack ${stack}: the state was not locked`,
  );
  if (done.cancelled && !(await seesWholeMachine())) workplace.note(`   ${blindSpot}`);
  workplace.print(`stack ${stack}: refreshed; interrupted operations are cleared. Next: pulumi up --stack ${stack}`);
}

/** Whether the stack was left behind by a process that is dead; throws when one that lives holds it. */
export async function isAbandoned(pulumi: Pulumi, stack: string): Promise<boolean> {
  const locks = await readStateLocks(pulumi, stack);
  for (const lock of locks) await assertDead(lock);
  return locks.length > 0;
}

export async function recoverStack(pulumi: Pulumi, stack: string): Promise<{ cancelled: boolean }> {
  const cancelled = await isAbandoned(pulumi, stack);
  if (cancelled) await pulumi.expect(["cancel", "--yes", "--stack", stack]);
  await pulumi.expect(["refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--stack", stack]);
  return { cancelled };
}

/** The locks on a stack of a file state. */
async function readStateLocks({ backendUrl, project }: Pulumi, stack: string): Promise<StateLock[]> {
  if (!backendUrl.startsWith("file://")) {
    throw new BerthError("usage", {
      what: "only a state in files can be recovered",
      got: backendUrl,
      hint: "make sure that no update runs, then run `pulumi cancel` and `pulumi refresh --clear-pending-creates`",
    });
  }
  const folder = join(fileURLToPath(backendUrl), ".pulumi", "locks");
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const own = files.filter((file) => file.endsWith(".json") && dirname(file) === join("organization", project, stack));
  return Promise.all(own.map(async (file) => stateLock.parse(JSON.parse(await readFile(join(folder, file), "utf8")))));
}

async function assertDead(lock: StateLock): Promise<void> {
  const holder = `process ${lock.pid} of ${lock.username} on ${lock.hostname}, since ${lock.timestamp}`;
  if (lock.hostname !== hostname()) {
    throw new BerthError("state-locked", {
      what: "the state is locked by a process of another machine",
      got: holder,
      hint: "run `berth recover` there; if that machine is gone for good, run `pulumi cancel`",
    });
  }
  const started = await processStart(lock.pid);
  // A process that began after the lock was made has only the same number.
  if (started === undefined || started.getTime() > Date.parse(lock.timestamp) + 1000) return;
  throw new BerthError("state-locked", {
    what: "the state is locked by a process that is alive",
    got: holder,
    hint: "wait until it is done, or stop it, then run this again",
  });
}
