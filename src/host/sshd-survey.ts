/** A try of what a host's ssh server has to allow: several sessions over one connection, and streams to ports. */
import type { Host } from "./host.js";
import { SshHost } from "./ssh.js";

const patienceSeconds = 20;
/** As many as Berth asks for over one connection. */
const longSessions = 5;
const shortSessions = 4;

/** Answers one request on a free port of loopback, and ends. */
const listener = `
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
server.timeout = ${patienceSeconds}
print(server.server_port, flush=True)
server.handle_request()
`;

export interface SshdSurvey {
  /** Sessions that sshd refused over a connection, so that another was made. */
  readonly refusedSessions: number;
  /** Whether requests reach a port of the host; undefined when there was no Python to listen with. */
  readonly forwards: boolean | undefined;
}

/** Undefined for a host that is not reached by ssh. */
export async function surveySshd(
  host: Host,
  python: string | undefined,
  signal: AbortSignal,
): Promise<SshdSurvey | undefined> {
  if (!(host instanceof SshHost)) return undefined;
  const before = host.refusedSessions;
  await Promise.all([
    ...Array.from({ length: longSessions }, () => host.run(["sleep", "0.5"], { signal })),
    ...Array.from({ length: shortSessions }, () => host.status("/")),
  ]);
  const refusedSessions = host.refusedSessions - before;
  return { refusedSessions, forwards: python === undefined ? undefined : await tryForwarding(host, python, signal) };
}

async function tryForwarding(host: Host, python: string, signal: AbortSignal): Promise<boolean> {
  const done = new AbortController();
  const ended = AbortSignal.any([signal, done.signal]);
  let told: (port: number) => void = () => undefined;
  const port = new Promise<number>((resolve) => (told = resolve));
  const listening = host
    .run([python, "-I", "-c", listener], {
      timeoutSeconds: patienceSeconds,
      signal: ended,
      onLine: (line) => told(Number(line)),
    })
    .catch(() => undefined);
  try {
    const number = await Promise.race([port, listening.then(() => undefined)]);
    if (number === undefined) return false;
    const path = "/";
    const request = { address: "127.0.0.1", port: number, method: "GET", path, timeoutSeconds: 10, signal } as const;
    return (await host.request(request)).kind === "answered";
  } finally {
    done.abort(new Error("answered"));
    await listening;
  }
}
