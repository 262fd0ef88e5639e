import { BerthError } from "../lib/errors.js";
import type { HostFacts, HostUsage } from "../schema/facts.js";
import type { HostSelector } from "../schema/selector.js";
import type { DeploymentEntry, StackFile } from "../schema/stack.js";
import { deriveLabels } from "./labels.js";
import { describeSelector, unmetBy, type Labels } from "./selector.js";

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
 * The host of a deployment: the one it names, else the only one that has the labels asked for. Pure.
 *
 * @throws BerthError `stack-inconsistent` when there is none, or several
 */
export function chooseHost(choice: HostChoice, name: string, deployment: DeploymentEntry): string {
  const { stack } = choice;
  const wanted = deployment.hostSelector ?? choice.selector;
  const all = Object.keys(stack.hosts).sort();
  const fitting = all.filter((host) => unmetBy(labelsOf(choice, host), wanted).length === 0);
  if (deployment.host !== undefined) {
    if (!all.includes(deployment.host))
      throw inconsistent(name, "the stack has no such host", deployment.host, all.join(", "), "correct `host`");
    if (fitting.includes(deployment.host)) return deployment.host;
    throw unfit(choice, name, [deployment.host], wanted);
  }
  const [only, ...others] = fitting;
  if (only === undefined) throw unfit(choice, name, all, wanted);
  if (others.length === 0) return only;
  throw inconsistent(
    name,
    "the stack has several hosts and the deployment names none",
    "no `host`",
    fitting.join(", "),
    "add `host`",
  );
}

/** The labels of a host: what it is, and those that the stack gives it, which count more. */
export function labelsOf({ stack, hosts }: Omit<HostChoice, "selector">, host: string): Labels {
  const facts = hosts[host]?.facts;
  return { ...(facts === undefined ? {} : deriveLabels(facts)), ...stack.hosts[host]?.labels };
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
