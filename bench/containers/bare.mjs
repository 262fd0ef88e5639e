/**
 * The containers by a dynamic provider that does nothing but ask the engine to make and start, and to stop and remove
 * them: what is left to be won over it is the engine's and Pulumi's.
 */
import * as pulumi from "@pulumi/pulumi";

import * as settings from "./settings.mjs";

const provider = {
  async create({ name, body }) {
    await this.ask("POST", `/containers/create?name=${name}`, body);
    await this.ask("POST", `/containers/${name}/start`);
    return { id: name, outs: { name, body } };
  },
  diff: async (_id, olds, news) => ({ changes: JSON.stringify(olds.body) !== JSON.stringify(news.body) }),
  async read(id, props) {
    await this.ask("GET", `/containers/${id}/json`);
    return { id, props };
  },
  async delete(id) {
    await this.ask("POST", `/containers/${id}/stop`);
    await this.ask("DELETE", `/containers/${id}`);
  },
  async ask(method, path, body) {
    const { request } = await import("node:http");
    const text = body === undefined ? "" : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
      request({ socketPath: "/var/run/docker.sock", method, path, headers }, (response) => {
        let said = "";
        response.on("data", (bytes) => (said += bytes));
        response.on("end", () => (response.statusCode < 300 ? resolve(said) : reject(new Error(`${path}: ${said}`))));
      })
        .on("error", reject)
        .end(text);
    });
  },
};

const port = `${settings.containerPort}/tcp`;

const body = (hostPort) => ({
  Image: settings.image,
  Cmd: settings.argv,
  Env: ["TINY=1"],
  ExposedPorts: { [port]: {} },
  StopTimeout: settings.stopSeconds,
  HostConfig: {
    PortBindings: { [port]: [{ HostIp: settings.bindAddress, HostPort: String(hostPort) }] },
    Mounts: [{ Type: "bind", Source: settings.model, Target: settings.model, ReadOnly: true }],
    RestartPolicy: { Name: "unless-stopped" },
    Init: true,
    IpcMode: "private",
    ShmSize: settings.shmBytes,
    LogConfig: {
      Type: "json-file",
      Config: { "max-file": String(settings.logs.files), "max-size": String(settings.logs.maxBytes) },
    },
    CapDrop: ["CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SYS_CHROOT"],
    SecurityOpt: ["no-new-privileges"],
  },
});

class BareContainer extends pulumi.dynamic.Resource {
  constructor(name, hostPort) {
    super(provider, name, { name, body: body(hostPort) });
  }
}

for (const { name, port: hostPort } of settings.containers) new BareContainer(name, hostPort);
