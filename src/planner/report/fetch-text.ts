/** What is fetched, how long that and loading takes, in the words that people are told. */
import { formatBytes, formatSeconds } from "../../lib/format.js";
import type { Fetched, HostFetch, PlanReport } from "../../schema/plan.js";
import { foldNames } from "./names.js";

/** One line for each download, then one for each host, equal hosts together. */
export function fetchTexts({ fetches, hostFetches }: PlanReport): string[] {
  const byText = new Map<string, string[]>();
  for (const fetch of hostFetches) {
    const text = hostText(fetch);
    byText.set(text, [...(byText.get(text) ?? []), fetch.host]);
  }
  return [...fetches.map(fetchText), ...[...byText].map(([text, hosts]) => `${foldNames(hosts)}: ${text}`)];
}

function fetchText({ what, bytes, hosts, there }: Fetched): string {
  const size = bytes === undefined ? "size unknown" : formatBytes(bytes);
  const count = hosts.length > 1 ? ` x ${hosts.length}` : "";
  const parts = [
    ...(hosts.length === 0 ? [] : [`for ${foldNames(hosts)}`]),
    ...(there.length === 0 ? [] : [`${foldNames(there)} ${there.length === 1 ? "has" : "have"} it`]),
  ];
  return `${what}: ${size}${count}, ${parts.join("; ")}`;
}

/** `11.2 GB to fetch, about 4 min 40 s (files.example.net 40.0 MB/s); takes 11.2 GB of 412.0 GB free in /data/berth` */
function hostText({ bytes, seconds, origins, disks }: HostFetch): string {
  const size = bytes === undefined ? "size unknown" : `${formatBytes(bytes)} to fetch`;
  const time = seconds === undefined ? "time unknown" : `about ${formatSeconds(seconds)}`;
  const rates = origins.map(({ origin, bytesPerSecond }) =>
    bytesPerSecond === undefined ? `${origin} unknown` : `${origin} ${formatBytes(bytesPerSecond)}/s`,
  );
  const room = disks.map(({ folder, neededBytes, freeBytes, isShort }) => {
    const least = bytes === undefined ? "at least " : "";
    const needed = neededBytes === 0 ? "" : `takes ${least}${formatBytes(neededBytes)} of `;
    return `; ${isShort ? "NO ROOM: " : ""}${needed}${formatBytes(freeBytes)} free in ${folder}`;
  });
  return `${size}, ${time} (${rates.join(", ")})${room.join("")}`;
}

/** `chat: about 25.0 s on h100-01..04, at the worst of 3 starts`, of what is started and was measured. */
export function loadTexts({ deployments }: PlanReport): string[] {
  return deployments.flatMap(({ name, instances }) => {
    const measured = instances.flatMap(({ load, after }) =>
      load === undefined ? [] : [{ load, host: after?.host ?? "" }],
    );
    if (measured.length === 0) return [];
    const seconds = Math.max(...measured.map(({ load }) => load.seconds));
    // Replicas that are alike on one host have their starts in common.
    const starts = new Map(measured.map(({ load, host }) => [host, load.starts]));
    const count = [...starts.values()].reduce((sum, each) => sum + each, 0);
    const where = foldNames([...starts.keys()].sort());
    return [
      `${name}: about ${formatSeconds(seconds)} on ${where}, ${count === 1 ? "as at the one start that was measured" : `at the worst of ${count} starts that were measured`}`,
    ];
  });
}
