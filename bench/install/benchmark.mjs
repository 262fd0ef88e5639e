import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { gatherFacts } from "../../dist/host/facts.js";
import { LocalHost } from "../../dist/host/local.js";
import { createContent } from "../../dist/install/content.js";
import { systemClock } from "../../dist/lib/clock.js";
import { Contexts } from "../../dist/resources/context.js";
import { backendVersionKind } from "../../dist/resources/backend-version.js";
import { backendVersionInputs } from "../../dist/resources/backend-version-inputs.js";
import { round, summarise } from "../summary.mjs";
import { serveFolder } from "./server.mjs";

const run = promisify(execFile);
const packageRoot = fileURLToPath(new URL("../..", import.meta.url));
const version = "2026.10.11549";
const requirements = join(packageRoot, "backends", "llama-cpp", `${version}.txt`);
const pairs = 7;
const archiveBytes = 6_000_000;
const limits = { beyondSeconds: 1 };

/**
 * How much longer Berth takes to install a backend version than the tools that do the same work take alone: pip for a
 * wheel of 34 MB, a download with its sha256 for an archive of 6 MB.
 *
 * @param {{ report: (line: string) => void, signal: AbortSignal }} options
 * @returns {Promise<{ failures: string[] }>} the result; `failures` tells the limits that do not hold
 */
export async function measure({ report, signal }) {
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-"));
  const files = join(folder, "files");
  await mkdir(files);
  const server = await serveFolder(files);
  try {
    const place = await prepare(folder, files, server, signal);
    const seconds = { wheel: { bare: [], berth: [] }, archive: { bare: [], berth: [] } };
    for (let pair = 0; pair < pairs; pair += 1) {
      for (const [name, { bare, berth }] of Object.entries(place)) {
        const sides = [
          [bare, seconds[name].bare],
          [berth, seconds[name].berth],
        ];
        for (const [install, times] of pair % 2 === 0 ? sides : sides.reverse()) times.push(await timed(install, pair));
        report(
          `${name} ${pair + 1} of ${pairs}: bare ${seconds[name].bare.at(-1)} s, Berth ${seconds[name].berth.at(-1)} s`,
        );
      }
    }
    return judge({ pairs, seconds });
  } finally {
    await server.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function timed(install, pair) {
  const begun = process.hrtime.bigint();
  await install(pair);
  return round(Number(process.hrtime.bigint() - begun) / 1e9, 3);
}

/** Puts the wheel and the archive on a local server, and has both sides do what is done once on a host. */
async function prepare(folder, files, server, signal) {
  await run("python3", [
    "-m",
    "pip",
    "download",
    "--quiet",
    "--no-deps",
    "--require-hashes",
    "--dest",
    files,
    "-r",
    requirements,
  ]);
  const [wheel] = await readdir(files);
  const page = `<a href="../../${wheel}#sha256=${await sha256(join(files, wheel))}">${wheel}</a>`;
  await mkdir(join(files, "simple", "xllamacpp"), { recursive: true });
  await writeFile(join(files, "simple", "xllamacpp", "index.html"), page);
  const archive = await makeArchive(folder, files);
  const bare = bareSide(folder, server, archive);
  const berth = await berthSide(folder, server, archive, signal);
  await berth.wheel("warm-up");
  await bare.wheel("warm-up");
  return {
    wheel: { bare: bare.wheel, berth: berth.wheel },
    archive: { bare: bare.archive, berth: berth.archive },
  };
}

/** An engine that tells its version, with a file of bytes that nothing compresses. */
async function makeArchive(folder, files) {
  const root = join(folder, "release", "engine");
  await mkdir(root, { recursive: true });
  await writeFile(join(root, "serve"), "#!/bin/sh\necho 1.0\n", { mode: 0o755 });
  await run("head", ["-c", String(archiveBytes), "/dev/urandom"], {
    encoding: "buffer",
    maxBuffer: 2 * archiveBytes,
  }).then(({ stdout }) => writeFile(join(root, "library"), stdout));
  const path = join(files, "engine.tar.gz");
  await run("tar", ["-czf", path, "-C", join(folder, "release"), "engine"]);
  return { name: "engine.tar.gz", sha256: await sha256(path), sizeBytes: (await stat(path)).size };
}

/** What somebody does by hand: an environment and pip with hashes; a download, its sha256 and tar. */
function bareSide(folder, server, archive) {
  return {
    async wheel(pair) {
      const environment = join(folder, "bare", `wheel-${pair}`);
      await run("python3", ["-m", "venv", "--without-pip", environment]);
      const target = ["--python", join(environment, "bin", "python")];
      const pip = ["-m", "pip", ...target, "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"];
      const hashed = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", requirements];
      await run("python3", [...pip, "--index-url", server.url("/simple/"), ...hashed]);
    },
    async archive(pair) {
      const target = join(folder, "bare", `archive-${pair}`);
      await mkdir(target, { recursive: true });
      const path = join(target, archive.name);
      const response = await fetch(server.url(`/${archive.name}`));
      await pipeline(Readable.fromWeb(response.body), createWriteStream(path));
      if ((await sha256(path)) !== archive.sha256) throw new Error("another archive");
      await run("tar", ["-xzf", path, "-C", target]);
    },
  };
}

/** Berth's own resource: fetch, verify, install, probe, the list of all files with their digests, link. */
async function berthSide(folder, server, archive, signal) {
  const dataDir = join(folder, "berth");
  const host = new LocalHost("local", process.env);
  const facts = await gatherFacts(host, undefined);
  const reference = { name: "local", connection: "local", dataDir };
  const content = createContent(packageRoot, packageRoot);
  const options = { openHost: () => host, content, clock: systemClock, signal, log: () => {}, newId: randomUUID };
  const context = { ...new Contexts(options).of(reference, (text) => text), facts: () => Promise.resolve(facts) };
  const operation = { step: (_, action) => action() };
  const own = async (pair, backend, inputs, cache) => {
    await rm(join(dataDir, "cache", cache), { recursive: true, force: true });
    const common = { name: `${backend}-${pair}`, owner: "bench/bench", host: reference, backend };
    await rm(join(dataDir, "backends"), { recursive: true, force: true });
    await backendVersionKind.converge(context, operation, backendVersionInputs.parse({ ...common, ...inputs }));
  };
  const text = async (file) => ({
    file,
    sha256: createHash("sha256")
      .update(await readFile(join(packageRoot, "backends", file)))
      .digest("hex"),
  });
  const wheelInputs = {
    version,
    method: "pipx",
    package: "xllamacpp",
    requirements: await text(`llama-cpp/${version}.txt`),
    launcher: await text("llama-cpp/launcher.py"),
  };
  // The first time, pip and pipx themselves are made, from the real index.
  const indexOf = (pair) => (pair === "warm-up" ? {} : { indexUrl: server.url("/simple/") });
  const file = { os: facts.os, arch: facts.arch, url: server.url(`/${archive.name}`), executable: "engine/serve" };
  const archiveInputs = {
    version: "1.0",
    method: "binary",
    versionProbe: {},
    artifacts: [{ ...file, sha256: archive.sha256, sizeBytes: archive.sizeBytes, unpackedBytes: 10 * archiveBytes }],
  };
  return {
    wheel: (pair) => own(pair, "llama-cpp", { ...wheelInputs, ...indexOf(pair) }, "wheels"),
    archive: (pair) => own(pair, "engine", archiveInputs, "archives"),
  };
}

async function sha256(path) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

function judge({ seconds, ...measured }) {
  const summary = {};
  const failures = [];
  for (const [name, { bare, berth }] of Object.entries(seconds)) {
    const beyond = berth.map((time, pair) => time - bare[pair]);
    summary[name] = { bare: summarise(bare), berth: summarise(berth), beyondSeconds: summarise(beyond) };
    if (summary[name].beyondSeconds.median > limits.beyondSeconds)
      failures.push(
        `${name}: ${summary[name].beyondSeconds.median} s beyond; expected at most ${limits.beyondSeconds} s`,
      );
  }
  return { ...measured, seconds, summary, limits, failures };
}
