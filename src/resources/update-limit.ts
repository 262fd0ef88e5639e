/** How many replicas of one deployment are updated at a time, within one process: one serves a whole `pulumi up`. */
import pLimit from "p-limit";

import { BerthError } from "../lib/errors.js";

export interface LimitedUpdate {
  /** The replica. */
  readonly name: string;
  /** Of its deployment, unique among all owners. */
  readonly deployment: string;
  /** Kinds of updates have a limit each. */
  readonly kind: string;
  readonly atOnce: number;
  /** Whether it leads to something new: then it is not begun after the failure of another, nor are others after its. */
  readonly isNew: boolean;
}

/** Holds updates back until it is their turn, in the order in which they came. */
export class UpdateLimit {
  readonly #limits = new Map<string, ReturnType<typeof pLimit>>();
  /** The replica of a deployment whose update failed. */
  readonly #failed = new Map<string, string>();

  /** @throws BerthError `rollout-stopped` when the update of another replica failed before this one's turn came */
  async run<T>(limited: LimitedUpdate, update: () => Promise<T>): Promise<T> {
    return this.#limitOf(limited)(async () => {
      const { name, deployment, isNew } = limited;
      const failed = this.#failed.get(deployment);
      if (isNew && failed !== undefined) throw notBegun(name, failed);
      try {
        return await update();
      } catch (error) {
        if (isNew && failed === undefined) this.#failed.set(deployment, name);
        throw error;
      }
    });
  }

  #limitOf({ deployment, kind, atOnce }: LimitedUpdate): ReturnType<typeof pLimit> {
    const key = `${deployment} ${kind}`;
    const limit = this.#limits.get(key) ?? pLimit(atOnce);
    this.#limits.set(key, limit);
    return limit;
  }
}

function notBegun(name: string, failed: string): BerthError {
  return new BerthError("rollout-stopped", {
    where: name,
    what: `its update was not begun, because that of ${failed} failed; nothing of it was touched`,
    hint: `mend what ${failed} tells, and run \`pulumi up\` again`,
  });
}
