import { parseImageReference } from "../catalog/image-reference.js";
import { BerthError } from "../lib/errors.js";
import type { DockerReason } from "./docker-fault.js";

/** What is wrong between an engine and a registry. */
export interface RegistryProblem {
  /** `crowded`: it takes fewer requests than it gets; `broken`, `unreachable`: it may do better a moment later. */
  readonly kind: "crowded" | "login" | "absent" | "untrusted" | "broken" | "unreachable";
  readonly pattern: RegExp;
}

/** In the words of moby and of the registry's protocol. The first that fits counts. */
const problems: readonly RegistryProblem[] = [
  { kind: "crowded", pattern: /toomanyrequests|too many requests/i },
  {
    kind: "login",
    pattern: /unauthorized|authentication required|no basic auth credentials|denied|forbidden|incorrect username/i,
  },
  {
    kind: "absent",
    pattern: /manifest unknown|name unknown|manifest for .* not found|no matching manifest|blob unknown|unknown blob/i,
  },
  { kind: "untrusted", pattern: /x509|certificate|server gave HTTP response to HTTPS client/i },
  {
    kind: "unreachable",
    pattern:
      /no such host|connection refused|timeout|deadline exceeded|name resolution|is unreachable|no route to host/i,
  },
  {
    kind: "broken",
    pattern: /HTTP status: 5\d\d|status code 5\d\d|\bEOF\b|connection reset|broken pipe|verification failed/i,
  },
];

/** Undefined for what has nothing to do with a registry. */
export function findRegistryProblem(reason: DockerReason): RegistryProblem["kind"] | undefined {
  if (reason.kind !== "refused") return undefined;
  return problems.find(({ pattern }) => pattern.test(reason.message))?.kind;
}

/** @param message what the engine says, without the login */
export function explainRegistry(
  kind: RegistryProblem["kind"],
  { message, reference, where, login }: { message: string; reference: string; where: string; login: boolean },
): BerthError {
  const registry = registryOf(reference);
  const tell = (what: string, hint: string) => new BerthError("image-unavailable", { where, what, got: message, hint });
  switch (kind) {
    case "crowded":
      return tell(
        "the registry takes no more requests for now",
        `wait, or set up a mirror, or for a higher limit ${logIn(registry)}`,
      );
    case "login":
      return login
        ? tell(
            "the registry does not give the image to this login",
            `see that it may read the image, and ${logIn(registry)}`,
          )
        : tell("the registry does not give the image without a login", logIn(registry));
    case "absent":
      return tell(
        "the registry has no such image",
        "check the name and the digest; a mirror may lack what it was not told to keep",
      );
    case "untrusted":
      return tell(
        `the host's Docker Engine does not trust the registry ${registry}`,
        `give it the certificate (/etc/docker/certs.d/${registry}/ca.crt), or name the registry in \`insecure-registries\` of /etc/docker/daemon.json`,
      );
    case "unreachable":
      return tell(
        `the host does not reach the registry ${registry}`,
        "check the host's network and its Docker Engine's proxy settings, or name a mirror that it reaches under `mirrors.registries`",
      );
    case "broken":
      return tell(
        "the image did not come whole from the registry",
        "run it again: layers that are on the host already are not fetched twice. If it lasts, look at the registry",
      );
  }
}

/** The stack's login counts before the host's own. */
function logIn(registry: string): string {
  return `log in on the host (docker login ${registry}), or name a login in the stack file under \`registryLogins\``;
}

function registryOf(reference: string): string {
  const { name, repository } = parseImageReference(reference);
  const registry = name.slice(0, Math.max(0, name.lastIndexOf(`/${repository}`)));
  return registry === "" || registry === name ? "docker.io" : registry;
}
