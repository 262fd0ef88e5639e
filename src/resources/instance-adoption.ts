/** What is done about a runner that is there before its instance is created, and that the state does not know. */
import { BerthError } from "../lib/errors.js";
import type { ForeignRunner } from "../runtime/supervisor.js";
import type { InstanceInputs } from "./instance-inputs.js";
import type { InstanceWork } from "./instance-steps.js";
import type { Operation } from "./kind.js";
import { isEngineGone } from "./operation.js";

export interface Met {
  readonly adopt: InstanceInputs["adopt"];
  /** Whether the state cannot know of it: what an interrupted creation has left is no stranger. */
  readonly isFirst: boolean;
  /** Something of the same owner and instance is there, by its record, its files or its labels. */
  readonly own: boolean;
  /** Somebody else's has the runner's place. */
  readonly foreign: boolean;
}

/** `go`: nothing is in the way, and what is its own goes on, or is changed as by an update. Pure. */
export function decideAdoption({
  adopt = "ifLabelled",
  isFirst,
  own,
  foreign,
}: Met): "go" | "replace" | "refuseOwn" | "refuseForeign" {
  if (foreign) return adopt === "always" ? "replace" : "refuseForeign";
  return own && isFirst && adopt === "never" ? "refuseOwn" : "go";
}

/**
 * Decides about what is there.
 *
 * @returns what is somebody else's and to be replaced
 * @throws BerthError `adoption-refused` for the instance's own, `host-foreign` for somebody else's
 */
export async function assertAdoptable(work: InstanceWork, operation: Operation): Promise<ForeignRunner | undefined> {
  const { context, inputs, record, seen, spec } = work;
  const foreign = await context.supervisor(inputs.runtime).place?.findForeign(spec);
  const own = record.current !== undefined || seen.generations.length > 0;
  const { adopt } = inputs;
  const where = `host ${context.host.name}: ${inputs.name}`;
  switch (decideAdoption({ adopt, isFirst: operation.isFirst, own, foreign: foreign !== undefined })) {
    case "go":
      return undefined;
    case "replace":
      return foreign;
    case "refuseOwn":
      throw refuseOwn(where, work);
    case "refuseForeign":
      throw refuseForeign(where, foreign);
  }
}

/**
 * Runs a change for which something foreign goes: it is put aside first, and removed when the change has come to its
 * end. When that fails, it is given back. What an interrupted run has put aside counts too.
 */
export async function replaceForeign(
  { context, inputs, spec }: InstanceWork,
  operation: Operation,
  foreign: ForeignRunner | undefined,
  change: () => Promise<void>,
): Promise<void> {
  const supervisor = context.supervisor(inputs.runtime);
  const { place } = supervisor;
  if (place === undefined) return change();
  try {
    if (foreign !== undefined) await operation.step("put aside what has its name", () => place.clear(spec));
    await change();
  } catch (error) {
    if (isEngineGone(error) || context.gone.aborted || !(await place.isCleared(spec))) throw error;
    await operation.step("give its name back", () => supervisor.remove(spec));
    throw error;
  }
  if (await place.isCleared(spec)) await operation.step("remove what had its name", () => place.settle(spec));
}

function refuseOwn(where: string, { inputs, record, seen }: InstanceWork): BerthError {
  const names = [...new Set([record.current, ...seen.generations.map(({ generation }) => generation)])];
  const known = names.filter((name) => name !== undefined);
  return new BerthError("adoption-refused", {
    where,
    what: "a runner of this instance is on the host already, and the state does not know it (`adopt: never`)",
    got: `${inputs.owner}, ${inputs.name}: ${known.join(", ")}`,
    expected: "no runner of this instance",
    hint: "say `adopt: ifLabelled` and run `pulumi up`, which goes on with it; to be rid of it, take the deployment out of the stack file then",
  });
}

function refuseForeign(where: string, foreign: ForeignRunner | undefined): BerthError {
  return new BerthError("host-foreign", {
    where,
    what: "another container has the name of the runner's, and is not its own",
    got: foreign?.what ?? "",
    expected: "no container of that name, or the instance's own",
    hint: `remove it (${foreign?.command ?? ""}), rename it, or say \`adopt: always\`, which replaces it, and run \`pulumi up\` again`,
  });
}
