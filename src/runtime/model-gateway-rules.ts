/** What HAProxy does with a request before it reaches a deployment: its rules, as lines of its configuration. Pure. */
import { sorted } from "../lib/record.js";
import { targetProxy, type ModelGatewaySettings } from "./model-gateway-settings.js";

export const mapNames = ["routes", "shares", "keys", "access", "limits"] as const;
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

const retryAfter = " hdr Retry-After 5";
const errors: readonly (readonly [number, string, string, string?])[] = [
  [400, "bad_request", "The request is not well-formed."],
  [403, "forbidden", "The request is not allowed."],
  [408, "request_timeout", "The request did not come in time."],
  [500, "internal_error", "The gateway has a problem."],
  [502, "bad_gateway", "The instance broke off."],
  [503, "no_instance", "No instance of the model can answer now.", retryAfter],
  [504, "gateway_timeout", "The instance did not answer in time."],
];
const ofServer = new Set(["internal_error", "bad_gateway", "no_instance", "gateway_timeout"]);

/** What HAProxy answers by itself, as OpenAI's clients read it. */
export function errorLines(): string[] {
  return errors.map(
    ([status, code, message, header = ""]) =>
      `http-error status ${status} content-type application/json${header} string '${errorBody(code, message)}'`,
  );
}

/** `{"error": …}` as OpenAI's clients read it. */
function errorBody(code: string, message: string): string {
  const type = ofServer.has(code) ? "server_error" : "invalid_request_error";
  return JSON.stringify({ error: { message, type, param: null, code } });
}

function refusal(status: number, code: string, message: string, header = ""): string {
  return `http-request return status ${status} content-type application/json${header} string '${errorBody(code, message)}'`;
}

/** Headers by which the two processes of a gateway tell each other what they know of a request. */
const inward = ["x-berth-model", "x-berth-key"] as const;
const outward = ["x-berth-known", "x-berth-instance"] as const;

/** What is asked, and who asks: nothing of the body is read yet. */
export function entryLines(settings: ModelGatewaySettings): string[] {
  return [
    "acl is_inference path " + inferencePaths.join(" "),
    "acl is_models path /v1/models",
    ...inward.map((header) => `http-request del-header ${header}`),
    ...keyLines(settings),
    ...listLines(settings),
    `${refusal(404, "not_found", "There is nothing at this path.")} unless is_inference`,
    `${refusal(405, "method_not_allowed", "Use POST.", " hdr Allow POST")} unless METH_POST`,
    `http-request return status 413 content-type application/json string '${tooLargeBody(settings)}' if { req.hdr_val(content-length) gt ${settings.maxBodyBytes} }`,
  ];
}

/** What is said to a request that is too large. */
export function tooLargeBody({ maxBodyBytes }: Pick<ModelGatewaySettings, "maxBodyBytes">): string {
  return errorBody("request_too_large", `The request has more than ${maxBodyBytes} bytes.`);
}

function keyLines({ keys }: ModelGatewaySettings): string[] {
  if (Object.keys(keys).length === 0) return [];
  return [
    "http-request set-var(txn.token) req.hdr(x-api-key)",
    "http-request set-var(txn.token) req.hdr(authorization),regsub('^[Bb]earer +','') if { req.hdr(authorization) -m found }",
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

/** Hands a request on whose body is too large to be read here, or of unknown size, or a form. */
export function handOnLines(smallBytes: number): string[] {
  return [
    `acl is_large req.hdr_val(content-length) gt ${smallBytes}`,
    "acl is_large req.hdr(transfer-encoding) -m found",
    "acl is_large req.hdr(content-type) -m beg -i multipart/form-data",
    "http-request set-header x-berth-key %[var(txn.key)] if is_large",
    // The others go on.
    "http-request allow if is_large",
  ];
}

/** Reads the model that a body of JSON names. The first of several counts, and none that is nested. */
export function readLines(condition = ""): string[] {
  return [
    `http-request set-var(txn.model) req.body,json_query('$.model')${condition}`,
    // Some clients write a slash in JSON as \/, which json_query does not read.
    `http-request set-var(txn.model) req.body,regsub('\\\\\\\\/',/,g),json_query('$.model') if ${condition.replace(" if ", "")} !{ var(txn.model) -m len gt 0 } { req.body -m sub '\\/' }`,
  ];
}

/** What another process has read of a request. */
export const readElsewhereLines: readonly string[] = [
  "http-request set-var(txn.model) req.hdr(x-berth-model),b64dec",
  "http-request set-var(txn.key) req.hdr(x-berth-key)",
  ...inward.map((header) => `http-request del-header ${header}`),
];

/** Tells what was read of a request, whatever it holds. */
export const tellModelLine = "http-request set-header x-berth-model %[var(txn.model),bytes(0,200),base64]";

/** From the model to the deployment. */
export function routeLines(settings: ModelGatewaySettings): string[] {
  const { targets } = settings;
  const proxies = Object.keys(targets).toSorted().map(targetProxy);
  return [
    `${refusal(400, "model_missing", "The request names no model.")} unless { var(txn.model) -m len gt 0 }`,
    `http-request set-var(txn.fallback) var(txn.model),map(${mapFile("routes")})`,
    `http-request return status 404 content-type application/json lf-string '{"error":{"message":"The model \`%[var(txn.model),bytes(0,100),json(utf8ps)]\` does not exist.","type":"invalid_request_error","param":"model","code":"model_not_found"}}' unless { var(txn.fallback) -m found }`,
    "http-request set-var(txn.known) var(txn.model)",
    ...accessLines(settings),
    `http-request set-var(txn.route) rand(${rolls}),concat('|',txn.model),map(${mapFile("shares")})`,
    "http-request set-var(txn.route) var(txn.fallback) unless { var(txn.route) -m found }",
    ...proxies.map(
      (proxy) =>
        `http-request set-var(txn.route) var(txn.fallback) if { var(txn.route) -m str ${proxy} } { nbsrv(${proxy}) eq 0 }`,
    ),
    "http-request del-header authorization",
    "http-request del-header x-api-key",
  ];
}

function accessLines({ keys }: ModelGatewaySettings): string[] {
  if (Object.keys(keys).length === 0) return [];
  const access = mapFile("access");
  return [
    `acl may_ask var(txn.key),concat('|*'),map(${access}) -m found`,
    `acl may_ask var(txn.key),concat('|',txn.model),map(${access}) -m found`,
    `${refusal(403, "model_not_allowed", "The API key may not ask for this model.")} unless may_ask`,
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

/** The same, read; clients do not see it. */
export const readInstanceLines: readonly string[] = [
  "http-response set-var(txn.known) res.hdr(x-berth-known) if { res.hdr(x-berth-known) -m found }",
  "http-response set-var(txn.instance) res.hdr(x-berth-instance) if { res.hdr(x-berth-instance) -m found }",
  ...outward.map((header) => `http-response del-header ${header}`),
];
