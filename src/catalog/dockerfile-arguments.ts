/** Whom a Dockerfile of `backends/runners/TYPE` is for: what its arguments and stages are called by. */
export interface DockerfileSubject {
  readonly acceleratorType: string;
  /** Services that it has a target for. */
  readonly services: readonly string[];
}

/** The arguments that a Dockerfile has by the convention. */
export interface ArgumentNames {
  /** Of every Dockerfile, in their order. */
  readonly general: readonly string[];
  readonly version: string;
  readonly versionExtra: string;
  readonly archs: string;
  readonly services: readonly (ServiceArguments & { readonly service: string })[];
}

export interface ServiceArguments {
  /** What all arguments of the service begin with: `VLLM_`. */
  readonly prefix: string;
  readonly baseImage: string;
  readonly version: string;
}

export function argumentNames({ acceleratorType, services }: DockerfileSubject): ArgumentNames {
  const type = prefixOf(acceleratorType);
  return {
    general: ["PYTHON_VERSION", "CMAKE_MAX_JOBS"],
    version: `${type}VERSION`,
    versionExtra: `${type}VERSION_EXTRA`,
    archs: `${type}ARCHS`,
    services: services.map((service) => ({ service, ...serviceArguments(service) })),
  };
}

export function serviceArguments(service: string): ServiceArguments {
  const prefix = prefixOf(service);
  return { prefix, baseImage: `${prefix}BASE_IMAGE`, version: `${prefix}VERSION` };
}

/** Whether a name is the version of a framework of a service: `VLLM_TORCH_VERSION`. */
export function isFrameworkVersion(name: string, service: string): boolean {
  const prefix = prefixOf(service);
  return name.startsWith(prefix) && /^[A-Z0-9_]+_VERSION$/.test(name.slice(prefix.length));
}

/**
 * Where an argument stands among the others: those of all, those of the accelerator type, those of each service. Numbers
 * to compare from the left.
 */
export function argumentRank(name: string, subject: DockerfileSubject): readonly [block: number, place: number] {
  const { general, version, versionExtra, archs, services } = argumentNames(subject);
  const at = general.indexOf(name);
  if (at >= 0) return [0, at];
  const type = [version, versionExtra, archs].indexOf(name);
  if (type >= 0) return [1, type];
  if (name.startsWith(prefixOf(subject.acceleratorType))) return [1, 3];
  const index = services.findIndex(({ prefix }) => name.startsWith(prefix));
  const service = services[index];
  if (service === undefined) return [0, general.length];
  const own = [service.baseImage, service.version].indexOf(name);
  return [2 + index, own >= 0 ? own : 2];
}

function prefixOf(word: string): string {
  return `${word.toUpperCase()}_`;
}
