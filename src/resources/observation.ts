import { describeOpen, readEntry, type ResourceKey } from "../host/journal.js";
import type { CommonInputs, CommonObserved, Context, ResourceKind } from "./kind.js";

/**
 * What a resource is now: what its kind sees, and what the host's journal tells of this creation of it. Secrets are
 * replaced in its drift.
 */
export async function observeResource<Inputs extends CommonInputs, Observed extends CommonObserved>(
  kind: ResourceKind<Inputs, Observed>,
  context: Context,
  inputs: Inputs,
  identity: string,
  previous?: Observed,
): Promise<Observed> {
  const entry = await readEntry(context.host, context.reference.dataDir, keyOf(kind, inputs));
  const observed = await kind.observe(context, inputs, previous);
  const drift = [...observed.drift];
  if (entry === undefined) drift.unshift("is gone from the host");
  else if (entry.identity !== identity) drift.unshift("was created anew by another run");
  if (entry?.open !== undefined) drift.unshift(`an operation was interrupted (${describeOpen(entry.open)})`);
  return { ...observed, drift: drift.map((sentence) => context.redact(sentence)) };
}

/** What the journal knows a resource by. */
export function keyOf<Inputs extends CommonInputs, Observed extends CommonObserved>(
  kind: ResourceKind<Inputs, Observed>,
  inputs: Inputs,
): ResourceKey {
  return { owner: inputs.owner, kind: kind.kind, name: inputs.name, uses: kind.uses(inputs) };
}
