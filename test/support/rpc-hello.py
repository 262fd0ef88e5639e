"""Says hello to an RPC server of llama.cpp, and prints what comes back, hexadecimal."""

import socket
import sys

HELLO = bytes([14]) + (0).to_bytes(8, "little")

address, port = sys.argv[1], int(sys.argv[2])
try:
    with socket.create_connection((address, port), timeout=5) as connection:
        connection.sendall(HELLO)
        print(connection.recv(64).hex())
except OSError:
    print("")
