"""The command of the llama-cpp backend when it is installed from the wheel of xllamacpp, which brings none.

Takes the flags of llama.cpp's own llama-server that make sense here, by the same names. The API key comes from the
environment variable LLAMA_API_KEY, as it does there. Serves until it is told to stop.
"""

import argparse
import os
import signal
import sys


def parse(argv):
    parser = argparse.ArgumentParser(prog="llama-cpp", allow_abbrev=False)
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--model", "-m")
    parser.add_argument("--alias", "-a")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--ctx-size", "-c", type=int, dest="n_ctx")
    parser.add_argument("--n-gpu-layers", "--gpu-layers", "-ngl", type=int, dest="n_gpu_layers")
    parser.add_argument("--main-gpu", "-mg", type=int, dest="main_gpu")
    parser.add_argument("--parallel", "-np", type=int, default=1, dest="n_parallel")
    parser.add_argument("--batch-size", "-b", type=int, dest="n_batch")
    parser.add_argument("--ubatch-size", "-ub", type=int, dest="n_ubatch")
    parser.add_argument("--threads", "-t", type=int)
    parser.add_argument("--threads-batch", "-tb", type=int)
    parser.add_argument("--threads-http", type=int, dest="n_threads_http")
    parser.add_argument("--embedding", "--embeddings", action="store_true", dest="embedding")
    parser.add_argument("--metrics", action="store_true", dest="endpoint_metrics")
    parser.add_argument("--jinja", action="store_true", dest="use_jinja")
    parser.add_argument("--chat-template", dest="chat_template")
    return parser.parse_args(argv)


def parameters(arguments):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.hostnames = [arguments.host]
    params.port = arguments.port
    if arguments.alias:
        params.model_alias = [arguments.alias]
    key = os.environ.get("LLAMA_API_KEY")
    if key:
        params.api_keys = [key]
    if arguments.threads is not None:
        params.cpuparams.n_threads = arguments.threads
    if arguments.threads_batch is not None:
        params.cpuparams_batch.n_threads = arguments.threads_batch
    for name in (
        "n_ctx",
        "n_gpu_layers",
        "main_gpu",
        "n_parallel",
        "n_batch",
        "n_ubatch",
        "n_threads_http",
        "embedding",
        "endpoint_metrics",
        "use_jinja",
        "chat_template",
    ):
        value = getattr(arguments, name)
        if value not in (None, False):
            setattr(params, name, value)
    return params


def main():
    arguments = parse(sys.argv[1:])
    if arguments.version:
        from importlib.metadata import version

        print(version("xllamacpp"))
        return
    if arguments.model is None:
        sys.exit("llama-cpp: --model is missing")
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    import xllamacpp

    server = xllamacpp.Server(parameters(arguments))
    print(f"llama-cpp: listening on {server.listening_address}", flush=True)
    signal.sigwait(stops)
