import { argumentNames } from "./dockerfile-arguments.js";

export interface SkeletonSubject {
  readonly acceleratorType: string;
  /** Name of the accelerator type for people: `NVIDIA CUDA`. */
  readonly name: string;
  /** Names for people by service, in the order of the file. At least one. */
  readonly services: Readonly<Record<string, string>>;
  /** Whole version of the vendor's runtime: `12.9.1`. */
  readonly runtimeVersion: string;
  /** The first variant, where the accelerator type has variants. */
  readonly variant?: string | undefined;
  /** The version of each service; `0.0.0` where none is given. */
  readonly versions?: Readonly<Record<string, string>>;
  /** The vendor's image with its compilers and libraries. Default: Ubuntu's, where there is nothing of the vendor yet. */
  readonly develImage?: string | undefined;
}

/**
 * A Dockerfile to begin with. It follows the convention, so that `berth runner lint` finds nothing, and what is to be
 * done is marked `TODO`.
 */
export function dockerfileSkeleton(subject: SkeletonSubject): string {
  const { name, services, develImage = "ubuntu:22.04" } = subject;
  const entries = Object.entries(services);
  const steps = [
    `1. runtime: ${name} with Python and what all services need.`,
    ...entries.map(([service, label], index) => `${index + 2}. ${service}: ${label} on it.`),
  ];
  const declared = argumentsOf(subject);
  const lines = [
    `# Runner images for ${name}.`,
    "#",
    ...steps.map((step) => `# ${step}`),
    "#",
    "# Argument usage:",
    ...declared.map(({ name: argument, usage }) => `# - ${argument}: ${usage}`),
    "",
    ...declared.map(({ name: argument, value }) => `ARG ${argument}=${value}`),
    "",
    "# Stage Bake Runtime",
    "",
    ...stage(
      `${develImage} AS runtime`,
      ["PYTHON_VERSION"],
      [
        `# TODO: install what ${name} needs beside the image, and tini`,
        "apt-get update",
        'apt-get install -y --no-install-recommends ca-certificates tini "python${PYTHON_VERSION}" python3-pip',
        "rm -rf /var/lib/apt/lists/*",
      ],
    ),
    ...entries.flatMap(([service, label]) => {
      const prefix = service.toUpperCase();
      return [
        "",
        `# Stage Install ${label}`,
        "",
        ...stage(
          `\${${prefix}_BASE_IMAGE} AS ${service}`,
          [`${prefix}_VERSION`, `${prefix}_TORCH_VERSION`],
          [
            `# TODO: install ${label} and what it needs`,
            `python3 -m pip install --no-cache-dir "torch==\${${prefix}_TORCH_VERSION}" "${service}==\${${prefix}_VERSION}"`,
          ],
        ),
        "",
        "WORKDIR /",
        'ENTRYPOINT [ "tini", "--" ]',
      ];
    }),
  ];
  return `${lines.join("\n")}\n`;
}

/** The text of a matrix with one rule, for {@link dockerfileSkeleton}. */
export function matrixSkeleton(subject: SkeletonSubject): string {
  return `# What is built for ${subject.name}: each service of a rule, for each of its platforms.
schemaVersion: 1
rules:
${matrixRuleSkeleton(subject)}`;
}

/** One rule of a matrix, as it stands under `rules`. */
export function matrixRuleSkeleton(subject: SkeletonSubject): string {
  const { version, archs } = argumentNames({ ...subject, services: [] });
  const values = [
    [version, subject.runtimeVersion],
    ...(subject.variant === undefined ? [] : [[archs, subject.variant]]),
    ...Object.keys(subject.services).map((service) => [
      `${service.toUpperCase()}_VERSION`,
      versionOf(subject, service),
    ]),
  ];
  const lines = [
    `  - services: [${Object.keys(subject.services).join(", ")}]`,
    "    args:",
    ...values.map(([name = "", value = ""]) => `      ${name}: ${JSON.stringify(value)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function argumentsOf(subject: SkeletonSubject) {
  const { acceleratorType, name, services, runtimeVersion, variant } = subject;
  const { version, archs } = argumentNames({ acceleratorType, services: [] });
  return [
    { name: "PYTHON_VERSION", value: "3.10", usage: "Version of Python." },
    { name: "CMAKE_MAX_JOBS", value: "8", usage: "Jobs of a compilation at once. (PLACEHOLDER)" },
    { name: version, value: runtimeVersion, usage: `Whole version of ${name}. (PLACEHOLDER)` },
    { name: archs, value: variant ?? "all", usage: "Devices that it is built for. (PLACEHOLDER)" },
    ...Object.entries(services).flatMap(([service, label]) => {
      const prefix = service.toUpperCase();
      return [
        { name: `${prefix}_BASE_IMAGE`, value: "runtime", usage: `Image or stage that ${label} is installed on.` },
        { name: `${prefix}_VERSION`, value: versionOf(subject, service), usage: `Version of ${label}.` },
        { name: `${prefix}_TORCH_VERSION`, value: "0.0.0", usage: `Version of PyTorch that ${label} needs. TODO.` },
      ];
    }),
  ];
}

function versionOf({ versions = {} }: SkeletonSubject, service: string): string {
  return Object.hasOwn(versions, service) ? (versions[service] ?? "0.0.0") : "0.0.0";
}

function stage(from: string, taken: readonly string[], commands: readonly string[]): string[] {
  return [
    `FROM ${from}`,
    'SHELL ["/bin/bash", "-eo", "pipefail", "-c"]',
    "",
    ...["TARGETPLATFORM", "TARGETOS", "TARGETARCH", ...taken].map((name) => `ARG ${name}`),
    "",
    "RUN <<EOF",
    ...commands.map((command) => `    ${command}`),
    "EOF",
  ];
}
