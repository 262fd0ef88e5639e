/** Logins of container registries, where Docker keeps them: its `config.json`, and the helpers that it names. */
import { join } from "node:path";

import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { Host } from "./host.js";

export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}

/** The login that a person has for a registry (`registry.example.net:5000`, `docker.io`); undefined without one. */
export type FindRegistryLogin = (registry: string) => Promise<RegistryLogin | undefined>;

const helperName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);

const dockerConfig = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}),
  credsStore: helperName.optional().or(z.literal("").transform(() => undefined)),
  credHelpers: z.record(z.string(), helperName).default({}),
});

export type DockerConfig = z.output<typeof dockerConfig>;

/** What `docker login` knows Docker Hub by. */
const dockerHub = "https://index.docker.io/v1/";
const helperSeconds = 30;

/**
 * The logins of Docker's configuration: in the folder DOCKER_CONFIG, else in `.docker` of the home. It is read when a
 * registry is asked for the first time.
 */
export function createRegistryLogins(
  environment: Readonly<Record<string, string | undefined>>,
  machine: Host,
): FindRegistryLogin {
  let read: Promise<DockerConfig> | undefined;
  return async (registry) => {
    const { DOCKER_CONFIG: folder, HOME: home = "/" } = environment;
    const path = join(folder === undefined || folder === "" ? join(home, ".docker") : folder, "config.json");
    read ??= machine.readText(path).then((text) => parseConfig(text, path));
    const config = await read;
    const server = serverOf(registry);
    const helper = lookUp(config.credHelpers, server) ?? lookUp(config.credHelpers, registry) ?? config.credsStore;
    if (helper !== undefined) return askHelper(machine, environment, helper, server);
    return findWritten(config, registry);
  };
}

/** The login that stands in the configuration itself. Keys may be addresses, as older versions of Docker wrote them. */
export function findWritten({ auths }: Pick<DockerConfig, "auths">, registry: string): RegistryLogin | undefined {
  const server = serverOf(registry);
  const entries = Object.entries(auths);
  const [, found] =
    entries.find(([key]) => key === server) ?? entries.find(([key]) => hostOf(key) === hostOf(server)) ?? [];
  const decoded = Buffer.from(found?.auth ?? "", "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 1) return undefined;
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, "") };
}

function serverOf(registry: string): string {
  return registry === "docker.io" || registry === "registry-1.docker.io" ? dockerHub : registry;
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

function parseConfig(text: string | undefined, path: string): DockerConfig {
  try {
    return dockerConfig.parse(JSON.parse(text ?? "{}"));
  } catch (error) {
    throw new BerthError("file-invalid", {
      where: path,
      what: "Docker's configuration cannot be read, which has the logins of registries",
      // What a parser cites of the file may be a part of a login.
      got: error instanceof z.ZodError ? z.prettifyError(error) : "no JSON",
      hint: "correct it, or name the folder of another with DOCKER_CONFIG",
    });
  }
}

const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });
/** Instead of a user: the secret is a token of another protocol. */
const tokenUser = "<token>";

/** Programs that keep logins: https://github.com/docker/docker-credential-helpers#development */
async function askHelper(
  machine: Host,
  environment: Readonly<Record<string, string | undefined>>,
  helper: string,
  server: string,
): Promise<RegistryLogin | undefined> {
  // Those of clouds find their own logins by variables of the shell, as they do under Docker.
  const env = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const { exitCode, stdout } = await machine.run([`docker-credential-${helper}`, "get"], {
    env,
    input: server,
    timeoutSeconds: helperSeconds,
  });
  // It has no login for the server: registries tell what they refuse without one.
  if (exitCode !== 0) return undefined;
  try {
    const { Username: username, Secret: password } = helperAnswer.parse(JSON.parse(stdout));
    return username === "" || username === tokenUser ? undefined : { username, password };
  } catch {
    return undefined;
  }
}
