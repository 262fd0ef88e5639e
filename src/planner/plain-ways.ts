/** Ways of engines whose memory is stated, or not known. Pure. */
import { plainMemory, type Way, type WayProblem } from "./way.js";

/** What the stack says of each device. */
export function statedWay({ devices, deployment }: WayProblem, count: number): Way {
  const { vramBytes = 0, ramBytes = 0 } = deployment.resources ?? {};
  const name = `stated${count}`;
  return {
    option: { name, stage: 0, devices: count, ...typeOf(devices), bytesPerDevice: vramBytes, ramBytes },
    describe: (chosen) => {
      const each = chosen.map(({ id }) => ({ id, bytes: vramBytes }));
      return { memory: plainMemory(name, "stated", each, ramBytes), arguments: [] };
    },
  };
}

/** Devices that nothing else uses, because nobody knows what the engine takes of them. */
export function wholeWay({ devices, deployment }: WayProblem, count: number): Way {
  const { ramBytes = 0 } = deployment.resources ?? {};
  const name = `whole${count}`;
  const alone = { bytesPerDevice: 0, exclusive: true };
  return {
    option: { name, stage: 0, devices: count, ...typeOf(devices), ...alone, ramBytes },
    describe: (chosen) => {
      const each = chosen.map(({ id, totalBytes }) => ({ id, bytes: totalBytes }));
      return { memory: plainMemory(name, "whole", each, ramBytes), arguments: [] };
    },
  };
}

function typeOf(devices: WayProblem["devices"]): Pick<Way["option"], "acceleratorType"> {
  return devices.kind === "devices" ? { acceleratorType: devices.type } : {};
}
