import { posix } from "node:path";

import pLimit from "p-limit";
import { z } from "zod";

import { sha256 } from "../lib/canonical.js";
import type { Clock } from "../lib/clock.js";
import { BerthError, systemCode } from "../lib/errors.js";
import { dataPaths } from "./paths.js";
import type { Host } from "./host.js";

/** A holder that has not shown itself for this long is dead, wherever it ran. */
export const lockTtlSeconds = 45;
export const lockHeartbeatSeconds = 10;
const pollSeconds = 0.5;
const mostCreations = 3;

const lockHolder = z.strictObject({
  /** Changes with every acquisition. */
  id: z.string(),
  /** `project/stack` on whose behalf the host is changed. */
  owner: z.string(),
  /** The machine where the holding process runs, this boot. */
  machine: z.string(),
  /** That process: `<pid>:<start>`. */
  process: z.string(),
  heartbeatAt: z.iso.datetime(),
});

export type LockHolder = z.output<typeof lockHolder>;

export interface LockRequest {
  id: string;
  owner: string;
  machine: string;
  process: string;
  clock: Clock;
  /** Whether a process of this machine is alive. */
  isAlive: (process: string) => Promise<boolean>;
  waitSeconds: number;
  /** Called once when somebody else holds the lock. */
  onWait?: (holder: LockHolder) => void;
  signal?: AbortSignal;
}

export interface HeldLock {
  /** Shows that the holder is alive. Call it every {@link lockHeartbeatSeconds}. */
  beat(): Promise<void>;
  release(): Promise<void>;
}

/** A file that one run at a time has, and how errors speak of it. */
export interface LockPlace {
  readonly path: string;
  /** A host, or a folder. */
  readonly where: string;
  /** What somebody else does there. */
  readonly busy: string;
}

/**
 * Takes the host lock: whoever changes a host holds it, so that two runs never give out one port twice. Waits, then
 * refuses with `host-busy` and names the holder. A holder whose process is dead, or that has shown no sign of life
 * for {@link lockTtlSeconds}, is taken over.
 */
export function acquireHostLock(host: Host, dataDir: string, request: LockRequest): Promise<HeldLock> {
  const place = { path: dataPaths(dataDir).lock, where: `host ${host.name}`, busy: "another run changes this host" };
  return acquireLock(host, place, request);
}

/** The same of any file of a host. */
export async function acquireLock(host: Host, place: LockPlace, request: LockRequest): Promise<HeldLock> {
  const { path } = place;
  const { clock } = request;
  const deadline = clock.now().getTime() + request.waitSeconds * 1000;
  let told = false;
  for (;;) {
    if (await create(host, path, content(request))) return held(host, path, request);
    const found = await readHolder(host, path);
    if (found === undefined) continue;
    if (await isStale(found.holder, request)) {
      if (await takeOver(host, path, found, request)) return held(host, path, request);
      continue;
    }
    if (!told) request.onWait?.(found.holder);
    told = true;
    if (clock.now().getTime() >= deadline) throw busy(place, found.holder);
    await clock.sleep(pollSeconds, request.signal);
  }
}

/** The folder that is made for the file may be removed at that moment, with what another stack took away there. */
async function create(host: Host, path: string, text: string): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await host.createFile(path, text);
    } catch (error) {
      if (systemCode(error) !== "ENOENT" || tries === mostCreations) throw error;
    }
  }
}

/** Who holds the host's lock now, dead or alive. */
export async function readHostLock(host: Host, dataDir: string): Promise<LockHolder | undefined> {
  return (await readHolder(host, dataPaths(dataDir).lock))?.holder;
}

function held(host: Host, path: string, request: LockRequest): HeldLock {
  const isMine = async () => (await readHolder(host, path))?.holder.id === request.id;
  // A sign of life that is written after the lock was given back would hold it for ever.
  const inTurn = pLimit(1);
  return {
    beat: () =>
      inTurn(async () => {
        if (await isMine()) await host.writeFile(path, content(request), 0o600);
      }),
    release: () =>
      inTurn(async () => {
        if (!(await isMine())) return;
        await host.remove(path);
        // Whoever took the last thing away leaves no empty folder behind.
        await host.removeIfEmpty(posix.dirname(path));
      }),
  };
}

function content({ id, owner, machine, process, clock }: LockRequest): string {
  const holder: LockHolder = { id, owner, machine, process, heartbeatAt: clock.now().toISOString() };
  return `${JSON.stringify(holder)}\n`;
}

async function isStale(holder: LockHolder, { clock, machine, isAlive }: LockRequest): Promise<boolean> {
  if (holder.machine === machine) return !(await isAlive(holder.process));
  return clock.now().getTime() - Date.parse(holder.heartbeatAt) > lockTtlSeconds * 1000;
}

/**
 * Puts our lock in the place of a stale one. Of several that judged the same lock stale only one gets to do it: the
 * one that creates the file which names the stale holder.
 */
async function takeOver(host: Host, path: string, stale: Found, request: LockRequest): Promise<boolean> {
  const { clock } = request;
  const claim = `${path}.${sha256(stale.holder.id).slice(0, 12)}.takeover`;
  if (!(await host.createFile(claim, clock.now().toISOString()))) {
    const claimed = await host.readText(claim);
    if (claimed !== undefined && !isRecent(claimed, clock)) await host.remove(claim);
    await clock.sleep(pollSeconds, request.signal);
    return false;
  }
  try {
    const present = await readHolder(host, path);
    if (present?.text !== stale.text) return false;
    await host.writeFile(path, content(request), 0o600);
    return true;
  } finally {
    await host.remove(claim);
  }
}

/** Whether a time is at most the lock's time to live away; one in the future, by a clock that was wrong, is not for ever. */
function isRecent(time: string, clock: Clock): boolean {
  return Math.abs(clock.now().getTime() - Date.parse(time)) <= lockTtlSeconds * 1000;
}

interface Found {
  holder: LockHolder;
  text: string;
}

async function readHolder(host: Host, path: string): Promise<Found | undefined> {
  const text = await host.readText(path);
  if (text === undefined) return undefined;
  const parsed = lockHolder.safeParse(parseJson(text));
  if (parsed.success) return { holder: parsed.data, text };
  throw new BerthError("host-foreign", {
    where: `host ${host.name}: ${path}`,
    what: "the lock is not one that Berth wrote",
    hint: "look at the file, and delete it if no other program uses this folder",
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function busy({ where, busy: what }: LockPlace, holder: LockHolder): BerthError {
  return new BerthError("host-busy", {
    where,
    what,
    got: `locked by ${holder.owner}, process ${holder.process.split(":")[0] ?? ""} on ${holder.machine}, last sign of life ${holder.heartbeatAt}`,
    hint: "wait until it is done, then run this again",
  });
}
