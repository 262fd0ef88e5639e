/** Python programs that behave as runners do. They work in their runner's folder. */

/** Says that it is up and stays. */
export const idle = `
import signal
print("up")
signal.pause()`;

/** Writes to both outputs and stays. */
export const talk = `
import signal, sys
print("to output")
print("to error", file=sys.stderr)
signal.pause()`;

/** Notes each start in the file \`attempts\` and fails. */
export const failAtOnce = `
import sys
open("attempts", "a").write(".")
sys.exit("cannot load")`;

/** Ends without an error the first time, and stays the second. */
export const endOnce = `
import os, signal, time
first = not os.path.exists("started")
open("started", "w").close()
time.sleep(1.5)
if not first: signal.pause()`;

/** Takes a second to end when it is asked to. */
export const tidyUp = `
import signal, sys, time
def end(*_):
    time.sleep(1)
    sys.exit("tidied up")
signal.signal(signal.SIGTERM, end)
print("up")
while True: signal.pause()`;

/**
 * Serves HTTP: keeps connections, and sends an answer in ten parts. When it is asked to end, it ends what was begun, and
 * waits for nobody who asks nothing.
 */
export const serve = `
import http.server, os, signal, threading, time
class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        with rest:
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            for _ in range(10):
                self.wfile.write(b".")
                time.sleep(0.2)
    def log_message(self, *_): pass
rest = threading.Semaphore(2)
def end():
    for _ in range(2): rest.acquire()
    print("all was answered")
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
open("port", "w").write(str(server.server_address[1]))
print("up")
server.serve_forever()`;

/** Asks \`serve\` at the port of its argument twice: one connection is kept after its answer, on the other it is told what comes. */
export const ask = `
import http.client, sys
def get():
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    connection.request("GET", "/")
    return connection, connection.getresponse()
kept, answer = get()
answer.read()
other, answer = get()
parts = answer.read(1)
print("begun")
parts += answer.read()
print(len(parts), "of 10 parts")`;

/** Does not end when it is asked to. */
export const stubborn = `
import signal
signal.signal(signal.SIGTERM, lambda *_: print("asked to end"))
print("up")
while True: signal.pause()`;

/** Has a child process that carries its last argument. */
export const parent = `
import signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", sys.argv[1], "child"])
print("up")
signal.pause()`;
