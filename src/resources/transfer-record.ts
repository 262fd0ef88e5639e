import { addMeasure } from "../host/measures.js";
import { TransferMeter } from "../install/transfer-meter.js";
import type { Context } from "./kind.js";

/** Fetches, and writes down how long it took, so that later plans can tell. */
export async function recordTransfer<T>(
  { host, reference, clock, serial }: Pick<Context, "host" | "reference" | "clock" | "serial">,
  origin: string | undefined,
  fetch: (meter: TransferMeter) => Promise<T>,
): Promise<T> {
  const meter = new TransferMeter(clock);
  const fetched = await fetch(meter);
  const { sample } = meter;
  if (origin === undefined || sample === undefined) return fetched;
  const { dataDir } = reference;
  const samples = [{ ...sample, at: clock.now().toISOString() }];
  const write = () => addMeasure(host, dataDir, { schemaVersion: 1, kind: "transfer", origin, samples });
  // What was fetched is there, whether or not its time could be written down.
  await serial.run(`${reference.name} ${dataDir} measures`, write).catch(() => undefined);
  return fetched;
}
