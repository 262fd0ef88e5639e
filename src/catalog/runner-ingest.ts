/** What a new accelerator type or a new service begins with. Pure. */
import { nativeTypes } from "../schema/accelerator-type.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { runtimeVersionPattern, serviceVersionPattern } from "../schema/runner.js";
import type { SkeletonSubject } from "./dockerfile-skeleton.js";
import type { RunnerCatalogue } from "./runner-catalogue.js";
import { findAmbiguity } from "./runner-words.js";

export interface NewBackend {
  readonly acceleratorType: string;
  /** Name for people. */
  readonly name: string;
  readonly vendor: string;
  /** What the devices are called. */
  readonly device: string;
  /** Whole version of the vendor's runtime. */
  readonly runtimeVersion: string;
  readonly service: string;
  /** Name for people of the service. */
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** Platforms of the image; undefined where there is none yet. */
  readonly platforms: readonly string[] | undefined;
}

export interface NewService {
  readonly acceleratorType: string;
  readonly service: string;
  readonly serviceName: string;
}

/**
 * @throws BerthError `usage` when the type is there already, or its words make names that can be read in two ways
 */
export function assertNewBackend(
  catalogue: RunnerCatalogue,
  { acceleratorType, service, serviceName }: NewBackend,
): void {
  if (Object.hasOwn(catalogue.files, acceleratorType))
    throw refusal(
      `the accelerator type ${acceleratorType} is there already`,
      "berth runner ingest service adds services",
    );
  assertWords(catalogue, acceleratorType, service, serviceName);
}

/** @throws BerthError `usage` when it is there already, or its name makes names that can be read in two ways */
export function assertNewService(
  catalogue: RunnerCatalogue,
  { acceleratorType, service, serviceName }: NewService,
): void {
  const file = lookUp(catalogue.files, acceleratorType);
  if (file === undefined)
    throw refusal(
      `there is no accelerator type ${acceleratorType}`,
      `known are ${Object.keys(catalogue.files).join(", ")}`,
    );
  if (Object.hasOwn(file.services, service))
    throw refusal(
      `${file.name} has the service ${service} already`,
      `a further version of it is a rule in backends/runners/${acceleratorType}/matrix.yaml, which \`berth runner release\` writes into the catalogue once it is built`,
    );
  assertWords(catalogue, acceleratorType, service, serviceName);
}

function assertWords(
  { vocabulary, services }: RunnerCatalogue,
  type: string,
  service: string,
  serviceName: string,
): void {
  const { accelerators } = vocabulary;
  const ambiguity = findAmbiguity({
    accelerators: { ...accelerators, [type]: lookUp(accelerators, type) ?? [] },
    services: [...vocabulary.services, service],
  });
  if (ambiguity !== undefined) throw refusal(ambiguity);
  const known = lookUp(services, service);
  if (known !== undefined && known !== serviceName)
    throw refusal(`the service ${service} is called ${known} elsewhere`);
}

/** @throws BerthError `usage` for versions that no file can have */
export function assertVersions(serviceVersion: string, runtimeVersion: string): void {
  if (!serviceVersionPattern.test(serviceVersion))
    throw refusal(`${serviceVersion} is no version of a service`, "it is as 0.11.2, 2.1.rc1 or 0.5.6.post2");
  if (!runtimeVersionPattern.test(runtimeVersion))
    throw refusal(`${runtimeVersion} is no version of a runtime`, "it is a whole one, as 12.9.1");
}

/** The file of a new accelerator type. What nobody has told yet is a guess, and marked as one. */
export function backendFileText(backend: NewBackend): string {
  const { acceleratorType, name, vendor, device, runtimeVersion, service, serviceName, serviceVersion } = backend;
  const text = JSON.stringify;
  const platforms =
    backend.platforms === undefined ? "published: false" : `platforms: [${backend.platforms.join(", ")}]`;
  const lines = [
    `# Runner images for ${name}. What is marked "To do" is a guess.`,
    "schemaVersion: 1",
    `acceleratorType: ${acceleratorType}`,
    `name: ${text(name)}`,
    `vendor: ${vendor}`,
    `device: ${text(device)}`,
    ...(nativeTypes.some((type) => type === acceleratorType) ? [] : devicesText(acceleratorType)),
    "# To do: whether hosts tell a version of the same kind as those of the images, and how.",
    "hostRuntime:",
    "  comparable: false",
    "  source: Nothing is known to tell it",
    "services:",
    `  ${service}: ${text(serviceName)}`,
    "versions:",
    `  - version: ${text(shortVersion(runtimeVersion))}`,
    "    images:",
    `      ${service}:`,
    `        - { version: ${text(serviceVersion)}, runtimeVersion: ${text(runtimeVersion)}, ${platforms} }`,
  ];
  return `${lines.join("\n")}\n`;
}

/** By their device files: the vendor's tool tells more. */
function devicesText(type: string): string[] {
  return [
    "# To do: how a host's devices are found, and what containers are given of them.",
    "devices:",
    "  find:",
    '    command: ["ls", "/dev"]',
    `    pattern: "^${type}(?<index>\\\\d+)$"`,
    `  nodes: ["/dev/${type}{{index}}"]`,
  ];
}

/** Major and minor version, as tags have it. */
export function shortVersion(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

/** What the Dockerfile and the matrix of one service are for. */
export function skeletonSubject(
  {
    acceleratorType,
    name,
    service,
    serviceName,
    serviceVersion,
    runtimeVersion,
  }: Omit<NewBackend, "vendor" | "device" | "platforms">,
  variant: string | undefined,
): SkeletonSubject {
  return {
    ...{ acceleratorType, name, runtimeVersion, variant },
    services: { [service]: serviceName },
    versions: { [service]: serviceVersion },
  };
}

function refusal(what: string, hint?: string): BerthError {
  return new BerthError("usage", { what, ...(hint === undefined ? {} : { hint }) });
}
