import { request as sendHttp, type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";

import { messageOf, systemCode } from "../lib/errors.js";
import type { HttpAnswer, HttpRequest } from "./host.js";
import { longestBodyBytes } from "./http.js";
import { isRefusal, type SshChild } from "./ssh-child.js";
import type { SshConnections } from "./ssh-connection.js";
import { connectionLost } from "./ssh-failure.js";

/** A connection that ends as soon as it is made is made so often. */
const mostMade = 3;

/** What a request needs of a host. */
export interface RequestEdge {
  readonly connections: SshConnections;
  readonly listeningPorts: () => Promise<Set<number>>;
}

/** Sends one HTTP request from the host itself: over its connection, by `ssh -W`. */
export async function requestOver(edge: RequestEdge, request: HttpRequest): Promise<HttpAnswer> {
  const { connections } = edge;
  for (let made = 0; ; made += 1) {
    request.signal?.throwIfAborted();
    const generation = connections.generation(0);
    const child = await connections.open(0, { forward: `${bracketed(request.address)}:${request.port}` });
    const said: Buffer[] = [];
    child.process.stderr.on("data", (bytes: Buffer) => said.push(bytes));
    const timeout = AbortSignal.timeout(request.timeoutSeconds * 1000);
    const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
    try {
      return await send(request, child, signal);
    } catch (error) {
      if (request.signal?.aborted === true) throw request.signal.reason;
      if (timeout.aborted) return { kind: "timedOut" };
      await child.process;
      const refused = isRefusal(Buffer.concat(said).toString("utf8"));
      if (refused || !(await child.reachedNobody())) return await whyFailed(edge, request, refused, error);
      if (made === mostMade) throw connectionLost(connections.target);
      await connections.establish(0, generation);
    } finally {
      child.process.kill("SIGKILL");
      // Of a refusal too, ssh tells by the file.
      void child.process.then(() => child.reachedNobody());
    }
  }
}

async function send(request: HttpRequest, child: SshChild, signal: AbortSignal): Promise<HttpAnswer> {
  const { stdin, stdout } = child.process;
  const stream = Duplex.from({ readable: stdout, writable: stdin });
  const url = new URL(`http://${bracketed(request.address)}:${request.port}${request.path}`);
  const body = request.body === undefined ? undefined : Buffer.from(request.body);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = sendHttp({
      createConnection: () => stream,
      signal,
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers: {
        host: url.host,
        connection: "close",
        ...(body === undefined ? {} : { "content-type": "application/json", "content-length": body.byteLength }),
        ...request.headers,
      },
    });
    outgoing.once("response", resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
  return { kind: "answered", status: response.statusCode ?? 0, body: await readBody(response, request.onPiece) };
}

async function readBody(response: IncomingMessage, onPiece: HttpRequest["onPiece"]): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    onPiece?.(chunk);
    if (size <= longestBodyBytes) chunks.push(chunk);
    size += chunk.byteLength;
    if (size > longestBodyBytes && onPiece === undefined) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Which of the peer, the host's sshd and the connection it was. */
async function whyFailed(
  { connections, listeningPorts }: RequestEdge,
  { port }: HttpRequest,
  refused: boolean,
  error: unknown,
): Promise<HttpAnswer> {
  if (!refused) {
    if (!(await connections.isAlive(0))) throw connectionLost(connections.target);
    return { kind: "refused", reason: systemCode(error) ?? messageOf(error) };
  }
  if (!(await listeningPorts()).has(port)) return { kind: "refused", reason: "ECONNREFUSED" };
  const reason = "something listens on the port, but at another address, or sshd forbids it (AllowTcpForwarding local)";
  return { kind: "refused", reason };
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
