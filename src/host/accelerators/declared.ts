import type { DeclaredType } from "../../schema/declared-devices.js";
import type { Accelerator } from "../../schema/facts.js";
import { nothingFound, sight, type Answers, type Detector, type Finding } from "./detector.js";
import { identify } from "./identity.js";
import { readBusId, readBytes, told, wholeNumber } from "./values.js";

/** What a pattern is tried on: no tool's line on a device is longer. */
const longestLine = 1000;

/** Devices of a type that a file of runner images describes, by its own command. Who uses them it does not tell. */
export function declaredDetector(declared: DeclaredType): Detector {
  const { vendor, find, driverVersion, runtimeVersion } = declared;
  return {
    vendor,

    ask({ devices }) {
      const first = { devices: { argv: find.command } };
      if (devices === undefined || matchesOf(devices, declared).length === 0) return first;
      return {
        ...first,
        ...(driverVersion === undefined ? {} : { driver: { argv: driverVersion.command } }),
        ...(runtimeVersion === undefined ? {} : { runtime: { argv: runtimeVersion.command } }),
      };
    },

    read(answers) {
      const { devices } = answers;
      if (devices === undefined) return nothingFound;
      const lines = matchesOf(devices, declared).flatMap((values) => readDevice(values, declared, answers));
      // A command may list more than devices, so that one without any is no warning.
      if (lines.length === 0) return nothingFound;
      const found = lines.filter((one, place) => placeOfNumber(lines, one) === place);
      const { warnings, ...rest } = sight(found, find.command.join(" "));
      const repeated = lines.filter((one) => !found.includes(one));
      return { ...rest, warnings: [...warnings, ...repeated.map((one) => describeRepeated(one, declared))] };
    },
  };
}

/** Device files and variables name a device by its number. */
function placeOfNumber(findings: readonly Finding[], { accelerator: { index } }: Finding): number {
  return findings.findIndex(({ accelerator }) => accelerator.index === index);
}

function describeRepeated({ accelerator: { name, uuid, index } }: Finding, { find }: DeclaredType): string {
  const command = find.command.join(" ");
  return `${name} ${uuid}: \`${command}\` tells the number ${index} twice, and the first that has it counts`;
}

type Values = Readonly<Record<string, string | undefined>>;

function matchesOf(text: string, { find }: DeclaredType): Values[] {
  const expression = new RegExp(find.pattern);
  const matches = text.split(/\r?\n/).map((line) => expression.exec(line.slice(0, longestLine))?.groups);
  return matches.filter((groups) => groups !== undefined);
}

function readDevice(values: Values, declared: DeclaredType, answers: Answers): Finding[] {
  const { type, vendor, device, memoryBytes, variable, driverFiles } = declared;
  const index = wholeNumber(values.index);
  if (index === undefined) return [];
  const uuid = told(values.uuid);
  const identity = identify({ uuid, pciBusId: readBusId(values.pciBusId), fallback: `${type}-${index}` });
  const driverVersion = told(values.driverVersion) ?? versionOf(answers.driver, declared.driverVersion);
  const runtimeVersion = versionOf(answers.runtime, declared.runtimeVersion);
  const soc = told(values.soc);
  const accelerator: Accelerator = {
    ...{ type, vendor, name: told(values.name) ?? device, index, ...identity },
    memoryBytes: readBytes(values.memory) ?? memoryBytes ?? 0,
    driverVersion: driverVersion ?? "unknown",
    ...(runtimeVersion === undefined ? {} : { runtimeVersion }),
    ...(soc === undefined ? {} : { soc }),
    declared: {
      ...(variable === undefined ? {} : { variable }),
      ...(driverFiles.length === 0 ? {} : { driverFiles }),
    },
  };
  return [{ accelerator, usage: { uuid: identity.uuid } }];
}

function versionOf(answer: string | undefined, asked: { readonly pattern: string } | undefined): string | undefined {
  if (answer === undefined || asked === undefined) return undefined;
  return told(new RegExp(asked.pattern, "m").exec(answer)?.[1]);
}
