import { describe, expect, it } from "vitest";

import { parseIdle, parseSessions, parseStates, parseWorkers } from "../../../src/runtime/haproxy-control.js";

describe("parseStates", () => {
  const table = (rows: [string, number][]) =>
    [
      "1",
      "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight",
      ...rows.map(([name, admin], index) => `2 chat-0:127.0.0.1:14000 ${index} ${name} 127.0.0.1 2 ${admin} 1`),
      "",
    ].join("\n");

  it.each([
    ["as started", 0, true],
    ["disabled in the file and made ready since", 4, true],
    ["disabled in the file", 5, false],
    ["in maintenance", 1, false],
    ["draining", 8, false],
    ["without an address", 32, false],
  ])("tells whether requests are sent to a server that is %s", (_, admin, serves) => {
    expect([...parseStates(table([["port-14001", admin]]))]).toEqual([["chat-0:127.0.0.1:14000/port-14001", serves]]);
  });

  it("finds none where none is", () => {
    expect(parseStates("1\n# be_id be_name srv_id srv_name\n\n").size).toBe(0);
    expect(parseStates("").size).toBe(0);
  });
});

describe("parseWorkers", () => {
  it("tells the worker that takes new requests from those that finish theirs", () => {
    const text = `\
#<PID>          <type>          <reloads>       <uptime>        <version>
1162            master          5 [failed: 0]   0d00h02m07s     2.6.12
# workers
1271            worker          1               0d00h00m00s     2.6.12
# old workers
1233            worker          3               0d00h00m43s     2.6.12
1190            worker          4               0d00h01m43s     2.6.12
# programs
1244            prog            0               0d00h00m00s     -
`;
    expect(parseWorkers(text)).toEqual({ current: 1271, old: [1233, 1190], failed: false });
    expect(parseWorkers(text.replace("failed: 0", "failed: 2"))).toMatchObject({ failed: true });
    expect(parseWorkers("")).toEqual({ current: undefined, old: [], failed: false });
  });
});

describe("parseSessions", () => {
  it("counts the requests in progress on one server of every proxy of an instance", () => {
    const text = `\
# pxname,svname,qcur,qmax,scur,smax,
chat-0:127.0.0.1:14000,FRONTEND,,,9,9,
chat-0:127.0.0.1:14000,port-14001,0,0,2,3,
chat-0:127.0.0.1:14000,port-14002,0,0,4,5,
chat-0:0.0.0.0:14000,port-14001,0,0,1,3,
chat-01:0.0.0.0:14000,port-14001,0,0,7,7,
`;
    expect(parseSessions(text, "chat-0:", "port-14001")).toBe(3);
    expect(parseSessions("", "chat-0:", "port-14001")).toBe(0);
  });

  it("counts clients' connections on which nothing is in progress", () => {
    const text = `\
# pxname,svname,qcur,qmax,scur,smax,
chat-0:127.0.0.1:14000,FRONTEND,,,9,9,
chat-0:127.0.0.1:14000,port-14001,0,0,2,3,
chat-0:127.0.0.1:14000,port-14002,0,0,4,5,
chat-0:127.0.0.1:14000,BACKEND,0,0,6,6,
chat-01:0.0.0.0:14000,FRONTEND,0,0,7,7,
`;
    expect(parseIdle(text, "chat-0:")).toBe(3);
    expect(parseIdle("", "chat-0:")).toBe(0);
  });
});
