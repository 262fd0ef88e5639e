/** A fleet as it would be with other hosts. Pure. */
import { BerthError } from "../lib/errors.js";
import type { HostEntry, StackFile } from "../schema/stack.js";

/** What somebody asks about the hosts of a stack. */
export interface WhatIf {
  /** Hosts whose replicas would go elsewhere. */
  readonly drained: readonly string[];
  /** Hosts that would not be there. */
  readonly removed: readonly string[];
  /** Hosts that would be there too, each like one that is. */
  readonly added: readonly { readonly name: string; readonly like: string }[];
}

export function isAsked({ drained, removed, added }: WhatIf): boolean {
  return drained.length + removed.length + added.length > 0;
}

/**
 * The stack with these hosts.
 *
 * @throws BerthError `usage` for hosts that the stack does not have, and for new ones that it has
 */
export function changeHosts(stack: StackFile, { drained, removed, added }: WhatIf): StackFile {
  for (const name of [...drained, ...removed, ...added.map(({ like }) => like)]) assertHost(stack, name);
  const kept = Object.entries(stack.hosts)
    .filter(([name]) => !removed.includes(name))
    .map(([name, entry]): [string, HostEntry] => [name, drained.includes(name) ? { ...entry, drain: true } : entry]);
  const more = added.map(({ name, like }) => addHost(stack, name, like));
  if (kept.length + more.length === 0) throw new BerthError("usage", { what: "no host would be left" });
  return { ...stack, hosts: Object.fromEntries([...kept, ...more]) };
}

/** Another machine, whose name is its address. */
function addHost(stack: StackFile, name: string, like: string): [string, HostEntry] {
  if (Object.hasOwn(stack.hosts, name))
    throw new BerthError("usage", { what: "the stack has a host of this name", got: name, expected: "a new name" });
  const entry = assertHost(stack, like);
  const { drain: _, ...rest } = entry;
  return [name, { ...rest, connection: "ssh", ssh: { ...entry.ssh, address: name } }];
}

function assertHost({ hosts }: StackFile, name: string): HostEntry {
  const entry = Object.hasOwn(hosts, name) ? hosts[name] : undefined;
  if (entry !== undefined) return entry;
  const expected = Object.keys(hosts).join(" or ");
  throw new BerthError("usage", { what: "the stack has no such host", got: name, expected });
}
