import { Document, isMap, isScalar, Scalar } from "yaml";

import type { ConvertedDeployment } from "../catalog/reference-deployment.js";
import type { ConvertedHost, ConvertedProject } from "../catalog/reference-project.js";
import { sshTarget, type HostConnection } from "../schema/hosts.js";
import { stackFile } from "../schema/stack.js";
import { commentText } from "./backend-text.js";

/** A stack file's text. */
export interface ImportedStack {
  readonly text: string;
  /** Whether it is a stack file as it is; otherwise its comments say what is to be completed. */
  readonly complete: boolean;
}

/** The stack file of an imported project. What it cannot say stands in comments beside it. */
export function importedStack(project: ConvertedProject, origin: string): ImportedStack {
  const { deployments, hosts } = project;
  const value = {
    schemaVersion: 1,
    hosts:
      hosts.length === 0
        ? { local: { connection: "local" } }
        : Object.fromEntries(hosts.map((host) => [host.name, { ...connectionTo(host), ...labelsOf(host) }])),
    ...(deployments.length > 0 && {
      deployments: Object.fromEntries(deployments.map(({ name, entry }) => [name, entry])),
    }),
  };
  const document = new Document(value);
  const complete = stackFile.safeParse(value).success && deployments.every(({ toComplete }) => toComplete.length === 0);
  document.commentBefore = commentText([
    `Imported by \`berth import gpustack\` from ${origin}.`,
    complete
      ? "It is complete."
      : "It is not complete: `berth lock` takes it when every line with TO COMPLETE is done.",
  ]);
  if (hosts.length === 0)
    comment(document.getIn(["hosts", "local"], true), [
      "The export names no workers; this is the machine that Berth runs on.",
    ]);
  for (const host of hosts) comment(document.getIn(["hosts", host.name], true), [describe(host)]);
  for (const deployment of deployments) {
    comment(document.getIn(["deployments", deployment.name], true), deploymentComments(deployment));
    quote(document.getIn(["deployments", deployment.name, "backendVersion"], true));
  }
  return { text: document.toString({ lineWidth: 0 }), complete };
}

/** A worker is reached by ssh, as root or whom ~/.ssh/config names; one on loopback is this machine. */
function connectionTo({ name, address }: ConvertedHost): HostConnection | { connection: "ssh" } {
  if (/^(?:127\.|::1$|localhost$)/.test(address)) return { connection: "local" };
  const target = sshTarget.safeParse({ address });
  return target.success && address !== name ? { connection: "ssh", ssh: target.data } : { connection: "ssh" };
}

function labelsOf({ labels }: ConvertedHost): { labels?: Readonly<Record<string, string>> } {
  return Object.keys(labels).length === 0 ? {} : { labels };
}

function describe({ name, address, description }: ConvertedHost): string {
  const parts = [address, description].filter((part) => part !== "");
  return `The worker ${name}${parts.length === 0 ? "" : ` (${parts.join(", ")})`}.`;
}

function deploymentComments({ toComplete, withoutCounterpart, changes }: ConvertedDeployment): string[] {
  return [
    ...toComplete.map((text) => `TO COMPLETE: ${text}`),
    ...withoutCounterpart.map((text) => `No counterpart: ${text}`),
    ...changes.map((text) => `Changed: ${text}`),
  ];
}

function comment(node: unknown, comments: readonly string[]): void {
  if (isMap(node) && comments.length > 0) node.commentBefore = commentText(comments);
}

function quote(node: unknown): void {
  if (isScalar(node)) node.type = Scalar.QUOTE_DOUBLE;
}
