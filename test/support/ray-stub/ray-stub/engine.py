"""A stub instead of an engine. It computes nothing: it stands for the way in which vLLM uses Ray.

One stage for each of `--pipeline-parallel-size`, each on another node of the Ray cluster at RAY_ADDRESS. An answer has
gone through all stages, and says through which nodes. The health path fails when a stage has ended.
"""

import argparse
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

answer_seconds = 20


def main():
    parser = argparse.ArgumentParser(prog="ray-stub", allow_abbrev=False)
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--model")
    parser.add_argument("--served-model-name")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--tensor-parallel-size", type=int, default=1)
    parser.add_argument("--pipeline-parallel-size", type=int, default=1)
    parser.add_argument("--distributed-executor-backend", choices=["ray"])
    arguments = parser.parse_args()
    if arguments.version:
        print(version("berth-ray-stub"))
        return
    with open(arguments.model, "rb"):
        pass
    stages = form(arguments.pipeline_parallel_size)
    ThreadingHTTPServer((arguments.host, arguments.port), handler(arguments.served_model_name, stages)).serve_forever()


def form(count):
    """As vLLM does: it joins the cluster, reserves a place on each node, and has a worker in each."""
    import ray
    from ray.util.placement_group import placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False)
    print(f"ray-stub: joined {os.environ['RAY_ADDRESS']}", flush=True)

    @ray.remote(num_cpus=1, max_restarts=0)
    class Stage:
        def run(self, passed):
            return [*passed, ray.util.get_node_ip_address()]

    places = placement_group([{"CPU": 1}] * count, strategy="STRICT_SPREAD")
    ray.get(places.ready(), timeout=120)
    stages = [
        Stage.options(scheduling_strategy=PlacementGroupSchedulingStrategy(places, index)).remote()
        for index in range(count)
    ]

    def pass_through():
        passed = []
        for stage in stages:
            passed = ray.get(stage.run.remote(passed), timeout=answer_seconds)
        return passed

    print(f"ray-stub: stages on {', '.join(pass_through())}", flush=True)
    return pass_through


def handler(name, pass_through):
    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, body):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def answer_by_all(self, body):
            try:
                passed = pass_through()
            except Exception as error:
                return self.answer(503, {"error": {"message": type(error).__name__}})
            return self.answer(200, body(f"through {' '.join(passed)}"))

        def do_GET(self):
            if self.path == "/health":
                return self.answer_by_all(lambda text: {"status": text})
            if self.path == "/v1/models":
                return self.answer(200, {"object": "list", "data": [{"id": name, "object": "model"}]})
            return self.answer(404, {})

        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.path == "/v1/completions":
                return self.answer_by_all(lambda text: {**of(name), "choices": [{"index": 0, "text": text}]})
            if self.path == "/v1/chat/completions":
                return self.answer_by_all(lambda text: {**of(name), "choices": [{"index": 0, "message": message(text)}]})
            return self.answer(404, {})

        def log_message(self, *_):
            pass

    return Handler


def of(name):
    return {"id": "stub", "object": "text_completion", "created": int(time.time()), "model": name}


def message(text):
    return {"role": "assistant", "content": text}
