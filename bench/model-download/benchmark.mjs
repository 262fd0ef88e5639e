import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { LocalHost } from "../../dist/host/local.js";
import { SshHost } from "../../dist/host/ssh.js";
import { defaultSshPace } from "../../dist/host/ssh-target.js";
import { bringModel } from "../../dist/install/model-files.js";
import { startSshServer } from "../ssh-server.mjs";
import { round, summarise } from "../summary.mjs";

const run = promisify(execFile);
const sizeBytes = 1 << 30;
const pairs = 5;
/** 2.5 Gbit/s, which few hosts get from a hub, and as fast as this machine goes. */
const rates = { paced: 312_500_000, unpaced: 0 };
const limits = { pacedOfCurl: 0.9, unpacedOfCurlAndSha256sum: 0.9 };

/**
 * How fast Berth brings a model of 1 GiB, verified, compared with curl, which verifies nothing, and with curl and then
 * sha256sum. On this machine and over ssh.
 *
 * @param {{ report: (line: string) => void, signal: AbortSignal }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report, signal }) {
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-"));
  const source = join(folder, "source");
  const sshd = await startSshServer();
  const remote = new SshHost(await sshd.target("remote"), sshd.settings(defaultSshPace));
  let server;
  try {
    await run("sh", ["-c", `head -c ${sizeBytes} /dev/urandom >"$0"`, source]);
    const { stdout } = await run("sha256sum", [source]);
    server = fork(fileURLToPath(new URL("server.mjs", import.meta.url)), [JSON.stringify({ path: source })]);
    const [port] = await once(server, "message");
    const sha256 = stdout.slice(0, 64);
    const sides = sidesOf({ folder, sha256, signal, local: new LocalHost("local", process.env), remote });
    await remote.status("/");
    const seconds = {};
    for (const [name, rate] of Object.entries(rates)) {
      const url = `http://127.0.0.1:${port}/model.gguf?rate=${rate}`;
      seconds[name] = Object.fromEntries(Object.keys(sides).map((side) => [side, []]));
      for (let pair = 0; pair < pairs; pair += 1) {
        const order = pair % 2 === 0 ? Object.keys(sides) : Object.keys(sides).reverse();
        for (const side of order) seconds[name][side].push(await timed(sides[side], url, folder));
        report(
          `${name} ${pair + 1} of ${pairs}: ${order.map((side) => `${side} ${seconds[name][side].at(-1)} s`).join(", ")}`,
        );
      }
    }
    return judge(seconds);
  } finally {
    if (server?.connected === true) server.disconnect();
    await remote.close();
    await sshd.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** What was written before is on the disk before the time counts, and is taken away after it. */
async function timed(bring, url, folder) {
  await run("sync");
  const begun = process.hrtime.bigint();
  await bring(url);
  const seconds = round(Number(process.hrtime.bigint() - begun) / 1e9, 3);
  await rm(join(folder, "target"), { recursive: true, force: true });
  return seconds;
}

function sidesOf({ folder, sha256, signal, local, remote }) {
  const target = join(folder, "target");
  const curl = (url) =>
    run("curl", ["-q", "--silent", "--show-error", "--fail", "--create-dirs", "--output", join(target, "file"), url]);
  const berth = (host) => async (url) => {
    const model = { file: "model.gguf", sha256, sizeBytes, from: { source: "url", url } };
    await bringModel({ host, dataDir: target, signal }, model, undefined, () => {});
  };
  return {
    curl,
    local: berth(local),
    ssh: berth(remote),
    curlAndSha256sum: async (url) => {
      await curl(url);
      const { stdout } = await run("sha256sum", [join(target, "file")]);
      if (!stdout.startsWith(sha256)) throw new Error("another file");
    },
  };
}

function judge(seconds) {
  const summary = {};
  const ratio = {};
  for (const [name, sides] of Object.entries(seconds)) {
    summary[name] = Object.fromEntries(Object.entries(sides).map(([side, times]) => [side, summarise(times)]));
    const of = (bare, side) => round(summary[name][bare].median / summary[name][side].median);
    const places = ["local", "ssh"];
    ratio[`${name}OfCurl`] = Object.fromEntries(places.map((side) => [side, of("curl", side)]));
    ratio[`${name}OfCurlAndSha256sum`] = Object.fromEntries(places.map((side) => [side, of("curlAndSha256sum", side)]));
  }
  const failures = Object.entries(limits).flatMap(([name, least]) =>
    Object.entries(ratio[name])
      .filter(([, value]) => value < least)
      .map(([side, value]) => `${name}, ${side}: ${value}; expected at least ${least}`),
  );
  return { sizeBytes, pairs, rates, summary, seconds, ratio, limits, failures };
}
