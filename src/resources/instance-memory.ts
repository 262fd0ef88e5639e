/** The memory that an instance was placed with has to be free before its runner starts, and before another stops. */
import { judgeRoom, type RoomVerdict, type Tenant } from "../health/device-room.js";
import { isPart, isSameReplica, replicaOf, type Holder } from "../host/claim-conflict.js";
import { listClaims } from "../host/claims.js";
import type { Host } from "../host/host.js";
import { availableMemory } from "../host/memory.js";
import { findProcessMemory } from "../host/process-memory.js";
import { familyOf, findProcessTable } from "../host/process-table.js";
import { BerthError } from "../lib/errors.js";
import { formatMemory } from "../lib/format.js";
import { deviceShare } from "../planner/device-share.js";
import { claimPlace } from "./instance-claims.js";
import { vendorsOf } from "./instance-devices.js";
import { endingBefore, type Generation } from "./instance-plan.js";
import { findProcesses, pidsAmong, type InstanceProcesses } from "./instance-processes.js";
import type { InstanceWork } from "./instance-steps.js";
import { isAmong, type Going } from "./instance-succession.js";

/**
 * Resolves when each device has the memory that is to be taken of it, where that cannot be told, and where no runner is
 * to start. Too little of the host's own is a warning: what seems taken may be pages of files.
 *
 * @param going where a foreign runner is replaced, nobody knows what it gives back
 * @throws BerthError `host-unsuitable` with who has the memory
 */
export async function assertMemory(work: InstanceWork, { replaced, leaving: others }: Going): Promise<void> {
  const { context, inputs } = work;
  const { memory } = inputs;
  const leaving = endingBefore(work.desired, work.seen, work.port);
  if (memory === undefined || leaving === undefined) return;
  const own = splitProcesses(await findProcesses(context, { owner: inputs.owner, instance: inputs.name }), leaving);
  const gone = await Promise.all(others.holders.map((holder) => findProcesses(context, holder)));
  const ending = [...own.ending, ...gone.flatMap(pidsAmong)];
  const share = Object.entries(deviceShare(memory) ?? {});
  if (share.length === 0) return memory.basis === "whole" ? undefined : warnOfHost(work, memory.hostBytes, ending);
  const place = await claimPlace(work);
  const { accelerators } = await context.facts();
  const vendors = vendorsOf(
    share.map(([device]) => device),
    accelerators,
  );
  const use = await context.acceleratorUse.now({ vendors, signal: context.signal });
  const tenants = await findTenants(work, isAmong(others));
  for (const [device, needBytes] of share) {
    const verdict = judgeRoom({
      ...{ device, needBytes, totalBytes: place.roomOf(device), use },
      leaving: ending,
      staying: own.staying,
      tenants: tenants.filter((tenant) => tenant.device === device),
    });
    settle(work, { device, needBytes, verdict, isCertain: replaced === undefined });
  }
}

/** What an instance has that ends before its runner starts, and what goes on. */
function splitProcesses({ runners, subordinates }: InstanceProcesses, leaving: ReadonlySet<Generation>) {
  const ended = runners.filter(({ generation }) => leaving.has(generation)).map(({ pid }) => pid);
  const going = runners.filter(({ generation }) => !leaving.has(generation)).map(({ pid }) => pid);
  // What subordinates hold they hold for a runner: it goes with the last one.
  if (going.length > 0) return { ending: ended, staying: [...going, ...subordinates] };
  return { ending: [...ended, ...subordinates], staying: [] };
}

interface Judged {
  readonly device: string;
  readonly needBytes: number;
  readonly verdict: RoomVerdict;
  readonly isCertain: boolean;
}

function settle({ context, inputs }: InstanceWork, { device, needBytes, verdict, isCertain }: Judged): void {
  const warn = (text: string) => {
    context.log({ kind: "warning", subject: inputs.name, text });
  };
  switch (verdict.kind) {
    case "enough":
      return;
    case "unknown":
      warn(`whether its memory is free is unknown: ${verdict.reason}`);
      return;
    case "short": {
      const { freeBytes, totalBytes, users } = verdict;
      const free = `${formatMemory(freeBytes)} free of ${formatMemory(totalBytes)}`;
      const got = [`device ${device}: ${free}`, ...users].join("; ");
      if (!isCertain) {
        warn(`needs ${formatMemory(needBytes)}, but ${got}`);
        return;
      }
      throw new BerthError("host-unsuitable", {
        where: `host ${context.host.name}: ${inputs.name}`,
        what: "its device has too little free memory, so nothing was stopped or started",
        got,
        expected: `${formatMemory(needBytes)} of device ${device}`,
        hint: "end what uses the device, or run `berth lock`, which looks at the host again and finds another place",
      });
    }
  }
}

/** Other instances that have parts of the devices and stay. */
async function findTenants(
  { context, inputs }: InstanceWork,
  isLeaving: (holder: Holder) => boolean,
): Promise<(Tenant & { readonly device: string })[]> {
  const { host, reference, clock } = context;
  const own = { owner: inputs.owner, instance: inputs.name };
  const claims = await listClaims({ host, dataDir: reference.dataDir, now: clock.now() });
  const shares = claims.filter(isPart).filter((claim) => !isSameReplica(claim, own) && !isLeaving(claim));
  const wanted = shares.filter(({ device }) => inputs.devices?.includes(device) === true);
  return Promise.all(
    wanted.map(async ({ device, bytes, ...holder }) => {
      const pids = pidsAmong(await findProcesses(context, replicaOf(holder)));
      return { device, bytes, pids, name: `${holder.owner}, ${holder.instance}` };
    }),
  );
}

/** @param ending first processes of runners that give back what they have before the new one starts */
async function warnOfHost(
  { context, inputs }: InstanceWork,
  needBytes: number,
  ending: readonly number[],
): Promise<void> {
  const available = await availableMemory(context.host);
  if (available === undefined || available >= needBytes) return;
  const free = available + (ending.length === 0 ? 0 : await givenBack(context.host, ending));
  if (free >= needBytes) return;
  const text = `needs ${formatMemory(needBytes)} of the host's memory, of which ${formatMemory(free)} is available`;
  context.log({ kind: "warning", subject: inputs.name, text });
}

/** Pages of files that runners map are available already. */
async function givenBack(host: Host, pids: readonly number[]): Promise<number> {
  const table = await findProcessTable(host);
  const families = new Set(pids.flatMap((pid) => [...familyOf(pid, table)]));
  const memory = await findProcessMemory(host, [...families]);
  return [...memory.values()].reduce((sum, { anonymousBytes = 0 }) => sum + anonymousBytes, 0);
}
