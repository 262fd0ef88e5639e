// Brings a model to this machine, as a resource does. The test kills it: an argument is { dataDir, model } as JSON.
import { bringModel } from "../../dist/install/model-files.js";
import { LocalHost } from "../../dist/host/local.js";

const { dataDir, model } = JSON.parse(process.argv[2]);
const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });
await bringModel({ host, dataDir }, model, undefined, () => undefined);
