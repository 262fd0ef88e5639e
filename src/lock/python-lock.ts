import { randomBytes } from "node:crypto";
import { posix } from "node:path";

import type { RunResult } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import { ensurePythonTool, type PythonContext } from "../install/python.js";
import { readIndexAddress } from "./index-address.js";
import { lockFailure } from "./python-lock-failure.js";
import { lowestPython, projectFile, type LockRequest } from "./python-lock-request.js";

/** uv takes seconds; an index that drips would take for ever. */
const mostSeconds = 900;

/**
 * The package and all it needs, each with the hashes of its files on the index, in pip's requirements format. One text
 * holds for every Python version and platform of the request; what differs between them stands behind markers. uv
 * solves it, from wheels alone; equal requests give equal bytes as long as the index stays the same. The first call
 * installs uv into the context's data directory.
 *
 * @throws BerthError `index-unreachable` when the index does not answer or lacks a package; `packages-unsolvable` when
 * no versions fit together, a package has no wheel for one of the platforms or Python versions, or another Python is
 * needed. Neither shows the index's user or password.
 */
export async function lockRequirements(context: PythonContext, request: LockRequest): Promise<string> {
  const { host, dataDir } = context;
  const project = projectFile(request);
  const uv = posix.join(await ensurePythonTool(context, "uv"), "uv");
  const folder = posix.join(dataPaths(dataDir).cache, "locks", randomBytes(8).toString("hex"));
  try {
    await host.writeFile(posix.join(folder, "pyproject.toml"), project);
    const result = await runUv(context, request, uv, folder);
    if (result.exitCode !== 0) throw lockFailure(result, request, indexOf(context, request));
    return `${result.stdout.trimEnd()}\n`;
  } finally {
    await host.remove(folder);
  }
}

function runUv(context: PythonContext, request: LockRequest, uv: string, folder: string): Promise<RunResult> {
  const index = indexOf(context, request);
  // Refuses what is no address before uv would show it.
  readIndexAddress(index);
  return context.host.run(
    [
      uv,
      ...["pip", "compile", "pyproject.toml", "--universal", "--generate-hashes", "--no-header", "--no-annotate"],
      ...["--only-binary", ":all:", "--python", context.python, "--python-version", lowestPython(request.python)],
      // The index's page of the package itself is asked for again: a version that is new there is found.
      ...["--refresh-package", request.package, "--no-progress", "--color", "never"],
    ],
    {
      cwd: folder,
      env: {
        UV_CACHE_DIR: posix.join(dataPaths(context.dataDir).cache, "uv"),
        UV_PYTHON_DOWNLOADS: "never",
        // The user's own uv.toml must not change what a lock is.
        XDG_CONFIG_HOME: folder,
        ...(index === undefined || index === "" ? {} : { UV_DEFAULT_INDEX: index }),
      },
      timeoutSeconds: mostSeconds,
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    },
  );
}

function indexOf(context: PythonContext, { indexUrl }: LockRequest): string | undefined {
  return indexUrl ?? context.indexUrl;
}
