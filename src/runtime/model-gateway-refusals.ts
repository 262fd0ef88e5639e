/** What a gateway that routes by model answers by itself, as OpenAI's clients read it. Pure. */
import type { ModelGatewaySettings } from "./model-gateway-settings.js";

interface Refusal {
  readonly status: number;
  readonly message: string;
  /** Where the message goes on after the name of the model. */
  readonly afterModel?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const refusals = {
  model_missing: { status: 400, message: "The request names no model." },
  model_not_found: { status: 404, message: "The model `", afterModel: "` does not exist." },
  model_not_allowed: { status: 403, message: "The API key may not ask for this model." },
  no_instance: {
    status: 503,
    message: "No instance of the model can answer now.",
    headers: { "retry-after": "5" },
  },
} as const satisfies Record<string, Refusal>;

type RefusalCode = keyof typeof refusals;
const codes: readonly RefusalCode[] = ["model_missing", "model_not_found", "model_not_allowed", "no_instance"];

/** The rule, without its condition, that refuses a request whose model is known. */
export type Refuse = (code: RefusalCode) => string;

const errors: readonly (readonly [number, string, string, string?])[] = [
  [400, "bad_request", "The request is not well-formed."],
  [403, "forbidden", "The request is not allowed."],
  [408, "request_timeout", "The request did not come in time."],
  [500, "internal_error", "The gateway has a problem."],
  [502, "bad_gateway", "The instance broke off."],
  [503, "no_instance", refusals.no_instance.message, " hdr Retry-After 5"],
  [504, "gateway_timeout", "The instance did not answer in time."],
];
const ofServer = new Set(["internal_error", "bad_gateway", "no_instance", "gateway_timeout"]);

/** What HAProxy answers where no rule says it. */
export function errorLines(settings: Pick<ModelGatewaySettings, "maxBodyBytes">): string[] {
  const line = (status: number, header: string, body: string) =>
    `http-error status ${status} content-type application/json${header} string '${body}'`;
  const fixed = errors.map(([status, code, message, header = ""]) => line(status, header, errorBody(code, message)));
  return [...fixed, line(413, "", tooLargeBody(settings))];
}

/** `{"error": …}` as OpenAI's clients read it. */
function errorBody(code: string, message: string, param: string | null = null): string {
  const type = ofServer.has(code) ? "server_error" : "invalid_request_error";
  return JSON.stringify({ error: { message, type, param, code } });
}

/** The rule, without its condition, that refuses a request. */
export function refusal(status: number, code: string, message: string, header = ""): string {
  return `http-request return status ${status} content-type application/json${header} string '${errorBody(code, message)}'`;
}

/** What is said to a request that is too large. */
export function tooLargeBody({ maxBodyBytes }: Pick<ModelGatewaySettings, "maxBodyBytes">): string {
  return errorBody("request_too_large", `The request has more than ${maxBodyBytes} bytes.`);
}

/** Refuses at once: for requests that have come whole. */
export const refuseAtOnce: Refuse = (code) => {
  const { status, message, headers = {}, afterModel }: Refusal = refusals[code];
  const header = Object.entries(headers).map(([name, value]) => ` hdr ${name} ${value}`);
  if (afterModel === undefined) return refusal(status, code, message, header.join(""));
  const body = errorBody(code, `${message}@${afterModel}`, "model").replace(
    "@",
    "%[var(txn.model),bytes(0,100),json(utf8ps)]",
  );
  return `http-request return status ${status} content-type application/json lf-string '${body}'`;
};

/** Refuses when the rest of the request has come: whoever still sends would not read the answer. */
export const refuseAtEnd: Refuse = (code) => `http-request use-service lua.${code}`;

/** Takes what is left of a request, but no more than so many bytes; and answers. */
export const answerLua = String.raw`local function answer(applet, most, status, headers, body)
  local left = most
  while left > 0 do
    local data = applet:receive(1048576)
    if not data or #data == 0 then break end
    left = left - #data
  end
  applet:set_status(status)
  applet:add_header("content-type", "application/json")
  applet:add_header("content-length", #body)
  for name, value in pairs(headers) do applet:add_header(name, value) end
  applet:start_response()
  applet:send(body)
end
`;

/** The services of {@link refuseAtEnd}. */
export function refusalsLua({ maxBodyBytes }: Pick<ModelGatewaySettings, "maxBodyBytes">): string {
  const services = codes.map((code) => {
    const { status, message, headers = {}, afterModel = "" }: Refusal = refusals[code];
    const fields = Object.entries(headers).map(([name, value]) => `["${name}"] = "${value}"`);
    const [before = "", after = ""] = errorBody(
      code,
      `${message}@${afterModel}`,
      afterModel === "" ? null : "model",
    ).split("@");
    const model = afterModel === "" ? '""' : "model(applet)";
    return `core.register_service("${code}", "http", function(applet)
  answer(applet, ${maxBodyBytes}, ${status}, { ${fields.join(", ")} }, '${before}' .. ${model} .. '${after}')
end)
`;
  });
  return [answerLua, modelLua, ...services].join("\n");
}

const modelLua = String.raw`local function model(applet)
  return ((applet:get_var("txn.model") or ""):sub(1, 100):gsub('[%c"\\\128-\255]', "?"))
end
`;
