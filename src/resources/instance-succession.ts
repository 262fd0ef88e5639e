/**
 * What one instance has and another of its stack is to get. Pulumi deletes last what is not wanted any more; where a
 * new runner needs its port or its devices, it goes before that starts.
 */
import { isSameHolder, type Holder } from "../host/claim-conflict.js";
import { findRivals, instanceKey, listClaims } from "../host/claims.js";
import { readEntry, removeEntry } from "../host/journal.js";
import type { ForeignRunner } from "../runtime/supervisor.js";
import { claimPlace, neededClaims } from "./instance-claims.js";
import { removeInstance } from "./instance-removal.js";
import type { InstanceWork } from "./instance-steps.js";
import type { Operation } from "./kind.js";

/** Instances that go before another starts. */
export interface Leaving {
  readonly holders: readonly Holder[];
  /** What they listen on. */
  readonly ports: readonly number[];
}

/** What goes before a runner starts: what it has is as good as free. */
export interface Going {
  /** A runner that is not Berth's. */
  readonly replaced?: ForeignRunner | undefined;
  readonly leaving: Leaving;
}

export function isAmong({ holders }: Pick<Leaving, "holders">): (holder: Holder) => boolean {
  return (holder) => holders.some((each) => isSameHolder(each, holder));
}

/** Those of the stack that nobody wants any more and that have what the inputs ask for. */
export async function findLeaving(work: InstanceWork): Promise<Leaving> {
  const { host, reference } = work.context;
  const place = await claimPlace(work);
  const rivals = (await findRivals(place, neededClaims(work))).flatMap((conflict) => conflict.rivals);
  const names = new Set(rivals.filter(({ owner }) => owner === work.inputs.owner).map(({ instance }) => instance));
  const holders: Holder[] = [];
  for (const instance of names) {
    const holder = { owner: work.inputs.owner, instance };
    const entry = await readEntry(host, reference.dataDir, instanceKey(holder));
    if (entry?.unwanted === true) holders.push(holder);
  }
  const claims = holders.length === 0 ? [] : (await listClaims(place)).filter(isAmong({ holders }));
  return { holders, ports: claims.flatMap((claim) => ("port" in claim ? [claim.port] : [])) };
}

/** Takes them away; Pulumi's own deletion finds nothing of them then. */
export async function removeLeaving(work: InstanceWork, operation: Operation, { holders }: Leaving): Promise<void> {
  const { host, reference, serial } = work.context;
  for (const holder of holders) {
    const key = instanceKey(holder);
    const its: Operation = {
      isFirst: false,
      seenClaims: operation.seenClaims,
      step: (name, action) => operation.step(`take away ${holder.instance}, which is not wanted: ${name}`, action),
    };
    // Others may come to what it has as well.
    await serial.run(`${reference.name} ${reference.dataDir} ${key.uses}`, async () => {
      await removeInstance(work.context, its, key);
      await removeEntry(host, reference.dataDir, key);
    });
  }
}
