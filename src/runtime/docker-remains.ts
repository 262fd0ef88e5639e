import { dockerSocket } from "../host/docker-socket.js";
import type { Host } from "../host/host.js";
import { BerthError } from "../lib/errors.js";

const lookSeconds = 15;

/**
 * Names what of a Docker Engine is there: its sockets, its programs, and the folders where it keeps containers, of which
 * they come back when it starts or is installed again. `$1`: what all paths are below; `$2`: its socket.
 */
const script = String.raw`
root=$1
own=$(sed -n 's/.*"data-root"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' "$root/etc/docker/daemon.json" 2>/dev/null)
for path in "$2" "/run/user/$(id -u)/docker.sock"   /usr/bin/dockerd /usr/local/bin/dockerd /usr/sbin/dockerd /snap/bin/dockerd "$HOME/bin/dockerd"   "$own" /var/lib/docker /var/snap/docker/common/var-lib-docker   "$HOME/.local/share/docker" "$HOME/Library/Containers/com.docker.docker"; do
  [ -n "$path" ] && [ -e "$root$path" ] && echo "$path"
done
true`;

/** @param root for tests: what all paths are below */
export async function findDockerRemains(host: Pick<Host, "run" | "name">, root = ""): Promise<string[]> {
  const argv = ["/bin/sh", "-c", script, "sh", root, dockerSocket] as const;
  const { exitCode, stdout, stderr } = await host.run(argv, { timeoutSeconds: lookSeconds });
  if (exitCode === 0) return stdout.split("\n").filter((line) => line !== "");
  throw new BerthError("command-failed", {
    where: `host ${host.name}`,
    what: "it cannot be told what is left of the Docker Engine",
    got: `exit code ${exitCode}`,
    detail: stderr,
  });
}

/**
 * For whoever would take something away from an engine that does not answer: it is gone already where nothing of an
 * engine is left, and would come back where something is.
 *
 * @throws BerthError `docker-unreachable`, which says what is left
 */
export async function assertNoEngine(host: Pick<Host, "run" | "name">, unreachable: BerthError): Promise<void> {
  const remains = await findDockerRemains(host);
  if (remains.length === 0) return;
  throw new BerthError("docker-unreachable", {
    ...unreachable.parts,
    what: `${unreachable.parts.what}, and what it keeps would come back with it`,
    got: `of Docker is still there: ${remains.join(", ")}`,
    hint: "start it (systemctl start docker) and try again; where Docker was uninstalled for good, delete what is left of it",
    cause: unreachable,
  });
}

export function isUnreachable(error: unknown): error is BerthError {
  return error instanceof BerthError && error.code === "docker-unreachable";
}
