import { BerthError } from "../lib/errors.js";
import type { HostFacts, HostUsage } from "../schema/facts.js";
import type { HostSelector } from "../schema/selector.js";
import type { DeploymentEntry, StackFile } from "../schema/stack.js";
import { deriveLabels } from "./labels.js";
import { describeSelector, unmetBy, type Labels } from "./selector.js";

const undrain = "add a host, or let one take them again: `berth drain HOST --undo`";

export interface KnownHost {
  readonly facts: HostFacts;
  readonly usage: HostUsage;
  /** What of it could not be found out, and why. */
  readonly warnings?: readonly string[];
  /** Absolute, or relative to the project. */
  readonly dataDir: string;
}

export interface HostChoice {
  readonly stack: StackFile;
  readonly hosts: Readonly<Record<string, KnownHost>>;
  /** Labels that the backend asks for, unless the deployment says which. */
  readonly selector: HostSelector;
}

/**
 * The hosts on which a deployment may run, by name: the one it names, else all that have the labels asked for. Pure.
 *
 * @throws BerthError `stack-inconsistent` when there is none
 */
export function findFitting(choice: HostChoice, name: string, deployment: DeploymentEntry): string[] {
  const { stack } = choice;
  const wanted = deployment.hostSelector ?? choice.selector;
  const all = Object.keys(stack.hosts).sort();
  const open = all.filter((host) => stack.hosts[host]?.drain !== true);
  const fitting = open.filter((host) => unmetBy(labelsOf(choice, host), wanted).length === 0);
  if (deployment.host !== undefined) {
    if (!all.includes(deployment.host))
      throw inconsistent(name, "the stack has no such host", deployment.host, all.join(", "), "correct `host`");
    if (!open.includes(deployment.host))
      throw inconsistent(name, "the host is drained", deployment.host, open.join(", "), "name another host");
    if (fitting.includes(deployment.host)) return [deployment.host];
    throw unfit(choice, name, [deployment.host], wanted);
  }
  if (open.length === 0)
    throw inconsistent(
      name,
      "all hosts of the stack are drained",
      all.join(", "),
      "a host that takes replicas",
      undrain,
    );
  if (fitting.length === 0) throw unfit(choice, name, open, wanted);
  return fitting;
}

/** The labels of a host: what it is, and those that the stack gives it, which count more. */
export function labelsOf({ stack, hosts }: Omit<HostChoice, "selector">, host: string): Labels {
  const facts = hosts[host]?.facts;
  return { ...(facts === undefined ? {} : deriveLabels(facts)), ...stack.hosts[host]?.labels };
}

export function knownHost(hosts: HostChoice["hosts"], name: string): KnownHost {
  const known = hosts[name];
  if (known === undefined) throw new Error(`no facts of host ${name}`);
  return known;
}

function unfit(choice: HostChoice, name: string, hosts: readonly string[], wanted: HostSelector): BerthError {
  const found = hosts.map((host) => {
    const labels = labelsOf(choice, host);
    const values = Object.keys(wanted).map((label) => `${label}=${labels[label] ?? ""}`);
    return `${host}: ${values.join(", ")}`;
  });
  return inconsistent(
    name,
    hosts.length === 1
      ? "the host does not have the labels that are asked for"
      : "no host has the labels that are asked for",
    found.join("; "),
    describeSelector(wanted),
    "choose another host, or say which labels count with `hostSelector`",
  );
}

function inconsistent(deployment: string, what: string, got: string, expected: string, hint: string): BerthError {
  return new BerthError("stack-inconsistent", { where: `deployment ${deployment}`, what, got, expected, hint });
}
