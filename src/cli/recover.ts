import { hostname } from "node:os";

import { seesWholeMachine } from "../host/process.js";
import { BerthError } from "../lib/errors.js";
import { describeHolder, holderState, readStateLocks, type StateLock } from "./state-locks.js";
import { nameStack, openPulumi, type Pulumi, type Workplace } from "./workplace.js";

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
  const locks = await expectStateLocks(pulumi, stack);
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
async function expectStateLocks(pulumi: Pulumi, stack: string): Promise<StateLock[]> {
  const locks = await readStateLocks(pulumi, stack);
  if (locks !== undefined) return locks;
  throw new BerthError("usage", {
    what: "only a state in files can be recovered",
    got: pulumi.backendUrl,
    hint: "make sure that no update runs, then run `pulumi cancel` and `pulumi refresh --clear-pending-creates`",
  });
}

async function assertDead(lock: StateLock): Promise<void> {
  const state = await holderState(lock);
  if (state === "dead") return;
  const got = describeHolder(lock);
  throw new BerthError(
    "state-locked",
    state === "unknown"
      ? {
          what: "the state is locked by a process of another machine",
          got,
          hint: "run `berth recover` there; if that machine is gone for good, run `pulumi cancel`",
        }
      : {
          what: "the state is locked by a process that is alive",
          got,
          hint: "wait until it is done, or stop it, then run this again",
        },
  );
}
