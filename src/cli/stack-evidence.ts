import { randomBytes } from "node:crypto";

import { systemClock } from "../lib/clock.js";
import { lockPath } from "../lock/lock-file.js";
import type { Evidence } from "../schema/evidence.js";
import type { Gates } from "../schema/gates.js";
import type { LockFile } from "../schema/lock.js";
import { openContexts } from "./contexts.js";
import { gatherEvidence } from "./evidence.js";
import { findCommit } from "./git-commit.js";
import { readState } from "./state.js";
import { stackFileOf, type Pulumi, type Workplace } from "./workplace.js";

/** Who looks at stacks. */
export interface Onlooker {
  readonly workplace: Workplace;
  readonly pulumi: Pulumi;
  readonly signal: AbortSignal;
}

/** What is looked at, and what it is asked. */
export interface Subject {
  readonly environment: string;
  readonly lock: LockFile;
  /** Without any it is told whether deployments are applied and healthy, and no more. */
  readonly gates: Gates;
  /** These deployments alone. */
  readonly only?: readonly string[] | undefined;
}

/** Gathers evidence of a stack by its state and its hosts as they are now; see {@link gatherEvidence}. */
export async function lookAtStack({ workplace, pulumi, signal }: Onlooker, subject: Subject): Promise<Evidence> {
  const { root } = workplace;
  const { environment } = subject;
  const owner = `${pulumi.project}/${environment}`;
  const [state, commit] = await Promise.all([
    readState(pulumi, environment),
    findCommit(root, lockPath(stackFileOf(root, environment))),
  ]);
  const contexts = openContexts(workplace, signal);
  const salt = randomBytes(6).toString("hex");
  const note = (text: string) => workplace.note(text);
  return gatherEvidence(
    { ...subject, root, owner, state, commit },
    { contexts, clock: systemClock, signal, salt, note },
  );
}
