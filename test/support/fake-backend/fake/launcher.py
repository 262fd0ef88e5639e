"""An engine for tests: starts at once, answers as an OpenAI server does, and fails on demand.

The model file is read as text: a line `fail: load` makes the start fail, `fail: never-healthy` makes the health path
answer 503 for ever, `fail: no-answer` makes requests fail, `fail: crash` ends the engine after 3 s of service. The
environment's FAKE_FAIL_BELOW names a folder: with a model in it the start fails.

A request with `"stream": N` is answered by an event each second for N seconds; one with `"stream": true` as OpenAI does.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version


def main():
    parser = argparse.ArgumentParser(prog="fake", allow_abbrev=False)
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--model")
    parser.add_argument("--alias")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--text", default="five")
    arguments = parser.parse_args()
    if arguments.version:
        print(version("berth-fake"))
        return
    with open(arguments.model, encoding="utf-8") as file:
        model = file.read()
    print(f"fake: loading {arguments.model} as {arguments.alias}", flush=True)
    if os.environ.get("FAKE_SECRET"):
        print(f"fake: the secret is {os.environ['FAKE_SECRET']}", flush=True)
    if "fail: load" in model:
        for number in range(80):
            print(f"fake: tensor {number} is broken", flush=True)
        sys.exit("fake: failed to load the model")

    broken = os.environ.get("FAKE_FAIL_BELOW")
    if broken and arguments.model.startswith(broken):
        sys.exit("fake: this host is broken")

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, body):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def allowed(self):
            key = os.environ.get("FAKE_API_KEY")
            return key is None or self.headers.get("authorization") == f"Bearer {key}"

        def do_GET(self):
            if self.path == "/health":
                self.answer(503 if "fail: never-healthy" in model else 200, {"status": "fake"})
            elif not self.allowed():
                self.answer(401, {"error": "no key"})
            elif self.path == "/v1/models":
                self.answer(200, {"data": [{"id": arguments.alias}]})
            else:
                self.answer(404, {"error": "no such path"})

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            stream = json.loads(body or b"{}").get("stream")
            if not self.allowed():
                self.answer(401, {"error": "no key"})
            elif stream and stream is not True:
                self.stream(stream)
            elif "fail: no-answer" in model:
                self.answer(500, {"error": "out of order"})
            elif stream:
                self.stream_words()
            elif self.path == "/v1/chat/completions":
                self.answer(200, {"choices": [{"message": {"role": "assistant", "content": arguments.text}}]})
            else:
                self.answer(200, {"choices": [{"text": arguments.text}]})

        def stream_words(self):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            words = arguments.text.split()
            events = [{"choices": [{"text": f"{word} "}]} for word in words]
            for event in [*events, {"choices": [], "usage": {"completion_tokens": len(words)}}]:
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

        def stream(self, seconds):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for number in range(seconds):
                self.wfile.write(f"data: {number}\n\n".encode())
                time.sleep(1)
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *_):
            pass

    if "fail: crash" in model:
        threading.Timer(3, lambda: print("fake: crashed", flush=True) or os._exit(1)).start()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer((arguments.host, arguments.port), Handler).serve_forever()
