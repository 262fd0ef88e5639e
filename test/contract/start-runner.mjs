// Starts a runner in a process of its own, with the built code, and ends: start-runner.mjs RECIPE DATADIR SPEC, in JSON.
import { LocalHost } from "../../dist/host/local.js";
import { baseEnvironment } from "../../dist/host/environment.js";
import { systemClock } from "../../dist/lib/clock.js";
import { Serial } from "../../dist/lib/serial.js";
import { Supervisord } from "../../dist/runtime/supervisord.js";
import { Systemd } from "../../dist/runtime/systemd.js";

const [{ kind, options }, dataDir, spec] = process.argv.slice(2).map((text) => JSON.parse(text));
const host = new LocalHost("elsewhere", baseEnvironment(process.env));
const given = Object.fromEntries(Object.entries(options).map(([name, value]) => [name, () => Promise.resolve(value)]));
const Supervisor = { supervisord: Supervisord, systemd: Systemd }[kind];
const supervisor = new Supervisor({ host, dataDir, clock: systemClock, serial: new Serial(), ...given });
await supervisor.prepare();
await supervisor.start(spec);
