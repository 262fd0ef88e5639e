import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { gatherHost } from "../../dist/host/facts.js";
import { SshHost } from "../../dist/host/ssh.js";
import { defaultSshPace } from "../../dist/host/ssh-target.js";
import { startSshServer } from "../ssh-server.mjs";
import { round } from "../summary.mjs";

const hosts = 50;
const mute = 3;
const lateMilliseconds = 2000;
const limits = { ratio: 4, connections: 1, muteBeyondDeadlineSeconds: 5 };

/**
 * How much longer the facts of 50 hosts take than those of one, when each answers 2 s late, and what hosts cost that
 * never answer.
 *
 * @param {{ report: (line: string) => void }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report }) {
  const server = await startSshServer();
  const script = fileURLToPath(new URL("late-ports.mjs", import.meta.url));
  const settings = { target: server.port, late: hosts + 2, mute, milliseconds: lateMilliseconds };
  const network = fork(script, [JSON.stringify(settings)]);
  const [ports] = await once(network, "message");
  const opened = [];
  const open = async ({ port }, index) => {
    const host = new SshHost(await server.target(`host-${index}`, port), server.settings(defaultSshPace));
    opened.push(host);
    return host;
  };
  const counts = async () => {
    network.send("count");
    const [now] = await once(network, "message");
    return now.map(({ connections }) => connections);
  };
  try {
    const first = await look([await open(ports[0], 0)]);
    report(`one host: ${first.seconds} s`);
    const many = await Promise.all(ports.slice(2).map((port, index) => open(port, index + 2)));
    const together = await look(many);
    report(
      `${hosts} hosts: ${Math.max(...together.answered)} s; ${mute} that never answer: ${together.lost.join(", ")} s`,
    );
    const last = await look([await open(ports[1], 1)]);
    report(`one host: ${last.seconds} s`);
    return judge({ one: [first.seconds, last.seconds], together, connections: await counts() });
  } finally {
    await Promise.allSettled(opened.map((host) => host.close()));
    network.disconnect();
    await server.close();
  }
}

/** Gathers the facts of hosts at once. */
async function look(hosts) {
  const begun = process.hrtime.bigint();
  const since = () => round(Number(process.hrtime.bigint() - begun) / 1e9);
  const answered = [];
  const lost = [];
  const problems = [];
  await Promise.all(
    hosts.map((host) =>
      gatherHost(host, {}).then(
        () => answered.push(since()),
        (error) => {
          if (/timed out/.test(error.parts?.detail)) lost.push(since());
          else problems.push(error.message);
        },
      ),
    ),
  );
  return { seconds: since(), answered, lost, problems };
}

function judge({ one, together, connections }) {
  const oneSeconds = (one[0] + one[1]) / 2;
  const manySeconds = Math.max(...together.answered);
  const ratio = round(manySeconds / oneSeconds);
  const most = Math.max(...connections.slice(0, -mute));
  const failures = [...together.problems];
  if (together.answered.length !== hosts) failures.push(`${together.answered.length} of ${hosts} hosts answered`);
  if (!(ratio < limits.ratio)) failures.push(`${hosts} hosts took ${ratio} times as long as one; expected less than 4`);
  if (most > limits.connections) failures.push(`${most} connections to one host; expected 1`);
  const deadline = defaultSshPace.connectSeconds + limits.muteBeyondDeadlineSeconds;
  if (together.lost.length !== mute || Math.max(...together.lost) > deadline)
    failures.push(`the hosts that never answer took ${together.lost.join(", ")} s; expected each within ${deadline} s`);
  return {
    hosts,
    mute,
    lateMilliseconds,
    summary: { oneSeconds: round(oneSeconds), manySeconds, lostSeconds: together.lost, mostConnections: most },
    oneSeconds: one,
    ratio,
    limits,
    failures,
  };
}
