import { BerthError, type ErrorCode, type ErrorParts } from "../lib/errors.js";
import type { DockerFault, DockerReason } from "./docker-fault.js";

interface KnownRefusal {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
}

/** What engines say when asking again does not help, in the words of moby, runc and NVIDIA's toolkit. */
const known: readonly KnownRefusal[] = [
  {
    pattern: /port is already allocated|address already in use/,
    code: "port-in-use",
    what: "another process or container has the port",
    hint: "stop what listens on it (`ss -ltnp` and `docker ps` on the host), or give the deployment another port",
  },
  {
    pattern: /could not select device driver|unresolvable CDI devices|[Uu]nknown(?: or invalid)? runtime/,
    code: "host-unsuitable",
    what: "the Docker Engine cannot give accelerators to containers",
    hint: "install the vendor's container toolkit on the host and restart Docker; for NVIDIA's: nvidia-ctk runtime configure --runtime=docker",
  },
  {
    pattern: /no space left on device|disk quota exceeded/,
    code: "disk-full",
    what: "no space is left on the disk of the Docker Engine",
    hint: "free some space in its data directory (`docker system df` on the host tells what is there)",
  },
  {
    pattern: /The container name .* is already in use/,
    code: "host-foreign",
    what: "another container has the name",
    hint: "see whose it is: docker ps --all --filter name=NAME",
  },
  {
    pattern: /No such image/,
    code: "docker-refused",
    what: "the image is not on the host",
    hint: "run `pulumi up` again, which pulls it",
  },
  {
    pattern: /image is being used|image has dependent child images|image is referenced in|unable to delete/,
    code: "docker-refused",
    what: "the image is in use",
    hint: "see by which containers: docker ps --all --filter ancestor=IMAGE",
  },
  {
    pattern: /bind source path does not exist|error while creating mount source path/,
    code: "docker-refused",
    what: "a folder that the container is to be given is not on the host",
    hint: "make it, or correct its path",
  },
  {
    pattern: /network .* not found/,
    code: "docker-refused",
    what: "a network that the container is to be in is not on the host",
    hint: "make it, as `networks` of the stack file does, or correct its name",
  },
  {
    pattern: /client version .* is too (?:old|new)/,
    code: "host-unsuitable",
    what: "the Docker Engine does not have the API's version that Berth speaks",
    hint: "install a Docker Engine of another version on the host",
  },
  {
    pattern: /OCI runtime create failed|failed to create (?:shim )?task|starting container process caused/,
    code: "docker-refused",
    what: "the container's first process could not be started",
    hint: "check the image's entrypoint, the command, and what is mounted",
  },
];

function knownRefusal(reason: DockerReason): KnownRefusal | undefined {
  return reason.kind === "refused" ? known.find(({ pattern }) => pattern.test(reason.message)) : undefined;
}

/** Whether the engine may answer otherwise a moment later. */
export function isPassing({ reason }: DockerFault): boolean {
  switch (reason.kind) {
    case "unreached":
      return reason.code === "ECONNREFUSED" || reason.code === "ECONNRESET";
    case "lost":
      return true;
    case "refused":
      return isServerError(reason.status) && knownRefusal(reason) === undefined;
    case "late":
    case "tooOld":
    case "unreadable":
      return false;
  }
}

/** Whether nobody listens where an engine should, as while it is started again. */
export function isAway({ reason }: DockerFault): boolean {
  return reason.kind === "unreached" && (reason.code === "ENOENT" || reason.code === "ECONNREFUSED");
}

/** A fault as people are told. @param where host, and container or image */
export function explain(fault: DockerFault, where: string): BerthError {
  const { reason } = fault;
  const tell = (code: ErrorCode, parts: Omit<ErrorParts, "where">) => new BerthError(code, { where, ...parts });
  switch (reason.kind) {
    case "unreached":
      return tell("docker-unreachable", unreached(reason.code));
    case "lost":
      return tell("docker-unreachable", {
        what: "the connection to the Docker Engine broke off before it answered",
        got: reason.said,
        hint: "check that it runs: systemctl status docker. Over ssh, the host's sshd has to allow AllowStreamLocalForwarding",
      });
    case "late":
      return tell("docker-unreachable", {
        what: "the Docker Engine does not answer",
        got: `nothing within ${reason.seconds} s`,
        hint: "look at what it does (journalctl -u docker), and restart it if it hangs: systemctl restart docker",
      });
    case "tooOld":
      return tell("host-unsuitable", {
        what: "the Docker Engine is too old",
        got: `Docker ${reason.engine}, API ${reason.api}`,
        expected: `API ${reason.oldest} or newer, which Docker has from 20.10 on`,
        hint: "install a newer Docker Engine on the host",
      });
    case "unreadable":
      return tell("docker-refused", {
        what: "the Docker Engine's answer is not what its API says",
        got: reason.said,
        hint: "check that the socket is a Docker Engine's",
      });
    case "refused":
      return refused(reason, tell);
  }
}

function refused(
  reason: DockerReason & { readonly kind: "refused" },
  tell: (code: ErrorCode, parts: Omit<ErrorParts, "where">) => BerthError,
): BerthError {
  const got = reason.status === undefined ? reason.message : `HTTP status ${reason.status}: ${reason.message}`;
  const refusal = knownRefusal(reason);
  if (refusal !== undefined) return tell(refusal.code, { what: refusal.what, got, hint: refusal.hint });
  if (reason.status === 404) return tell("docker-refused", { what: "the Docker Engine has no such thing", got });
  const refuses = reason.status !== undefined && !isServerError(reason.status);
  const what = refuses ? "the Docker Engine refused what it was asked" : "the Docker Engine failed";
  return tell("docker-refused", { what, got, hint: "its log may tell more: journalctl -u docker" });
}

function isServerError(status = 0): boolean {
  return status >= 500;
}

function unreached(code: string): Omit<ErrorParts, "where"> {
  switch (code) {
    case "ENOENT":
      return {
        what: "there is no socket of a Docker Engine",
        hint: "install Docker on the host and start it: systemctl enable --now docker",
      };
    case "EACCES":
    case "EPERM":
      return {
        what: "the login may not use the socket of the Docker Engine",
        expected:
          "a login that is in the group docker, or is root; where all is done by sudo, the socket is still used by the login",
        hint: "on the host: usermod --append --groups docker USER; then end its connections, since groups count from the next login on",
      };
    case "ECONNREFUSED":
      return { what: "no Docker Engine listens on its socket", hint: "start it: systemctl restart docker" };
    default:
      return { what: "the socket of the Docker Engine cannot be reached", got: code };
  }
}
