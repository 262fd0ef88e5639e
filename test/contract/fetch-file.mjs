// Fetches a file to this machine, as a process of its own: an argument is { url, path } as JSON.
import { LocalHost } from "../../dist/host/local.js";

const { url, path } = JSON.parse(process.argv[2]);
await new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" }).download(url, path);
