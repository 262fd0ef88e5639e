/** A name server for tests, of a few lines: every name has the address that it is told, or none. */
import { createSocket } from "node:dgram";

export interface SmallDns {
  readonly port: number;
  /** @param address undefined: no name is known */
  tell: (address: string | undefined) => void;
  close: () => void;
}

const [typeA, ttlSeconds] = [1, 1];

export async function startSmallDns(): Promise<SmallDns> {
  let address: string | undefined;
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address: from }) => {
    socket.send(answerTo(query, address), port, from);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  return { port, tell: (next) => void (address = next), close: () => void socket.close() };
}

/** RFC 1035, 4.1: a header of 12 bytes, the question as it was asked, and at most one record that points to its name. */
function answerTo(query: Buffer, address: string | undefined): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const question = query.subarray(12, end);
  const hasAnswer = address !== undefined && question.readUInt16BE(question.length - 4) === typeA;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(address === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(hasAnswer ? 1 : 0, 6);
  if (!hasAnswer) return Buffer.concat([header, question]);
  const record = Buffer.from([0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, ttlSeconds, 0, 4, ...address.split(".").map(Number)]);
  return Buffer.concat([header, question, record]);
}
