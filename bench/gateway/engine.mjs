/** Answers everything at once. Argument: its port. */
import { createServer } from "node:http";

const answer = JSON.stringify({ choices: [{ message: { role: "assistant", content: "five" } }] });
const headers = { "content-type": "application/json", "content-length": answer.length };

createServer((request, response) => {
  request.resume();
  request.on("end", () => response.writeHead(200, headers).end(answer));
}).listen(Number(process.argv[2]), "127.0.0.1");
