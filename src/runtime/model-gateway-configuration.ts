/** What the two HAProxy of a gateway that routes by model are told in their files. Pure. */
import { sha256 } from "../lib/canonical.js";
import { sorted } from "../lib/record.js";
import {
  entryLines,
  handedOnLine,
  handOnLines,
  handUnreadOnLines,
  listFile,
  logLines,
  mapFile,
  mapNames,
  noInstanceLines,
  readElsewhereLines,
  readInstanceLines,
  readLine,
  routeLines,
  tellInstanceLines,
  tellModelLines,
  type MapName,
} from "./model-gateway-rules.js";
import { largeLua, renameLua } from "./model-gateway-lua.js";
import { errorLines, refusalsLua, refuseAtEnd, refuseAtOnce } from "./model-gateway-refusals.js";
import { keyMaps, routesOf, sharesOf, sparesOf } from "./model-gateway-maps.js";
import { addressText, type ModelGatewaySettings } from "./model-gateway-settings.js";
import { resolversPart, targetPart } from "./model-gateway-targets.js";

/** The files of a gateway, by name; all in one folder. */
export interface ModelGatewayFiles {
  /** What HAProxy reads when it starts; a change of it takes a new worker. */
  readonly configuration: string;
  /** The same of the process that reads large requests. */
  readonly largeConfiguration: string;
  /** Files that are read beside, at the start as well. */
  readonly parts: Readonly<Record<string, string>>;
  /** Maps, which HAProxy's socket changes too. */
  readonly maps: Readonly<Record<MapName, ReadonlyMap<string, string>>>;
  /** Names all but the maps: a worker tells with which it was started. */
  readonly version: string;
  readonly largeVersion: string;
}

/** The proxy that clients ask. */
export const modelFrontend = "models";

/**
 * HAProxy has buffers of one size, and copies a whole one for each request that it may send again. So most requests have
 * small ones, and another process, with few connections, reads those that do not fit.
 */
const smallBytes = 262_144;
/** Beside the body there are the request's head and what HAProxy adds to it. */
const headBytes = 65_536;
/** Requests at a time, until they are answered, each of which may take twice the largest size of memory. */
const largeAtOnce = 128;
const versionMark = "@VERSION@";

/**
 * HAProxy has to run in the folder of the files, that for large requests in `large` below: they name each other so.
 *
 * @param certificate SHA-256 of the certificate's file, where there is one
 */
export function modelGatewayFiles(settings: ModelGatewaySettings, certificate: string | undefined): ModelGatewayFiles {
  const parts = { ...modelLists(settings), "rename.lua": renameLua, "refusals.lua": refusalsLua(settings) };
  const configuration = configurationOf(settings);
  const version = sha256(JSON.stringify([configuration, parts, certificate ?? ""])).slice(0, 16);
  const largeConfiguration = largeConfigurationOf(settings);
  const largeVersion = sha256(JSON.stringify([largeConfiguration, largeLua(settings)])).slice(0, 16);
  return {
    configuration: configuration.replace(versionMark, version),
    largeConfiguration: largeConfiguration.replace(versionMark, largeVersion),
    parts: { ...parts, "large.lua": largeLua(settings) },
    maps: { routes: routesOf(settings), spares: sparesOf(settings), shares: sharesOf(settings), ...keyMaps(settings) },
    ...{ version, largeVersion },
  };
}

/** A map, as its file says it. */
export function mapText(rows: ReadonlyMap<string, string>): string {
  return [...rows].map(([key, value]) => `${key} ${value}\n`).join("");
}

/** Every file by its name, what is read first last. */
export function textsOf({ configuration, largeConfiguration, parts, maps }: ModelGatewayFiles): [string, string][] {
  return [
    ...mapNames.map((name): [string, string] => [mapFile(name), mapText(maps[name])]),
    ...Object.entries(parts),
    ["large/haproxy.cfg", largeConfiguration],
    ["haproxy.cfg", configuration],
  ];
}

/** The ports on which the process of a configuration listens. */
export function boundPorts(configuration: string): number[] {
  return [...configuration.matchAll(/^ +bind \S+:(\d+)(?= |$)/gm)].map(([, port]) => Number(port));
}

const heading = "# Berth writes this file, and reads it again: what is changed by hand is written anew.";

function configurationOf(settings: ModelGatewaySettings): string {
  return text([
    globalPart(["maxconn 4000", ...bufferLines(smallBytes), ...luaLines("rename.lua", "refusals.lua")]),
    defaultsPart(settings),
    modelsPart(settings),
    insidePart(settings),
    largePart(),
    ...metricsParts(settings),
    ...resolversPart(settings),
    ...Object.keys(settings.targets)
      .toSorted()
      .map((deployment) => targetPart(deployment, settings)),
  ]);
}

function largeConfigurationOf(settings: ModelGatewaySettings): string {
  const isForm = "req.hdr(content-type) -m beg -i multipart/form-data";
  return text([
    globalPart([`maxconn ${2 * largeAtOnce}`, ...bufferLines(settings.maxBodyBytes), ...luaLines("../large.lua")]),
    defaultsPart(settings),
    [
      "frontend large",
      "bind unix@large.sock mode 600",
      `acl is_form ${isForm}`,
      `http-request use-service lua.too_large if { req.hdr_val(content-length) gt ${settings.maxBodyBytes} }`,
      "http-request wait-for-body time 120s",
      `http-request use-service lua.too_large if { req.body_size gt ${settings.maxBodyBytes} }`,
      `${readLine} if !is_form`,
      "http-request set-var(txn.model) lua.json_model if !is_form !{ var(txn.model) -m len gt 0 }",
      "http-request set-var(txn.model) lua.form_model if is_form",
      ...tellModelLines,
      "default_backend inside",
    ],
    ["backend inside", "server inside unix@../inside.sock"],
  ]);
}

/** A section is its first line, and the others further in. */
function text(sections: readonly (readonly string[])[]): string {
  return [
    heading,
    ...sections.map(([first = "", ...lines]) => `${[first, ...lines.map((line) => `  ${line}`)].join("\n")}\n`),
  ].join("\n");
}

/**
 * A state of Lua for each thread. With one for all, threads that use a filter at once damage its memory and HAProxy dies:
 * https://github.com/haproxy/haproxy/issues/2467, which HAProxy mended in March 2024, and Debian 12's 2.6.12 has still.
 */
function luaLines(...files: readonly string[]): string[] {
  return files.map((file) => `lua-load-per-thread ${file}`);
}

function globalPart(lines: readonly string[]): string[] {
  // A worker that was replaced goes on for longer than any answer takes.
  return ["global", `description ${versionMark}`, "no strict-limits", "hard-stop-after 1h", ...lines];
}

/** A request is read whole before its model is known. Memory is taken for what comes, not for what might. */
function bufferLines(bodyBytes: number): string[] {
  return [`tune.bufsize ${bodyBytes + headBytes}`, "tune.maxrewrite 8192"];
}

function defaultsPart(settings: ModelGatewaySettings): string[] {
  return [
    "defaults",
    "mode http",
    "option http-server-close",
    // Whoever goes away is not worked for: neither the engine goes on, nor is what waits sent to it.
    "option abortonclose",
    "option idle-close-on-response",
    "option redispatch 1",
    "option http-restrict-req-hdr-names reject",
    "retries 3",
    "timeout connect 5s",
    "timeout client 1h",
    "timeout server 1h",
    "timeout http-request 30s",
    "timeout http-keep-alive 60s",
    `timeout queue ${Math.max(1, Math.round(settings.queueSeconds * 1000))}ms`,
    "timeout check 10s",
    ...errorLines(settings),
  ];
}

function modelsPart(settings: ModelGatewaySettings): string[] {
  const { listen, certFile } = settings;
  const tls = certFile === undefined ? "" : ` ssl crt ${certFile} ssl-min-ver TLSv1.2 alpn h2,http/1.1`;
  return [
    `frontend ${modelFrontend}`,
    // Of who says nothing, or reads nothing; whoever waits for an engine is not counted. TLS has no other time.
    "timeout client 60s",
    `bind ${addressText(listen)}${tls}`,
    "monitor-uri /health",
    // Nobody is to be sent here yet: no model is served.
    ...(Object.keys(settings.routes).length === 0 ? ["monitor fail if TRUE"] : []),
    ...logLines(settings),
    ...entryLines(settings),
    ...handOnLines(smallBytes),
    "http-request wait-for-body time 30s",
    readLine,
    ...handUnreadOnLines,
    ...routeLines(settings, refuseAtOnce),
    handedOnLine,
    "use_backend %[var(txn.route)]",
  ];
}

/** What comes back from the process that reads large requests. */
function insidePart(settings: ModelGatewaySettings): string[] {
  return [
    "frontend inside",
    "bind unix@inside.sock mode 600",
    ...readElsewhereLines,
    ...routeLines(settings, refuseAtEnd),
    ...noInstanceLines(settings),
    ...tellInstanceLines,
    "use_backend %[var(txn.route)]",
  ];
}

function largePart(): string[] {
  return ["backend large", ...readInstanceLines, `server large unix@large/large.sock maxconn ${largeAtOnce}`];
}

function metricsParts({ metrics, keys }: ModelGatewaySettings): string[][] {
  const rates = ["backend rates", "stick-table type string len 64 size 10k expire 2m store http_req_rate(1m)"];
  return [
    [
      "frontend metrics",
      `bind ${addressText(metrics)}`,
      "http-request use-service prometheus-exporter if { path /metrics }",
      "stats enable",
      "stats uri /stats",
      "stats refresh 10s",
    ],
    ...(Object.keys(keys).length === 0 ? [] : [rates]),
  ];
}

function modelLists({ routes, keys }: ModelGatewaySettings): Record<string, string> {
  const list = (names: readonly string[]) =>
    JSON.stringify({
      object: "list",
      data: names.toSorted().map((id) => ({ id, object: "model", created: 0, owned_by: "berth" })),
    });
  const own = sorted(keys).flatMap(([name, { models }]) => (models === undefined ? [] : [[name, models] as const]));
  return {
    [listFile()]: list(Object.keys(routes)),
    ...Object.fromEntries(own.map(([name, models]) => [listFile(name), list(models)])),
  };
}
