import { Document, isMap, isScalar, Scalar, stringify } from "yaml";

import type { ConvertedDeployment } from "../catalog/reference-deployment.js";
import type { ConvertedHost, ConvertedProject } from "../catalog/reference-project.js";
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
  const [only, ...others] = hosts;
  const host = only !== undefined && others.length === 0 ? only : undefined;
  const value = {
    schemaVersion: 1,
    hosts: { [host?.name ?? "local"]: { connection: "local", ...labelsOf(host) } },
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
  comment(document.getIn(["hosts", host?.name ?? "local"], true), hostComments(hosts));
  for (const deployment of deployments) {
    comment(document.getIn(["deployments", deployment.name], true), deploymentComments(deployment));
    quote(document.getIn(["deployments", deployment.name, "backendVersion"], true));
  }
  return { text: document.toString({ lineWidth: 0 }), complete };
}

function labelsOf(host: ConvertedHost | undefined): { labels?: Readonly<Record<string, string>> } {
  return host === undefined || Object.keys(host.labels).length === 0 ? {} : { labels: host.labels };
}

function deploymentComments({ toComplete, withoutCounterpart, changes }: ConvertedDeployment): string[] {
  return [
    ...toComplete.map((text) => `TO COMPLETE: ${text}`),
    ...withoutCounterpart.map((text) => `No counterpart: ${text}`),
    ...changes.map((text) => `Changed: ${text}`),
  ];
}

/** Hosts are this machine alone so far, so several workers are told of, and the one is taken for this machine. */
function hostComments(hosts: readonly ConvertedHost[]): string[] {
  const [only, ...others] = hosts;
  if (only === undefined) return ["The export names no workers; this is the machine that Berth runs on."];
  const describe = ({ address, description }: ConvertedHost) =>
    [address, description].filter((part) => part !== "").join(", ");
  if (others.length === 0) {
    return [`The worker ${only.name} (${describe(only)}). \`connection: local\` is the machine that Berth runs on.`];
  }
  return [
    "No counterpart: several workers. This is the machine that Berth runs on; those of the export are",
    ...hosts.flatMap((host) => {
      const labels = stringify(host.labels, { collectionStyle: "flow", lineWidth: 0 }).trim();
      return [`- ${host.name}: ${describe(host)}${Object.keys(host.labels).length === 0 ? "" : `, labels: ${labels}`}`];
    }),
  ];
}

function comment(node: unknown, comments: readonly string[]): void {
  if (isMap(node) && comments.length > 0) node.commentBefore = commentText(comments);
}

function quote(node: unknown): void {
  if (isScalar(node)) node.type = Scalar.QUOTE_DOUBLE;
}
