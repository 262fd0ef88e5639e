import { BerthError } from "../lib/errors.js";
import { hostState, type HostState } from "./host-state.js";
import { nameOf, readState } from "./state.js";
import { nameStack, openPulumi, stackFileOf, type Workplace } from "./workplace.js";

/**
 * Drops a host that is gone for good, with all that is on it, from a stack's state. The host is not asked, and nothing
 * on it is touched.
 */
export async function forgetHost(workplace: Workplace, host: string, named: string | undefined): Promise<void> {
  const stack = await nameStack(workplace, named);
  const pulumi = await openPulumi(workplace);
  const before = await readState(pulumi, stack);
  const found = hostState(host, before ?? { resources: [], extras: [] });
  assertKnown(host, found, stack);
  const { resources, extras } = found;
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

function assertKnown(host: string, { resources, extras, known }: HostState, stack: string): void {
  if (resources.length + extras.length > 0) return;
  throw new BerthError("usage", {
    where: `stack ${stack}`,
    what: "the state has no such host",
    got: host,
    expected: known.join(", ") || "no host at all",
  });
}
