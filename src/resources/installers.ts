/** The ways to install a backend version, as its resource uses them. */
import { posix } from "node:path";

import { indexOrigin, releaseOrigin } from "../catalog/origins.js";
import { releaseAddress } from "../catalog/release-address.js";
import { fetchRelease, unpackRelease, type BinaryRelease } from "../install/binary.js";
import {
  installEnvironment,
  prepareInstallation,
  probeVersion,
  type PipxArtifact,
  type PipxContext,
  type PipxEnvironment,
} from "../install/pipx.js";
import { assertPython, hostPython, pythonTag, pythonVersion, type LazyPythonContext } from "../install/python.js";
import { probeEngine } from "../install/version-probe.js";
import { targetStatus } from "../host/target.js";
import { BerthError } from "../lib/errors.js";
import type { BackendVersionInputs, WantedArtifact } from "./backend-version-inputs.js";
import type { Context } from "./kind.js";
import { recordTransfer } from "./transfer-record.js";

/** A folder with everything of an installation, and the engine's command in it. */
export type Installed = PipxEnvironment;

export interface Installer {
  /** Fetches what is needed into the cache; returns the paths there. May begin with the folder to install into. */
  download(folder: string): Promise<string[]>;
  /** Installs into a folder of its own; nothing is left there on failure. */
  install(folder: string): Promise<Installed>;
  /** Throws when what was installed is not what was asked for. */
  verify(installed: Installed): Promise<void>;
  /** What is wrong that the list of its files does not tell. */
  drift(environment: string): Promise<string[]>;
}

type Installable = Exclude<WantedArtifact, { method: "manual" }>;

export function createInstaller(context: Context, inputs: BackendVersionInputs, wanted: Installable): Installer {
  return wanted.method === "pipx"
    ? pipxInstaller(context, inputs, wanted)
    : binaryInstaller(context, inputs, wanted.file);
}

function pipxInstaller(
  context: Context,
  inputs: BackendVersionInputs,
  wanted: Extract<WantedArtifact, { method: "pipx" }>,
): Installer {
  const artifact: PipxArtifact = { ...wanted, ...versionOf(inputs), pipxPath: inputs.pipxPath };
  return {
    async download(folder) {
      const pipx = await pipxContext(context, inputs);
      if (wanted.python !== undefined) {
        const version = await pythonVersion(context.host, pipx.python);
        assertPython({ path: pipx.python, version }, wanted.python, subjectOf(context, inputs));
      }
      const prepared = recordTransfer(context, indexOrigin(inputs.indexUrl), (meter) =>
        prepareInstallation(pipx, artifact, folder, meter.watch(reportProgress(context, inputs))),
      );
      return [await prepared];
    },
    install: async (folder) => installEnvironment(await pipxContext(context, inputs), artifact, folder),
    verify: (installed) => probeVersion(context, artifact, installed),
    async drift(environment) {
      const python = posix.join(environment, "bin", "python");
      const found = await targetStatus(context.host, python);
      return found === undefined ? ["its Python is gone: bin/python leads nowhere"] : [];
    },
  };
}

function binaryInstaller(
  context: Context,
  inputs: BackendVersionInputs,
  file: Extract<WantedArtifact, { method: "binary" }>["file"],
): Installer {
  const release = (): BinaryRelease => {
    const { url, sha256, sizeBytes, executable, unpackedBytes } = file ?? refuseNoFile(context, inputs);
    return {
      ...versionOf(inputs),
      url: releaseAddress(url, inputs.downloadBaseUrl),
      sha256,
      unpackedBytes,
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...(executable === undefined ? {} : { executable }),
    };
  };
  return {
    async download() {
      const wanted = release();
      const fetched = recordTransfer(context, releaseOrigin(wanted.url, undefined), (meter) =>
        fetchRelease(pythonContext(context), wanted, meter.watch(reportProgress(context, inputs))),
      );
      return [await fetched];
    },
    install: async (folder) => unpackRelease(pythonContext(context), release(), folder),
    verify: (installed) => probeExecutable(context, inputs, installed.executable),
    drift: () => Promise.resolve([]),
  };
}

/** Asks an engine for its version, if its backend says how. */
export async function probeExecutable(
  context: Context,
  inputs: BackendVersionInputs,
  executable: string,
): Promise<void> {
  const { versionProbe: probe, version } = inputs;
  if (probe === undefined) return;
  await probeEngine(context, { executable, probe, version, subject: subjectOf(context, inputs) });
}

export function subjectOf({ host }: Pick<Context, "host">, { backend, version }: BackendVersionInputs): string {
  return `host ${host.name}: ${backend} ${version}`;
}

function versionOf({ backend, version }: BackendVersionInputs): { backend: string; version: string } {
  return { backend, version };
}

function reportProgress(context: Context, inputs: BackendVersionInputs) {
  return (current: number, total: number | undefined) => {
    const text = `${inputs.backend} ${inputs.version}`;
    const size = total === undefined ? {} : { total };
    context.log({ kind: "progress", subject: inputs.name, text, current, ...size });
  };
}

/** What Berth's own scripts on the host need. */
function pythonContext(context: Context): LazyPythonContext {
  const { host, reference, content, serial, signal } = context;
  const { dataDir } = reference;
  const find = async () => (await context.findPython()).python;
  const python = () => hostPython({ host, dataDir, serial, find });
  return { host, dataDir, content, serial, signal, python };
}

async function pipxContext(context: Context, { indexUrl }: BackendVersionInputs): Promise<PipxContext> {
  const own = pythonContext(context);
  const python = await own.python();
  const { pipx } = await context.findPython();
  return { ...own, python, pythonTag: await pythonTag(context.host, python), indexUrl, hostPipx: pipx?.path };
}

function refuseNoFile(context: Context, inputs: BackendVersionInputs): never {
  const platforms = (inputs.artifacts ?? []).map(({ os, arch }) => `${os}/${arch}`);
  throw new BerthError("host-unsuitable", {
    where: subjectOf(context, inputs),
    what: "the release has no file for this host",
    expected: platforms.join(", "),
    hint: "choose another host, or another way to install it",
  });
}
