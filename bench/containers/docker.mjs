/** The containers as @pulumi/docker's. */
import { Container } from "@pulumi/docker";

import * as settings from "./settings.mjs";

for (const { name, port } of settings.containers) {
  new Container(name, {
    name,
    image: settings.image,
    command: settings.argv,
    envs: ["TINY=1"],
    labels: [{ label: "bench.name", value: name }],
    ports: [{ internal: settings.containerPort, external: port, ip: settings.bindAddress }],
    mounts: [{ type: "bind", source: settings.model, target: settings.model, readOnly: true }],
    restart: "unless-stopped",
    init: true,
    ipcMode: "private",
    shmSize: settings.shmBytes / 2 ** 20,
    logDriver: "json-file",
    logOpts: { "max-file": String(settings.logs.files), "max-size": String(settings.logs.maxBytes) },
    capabilities: { drops: ["CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SYS_CHROOT"] },
    securityOpts: ["no-new-privileges"],
    stopTimeout: settings.stopSeconds,
    destroyGraceSeconds: settings.stopSeconds,
  });
}
