/** What HAProxy does with a request before it reaches a deployment: its rules, as lines of its configuration. Pure. */
import { sorted } from "../lib/record.js";
import { refusal, refuseAtEnd, type Refuse } from "./model-gateway-refusals.js";
import { targetProxy, type ModelGatewaySettings } from "./model-gateway-settings.js";

export const mapNames = ["routes", "spares", "shares", "keys", "access", "limits"] as const;
export type MapName = (typeof mapNames)[number];

export function mapFile(name: MapName): string {
  return `${name}.map`;
}

/** Lists are counted in hundredths. */
export const rolls = 100;

/** What clients may ask for by POST. Nothing else of an engine can be reached. */
const inferencePaths = [
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/responses",
  "/v1/messages",
  "/v1/messages/count_tokens",
  "/v1/embeddings",
  "/v1/rerank",
  "/v1/score",
  "/v1/audio/transcriptions",
  "/v1/audio/translations",
  "/v1/audio/speech",
  "/v1/images/generations",
  "/v1/images/edits",
];

/** By such headers the two processes of a gateway tell each other what they know of a request: nobody else does. */
const ownHeaders = "x-berth- -m beg";

/** What a client says to the gateway alone: who it is, and how it goes on with the connection. */
const headersOfClients = [
  "authorization",
  "x-api-key",
  "api-key",
  "proxy-authorization",
  "cookie",
  "connection",
  "upgrade",
  "http2-settings",
];

/** Most of a request's head, bytes: its body has to fit into the buffer beside it. */
const mostHeadBytes = 49_152;

/** What is asked, and who asks: nothing of the body is read yet. */
export function entryLines(settings: ModelGatewaySettings): string[] {
  return [
    "acl is_inference path " + inferencePaths.join(" "),
    "acl is_models path /v1/models",
    `http-request del-header ${ownHeaders}`,
    `${refusal(431, "headers_too_large", `The headers have more than ${mostHeadBytes} bytes.`)} if { req.hdrs,length gt ${mostHeadBytes} }`,
    ...keyLines(settings),
    ...listLines(settings),
    `${refusal(404, "not_found", "There is nothing at this path.")} unless is_inference`,
    `${refusal(405, "method_not_allowed", "Use POST.", " hdr Allow POST")} unless METH_POST`,
    // What cannot be read here is read by nobody else in another way.
    `${refusal(400, "bad_request", "The request has several types.")} if { req.fhdr_cnt(content-type) gt 1 }`,
    `${refusal(415, "unsupported_encoding", "The request must not be compressed.")} if { req.hdr(content-encoding) -m found } !{ req.fhdr(content-encoding) -m str -i identity }`,
  ];
}

function keyLines({ keys }: ModelGatewaySettings): string[] {
  if (Object.keys(keys).length === 0) return [];
  const several = ["authorization", "x-api-key"].map((header) => `{ req.fhdr_cnt(${header}) gt 1 }`).join(" || ");
  return [
    `${refusal(401, "invalid_api_key", "There are several API keys.", " hdr WWW-Authenticate Bearer")} if ${several}`,
    "http-request set-var(txn.token) req.fhdr(x-api-key)",
    "http-request set-var(txn.token) req.fhdr(authorization),regsub('^bearer +','',i) if { req.fhdr(authorization) -m found }",
    `http-request set-var(txn.key) var(txn.token),digest(sha256),hex,map(${mapFile("keys")})`,
    "http-request unset-var(txn.token)",
    `${refusal(401, "invalid_api_key", "The API key is missing or wrong.", " hdr WWW-Authenticate Bearer")} unless { var(txn.key) -m found }`,
    `http-request set-var(txn.limit) var(txn.key),map_str_int(${mapFile("limits")})`,
    "http-request track-sc0 var(txn.key) table rates",
    "http-request set-var(txn.over) sc_http_req_rate(0),sub(txn.limit)",
    `${refusal(429, "rate_limit_exceeded", "The API key has asked too often.", " hdr Retry-After 10")} if { var(txn.limit) -m found } { var(txn.over) -m int gt 0 }`,
  ];
}

/** What `/v1/models` answers: to a key that may not ask for all, its own. */
function listLines({ keys }: ModelGatewaySettings): string[] {
  const list = (file: string) =>
    `http-request return status 200 content-type application/json file ${file} if METH_GET is_models`;
  const own = sorted(keys).filter(([, { models }]) => models !== undefined);
  return [...own.map(([name]) => `${list(listFile(name))} { var(txn.key) -m str ${name} }`), list(listFile())];
}

/** The file with the models that a key may ask for, or all. */
export function listFile(key?: string): string {
  return key === undefined ? "models.json" : `models-of-${key}.json`;
}

const isElsewhere = "{ var(txn.elsewhere) -m bool }";
/** The rules after these are for the others. */
const handOn = [
  `http-request set-header x-berth-key %[var(txn.key)] if ${isElsewhere}`,
  `http-request allow if ${isElsewhere}`,
];

/** Hands a request on whose body is too large to be read here, or of unknown size, or a form. */
export function handOnLines(smallBytes: number): string[] {
  return [
    `acl is_large req.hdr_val(content-length) gt ${smallBytes}`,
    // HTTP/2 says so of what HTTP/1.1 sends in chunks.
    "acl is_large req.hdr_cnt(content-length) eq 0",
    "acl is_large req.hdr(transfer-encoding) -m found",
    "acl is_large req.hdr(content-type) -m beg -i multipart/form-data",
    "http-request set-var(txn.elsewhere) bool(true) if is_large",
    ...handOn,
  ];
}

/** Hands a request on whose model json_query did not read: it knows no `\/`, and nothing that is nested deep. */
export const handUnreadOnLines: readonly string[] = [
  `http-request set-var(txn.elsewhere) bool(true) if !{ var(txn.model) -m len gt 0 } { req.body -m sub '"model"' }`,
  ...handOn,
];

/** Where requests that are handed on go. */
export const handedOnLine = `use_backend large if ${isElsewhere}`;

/** Reads the model that a body of JSON names. The first of several counts, and none that is nested. */
export const readLine = "http-request set-var(txn.model) req.body,json_query('$.model')";

/** What another process has read of a request. */
export const readElsewhereLines: readonly string[] = [
  "http-request set-var(txn.model) req.hdr(x-berth-model),b64dec",
  "http-request set-var(txn.key) req.hdr(x-berth-key)",
  `http-request del-header ${ownHeaders}`,
];

/** What is in no name of a model. */
const hasOtherLetters = "{ var(txn.model) -m reg [^A-Za-z0-9._:/+-] }";

/** Tells what was read of a request. A name with a zero byte would come as another. */
export const tellModelLines: readonly string[] = [
  `http-request set-var(txn.model) str(?) if ${hasOtherLetters}`,
  "http-request set-header x-berth-model %[var(txn.model),bytes(0,200),base64]",
];

/** From the model to the deployment. */
export function routeLines(settings: ModelGatewaySettings, refuse: Refuse): string[] {
  const { targets } = settings;
  const proxies = Object.keys(targets).toSorted().map(targetProxy);
  return [
    `${refuse("model_missing")} unless { var(txn.model) -m len gt 0 }`,
    // A map takes a name for another that goes on after a zero byte.
    `${refuse("model_not_found")} if ${hasOtherLetters}`,
    `http-request set-var(txn.fallback) var(txn.model),map(${mapFile("routes")})`,
    `${refuse("model_not_found")} unless { var(txn.fallback) -m found }`,
    "http-request set-var(txn.known) var(txn.model)",
    ...accessLines(settings, refuse),
    `http-request set-var(txn.route) rand(${rolls}),concat('|',txn.model),map(${mapFile("shares")})`,
    "http-request set-var(txn.route) var(txn.fallback) unless { var(txn.route) -m found }",
    ...proxies.map((proxy) => `http-request set-var(txn.route) var(txn.fallback) if ${isGone(proxy)}`),
    `http-request set-var(txn.spare) var(txn.model),map(${mapFile("spares")})`,
    ...proxies.map(
      (proxy) => `http-request set-var(txn.route) var(txn.spare) if ${isGone(proxy)} { var(txn.spare) -m found }`,
    ),
    ...headersOfClients.map((header) => `http-request del-header ${header}`),
  ];
}

/** Whether the request is to go where nobody is healthy. */
function isGone(proxy: string): string {
  return `{ var(txn.route) -m str ${proxy} } { nbsrv(${proxy}) eq 0 }`;
}

/** Refuses, when the rest of the request has come, what no instance can answer now: HAProxy itself does it at once. */
export function noInstanceLines({ targets }: Pick<ModelGatewaySettings, "targets">): string[] {
  const proxies = Object.keys(targets).toSorted().map(targetProxy);
  return proxies.map((proxy) => `${refuseAtEnd("no_instance")} if ${isGone(proxy)}`);
}

function accessLines({ keys }: ModelGatewaySettings, refuse: Refuse): string[] {
  if (Object.keys(keys).length === 0) return [];
  const access = mapFile("access");
  return [
    `acl may_ask var(txn.key),concat('|*'),map(${access}) -m found`,
    `acl may_ask var(txn.key),concat('|',txn.model),map(${access}) -m found`,
    `${refuse("model_not_allowed")} unless may_ask`,
  ];
}

/** Nothing that a client wrote is in a line but what is known by name: no body, no header, no query. */
const logFormat =
  '{"time":"%tr","client":"%ci","key":"%[var(txn.key)]","model":"%[var(txn.known)]","instance":"%[var(txn.instance)]","method":"%[var(txn.method)]","path":"%[var(txn.path)]","status":%ST,"queueMs":%Tw,"firstByteMs":%Tr,"totalMs":%Ta,"receivedBytes":%U,"sentBytes":%B,"end":"%ts"}';

export function logLines({ accessLog }: ModelGatewaySettings): string[] {
  if (!accessLog) return [];
  return [
    "log stdout format raw local0 info",
    "option dontlognull",
    `log-format '${logFormat}'`,
    `http-request set-var(txn.path) path if { path /v1/models ${inferencePaths.join(" ")} }`,
    "http-request set-var(txn.method) method if METH_GET or METH_POST",
  ];
}

/** What a process that another one has asked tells of where a request went. */
export const tellInstanceLines: readonly string[] = [
  "http-response set-header x-berth-known %[var(txn.known)]",
  "http-response set-header x-berth-instance %[var(txn.instance)]",
];

/** An engine tells nothing of the kind. */
export const ownResponseLine = `http-response del-header ${ownHeaders}`;

/** The same, read; clients do not see it. */
export const readInstanceLines: readonly string[] = [
  // What the other process says while a client still sends is said here, and ends the connection.
  ...[408, 413].map(
    (status) =>
      `http-response deny deny_status ${status} if { status ${status} } !{ res.hdr(x-berth-instance) -m found }`,
  ),
  "http-response set-var(txn.known) res.hdr(x-berth-known) if { res.hdr(x-berth-known) -m found }",
  "http-response set-var(txn.instance) res.hdr(x-berth-instance) if { res.hdr(x-berth-instance) -m found }",
  ownResponseLine,
];
