"""Makes a wheel of one module whose main() is a command, so that pipx can expose it. Equal input, equal bytes.

Input (standard input, JSON): {"name", "version", "module", "command", "source", "output"}
"""

import base64
import hashlib
import json
import sys
import zipfile

request = json.load(sys.stdin)
module, version = request["module"], request["version"]
info = f"{module}-{version}.dist-info"
files = {
    f"{module}.py": request["source"],
    f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {request['name']}\nVersion: {version}\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: berth\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{info}/entry_points.txt": f"[console_scripts]\n{request['command']} = {module}:main\n",
}


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


with zipfile.ZipFile(request["output"], "w") as wheel:
    record = []
    for name, text in files.items():
        data = text.encode()
        wheel.writestr(zipfile.ZipInfo(name), data)
        record.append(f"{name},sha256={digest(data)},{len(data)}")
    wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
