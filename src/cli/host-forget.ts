import { BerthError } from "../lib/errors.js";
import { readState, type StackState, type StateResource } from "./state.js";
import { chooseStack, openPulumi, stackFileOf, type Workplace } from "./workplace.js";

/**
 * Drops a host that is gone for good, with all that is on it, from a stack's state. The host is not asked, and nothing
 * on it is touched.
 */
export async function forgetHost(workplace: Workplace, host: string, named: string | undefined): Promise<void> {
  const stack = await chooseStack(workplace, named);
  const pulumi = await openPulumi(workplace);
  const before = await readState(pulumi, stack);
  const resources = resourcesOn(host, before, stack);
  const extras = extrasOn(host, before);
  // What stands on something is dropped with it, so it may be gone already.
  const left = new Set([...resources, ...extras].map(({ urn }) => urn));
  for (const { urn } of [...resources, ...extras]) {
    if (!left.has(urn)) continue;
    await pulumi.expect(["state", "delete", urn, "--target-dependents", "--yes", "--stack", stack]);
    const state = await readState(pulumi, stack);
    const present = new Set([...(state?.resources ?? []), ...(state?.extras ?? [])].map((resource) => resource.urn));
    for (const each of left) if (!present.has(each)) left.delete(each);
  }
  workplace.print(`stack ${stack}: the state has forgotten host ${host}, nothing on it was touched`);
  for (const { kind, outputs } of resources) workplace.print(`   ${kind} ${String(outputs.name)}`);
  for (const { urn, kind } of extras) workplace.print(`   ${kind} ${nameOf(urn)}`);
  workplace.print(
    `Take ${host} out of ${stackFileOf(workplace.root, stack)}; while it is there, \`pulumi up\` prepares it anew.`,
  );
}

/** The host itself first: what is on it stands on it. */
function resourcesOn(host: string, state: StackState | undefined, stack: string): StateResource[] {
  const all = state?.resources ?? [];
  const found = all.filter(({ outputs }) => hostOf(outputs) === host);
  if (found.length > 0) return found.toSorted((a, b) => Number(b.kind === "Host") - Number(a.kind === "Host"));
  const known = new Set(all.map(({ outputs }) => hostOf(outputs)).filter((name) => name !== undefined));
  throw new BerthError("usage", {
    where: `stack ${stack}`,
    what: "the state has no such host",
    got: host,
    expected: [...known].sort().join(", ") || "no host at all",
  });
}

/** Commands, networks and volumes of the host: their names begin with its own. */
function extrasOn(host: string, state: StackState | undefined): StackState["extras"] {
  return state?.extras.filter(({ urn }) => nameOf(urn).startsWith(`${host}.`)) ?? [];
}

/** The last part of a URN is the resource's name. */
function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

function hostOf({ host }: StateResource["outputs"]): string | undefined {
  return typeof host === "object" && host !== null && "name" in host ? String(host.name) : undefined;
}
