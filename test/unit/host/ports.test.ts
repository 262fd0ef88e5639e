import { createServer } from "node:net";

import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { parseListeningPorts } from "../../../src/host/ports.js";

const procTables = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:36B0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 30251 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20134 1 0000000000000000 100 0 0 10 0
   2: 0100007F:C350 0100007F:36B0 01 00000000:00000000 00:00000000 00000000  1000        0 30252 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:EA60 00000000:0000 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0000000000000000
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
`;

const netstat = `Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)
tcp4       0      0  127.0.0.1.14000        *.*                    LISTEN
tcp46      0      0  *.8080                 *.*                    LISTEN
tcp6       0      0  fe80::1%lo0.8021       *.*                    LISTEN
tcp4       0      0  127.0.0.1.50000        127.0.0.1.14000        ESTABLISHED
tcp4       0      0  127.0.0.1.50001        127.0.0.1.14000        TIME_WAIT
tcp4       0      0  *.*                    *.*                    CLOSED
`;

describe("parseListeningPorts", () => {
  it("reads the tables of Linux, both families, and of the sockets only those that listen", () => {
    expect([...parseListeningPorts("proc", procTables)]).toEqual([14_000, 22, 8080]);
  });

  it("reads BSD's netstat in the same way", () => {
    expect([...parseListeningPorts("netstat", netstat)]).toEqual([14_000, 8080, 8021]);
  });

  it.each(["proc", "netstat"] as const)("finds none in a text of another form (%s)", (format) => {
    for (const text of ["", "\n\n", "garbage", "0: x 1 0A", "a b c *.* LISTEN", "LISTEN"])
      expect([...parseListeningPorts(format, text)]).toEqual([]);
  });

  it("finds a port of this machine while a server listens on it", async () => {
    const host = new LocalHost("local", { PATH: "/usr/sbin:/usr/bin:/bin", HOME: "/" });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    expect((await host.listeningPorts()).has(port)).toBe(true);
    await new Promise((resolve) => server.close(resolve));
    expect((await host.listeningPorts()).has(port)).toBe(false);
  });
});
