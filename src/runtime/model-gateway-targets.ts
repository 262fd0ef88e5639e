/** What HAProxy is told of a deployment: its replicas, how it is asked, and what it is told of a request. Pure. */
import { isIP } from "node:net";

import { renamedBytes } from "./model-gateway-lua.js";
import { ownResponseLine } from "./model-gateway-rules.js";
import { addressText, serverName, targetProxy, type ModelGatewaySettings } from "./model-gateway-settings.js";

const checkSeconds = 1;
const mostRise = 600;

/** The section of a deployment. */
export function targetPart(deployment: string, settings: ModelGatewaySettings): string[] {
  const { targets, apiKeys } = settings;
  const target = targets[deployment];
  if (target === undefined) throw new Error(`no target ${deployment}`);
  const { servers, healthPath, minHealthySeconds, concurrency, queue } = target;
  const apiKey = apiKeys[deployment];
  const proxy = targetProxy(deployment);
  const header = apiKey === undefined ? undefined : quoted(`Bearer ${apiKey}`);
  const rise = Math.min(mostRise, Math.max(1, Math.ceil(minHealthySeconds / checkSeconds)));
  const most = concurrency === undefined ? "" : ` maxconn ${concurrency}`;
  return [
    `backend ${proxy}`,
    "balance leastconn",
    // Nobody has begun to answer: the connection was not made, or there is no runner behind the host's gateway. While an
    // engine's key changes, one replica after the other has the new one.
    `retry-on conn-failure 503${apiKey === undefined ? "" : " 401"}`,
    "option httpchk",
    `http-check send meth GET uri ${healthPath}${header === undefined ? "" : ` hdr Authorization ${header}`}`,
    "http-check expect rstatus ^2",
    ...(header === undefined ? [] : [`http-request set-header Authorization ${header}`]),
    ...renameLines(target, settings),
    ...(queue === undefined ? [] : [`http-request deny deny_status 503 if { queue(${proxy}) ge ${queue} }`]),
    ownResponseLine,
    "http-response set-var(txn.instance) srv_name",
    `default-server check inter 2s fastinter ${checkSeconds}s fall 3 rise ${rise} init-addr last,libc,none${most}`,
    ...servers.map(
      (server) =>
        `server ${serverName(server)} ${addressText(server)}${hasName(server) ? ` resolvers ${resolvers}` : ""}`,
    ),
  ];
}

const resolvers = "system";

/**
 * Names are looked up again: a host may have another address, or none yet when the gateway starts. What DNS does not know
 * any more, or never did as it stands in the host's own list, stays as it was (so many days are the most that HAProxy counts).
 */
export function resolversPart({ targets }: Pick<ModelGatewaySettings, "targets">): string[][] {
  if (!Object.values(targets).some(({ servers }) => servers.some(hasName))) return [];
  const held = ["nx", "other", "refused", "timeout"].map((answer) => `hold ${answer} 20d`);
  return [
    [
      `resolvers ${resolvers}`,
      "parse-resolv-conf",
      "accepted_payload_size 8192",
      "hold valid 10s",
      "hold obsolete 10s",
      ...held,
    ],
  ];
}

function hasName({ address }: { readonly address: string }): boolean {
  return isIP(address) === 0;
}

/** An alias is known to the gateway alone. Where there is one, every deployment may be next to have it. */
function renameLines(
  { servedModel }: ModelGatewaySettings["targets"][string],
  { routes, targets }: ModelGatewaySettings,
): string[] {
  const served = new Set(Object.values(targets).map((target) => target.servedModel));
  if (Object.keys(routes).every((name) => served.has(name))) return [];
  const isForm = "{ req.hdr(content-type) -m beg -i multipart/form-data }";
  const length = `%[req.hdr_val(content-length),add(${renamedBytes(servedModel)})]`;
  return [
    "filter lua.rename",
    `http-request set-var(txn.rename) str(${servedModel}) if !{ var(txn.model) -m str ${servedModel} } !${isForm}`,
    `http-request set-header content-length ${length} if { var(txn.rename) -m found } { req.hdr(content-length) -m found }`,
  ];
}

/** One word of HAProxy's configuration, whatever it holds, also where the word is a log-format. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'"'"'`).replaceAll("%", "%%")}'`;
}
