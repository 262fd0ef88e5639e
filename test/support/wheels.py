"""Makes tiny wheels for a package index of a test. Equal input, equal bytes.

Input (standard input, JSON): {"folder", "wheels": [{"name", "version", "tag", "requires", "python", "command"}]}
Output: the SHA-256 of each wheel by its file name, as JSON.
"""

import base64
import hashlib
import json
import os
import sys
import zipfile

request = json.load(sys.stdin)


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def make(wheel):
    module = wheel["name"].replace("-", "_")
    info = f"{module}-{wheel['version']}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {wheel['name']}", f"Version: {wheel['version']}"]
    metadata += [f"Requires-Python: {wheel['python']}"] if wheel.get("python") else []
    metadata += [f"Provides-Extra: {extra}" for extra in wheel.get("extras", [])]
    metadata += [f"Requires-Dist: {need}" for need in wheel.get("requires", [])]
    files = {
        f"{module}.py": f"def main():\n    print({wheel['version']!r})\n",
        f"{info}/METADATA": "\n".join([*metadata, ""]),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {wheel['tag']}\n",
    }
    if wheel.get("command"):
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{wheel['command']} = {module}:main\n"
    file = f"{module}-{wheel['version']}-{wheel['tag']}.whl"
    path = os.path.join(request["folder"], file)
    with zipfile.ZipFile(path, "w") as archive:
        record = []
        for name, text in files.items():
            data = text.encode()
            archive.writestr(zipfile.ZipInfo(name), data)
            record.append(f"{name},sha256={digest(data)},{len(data)}")
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    with open(path, "rb") as archive:
        return file, hashlib.sha256(archive.read()).hexdigest()


print(json.dumps(dict(make(wheel) for wheel in request["wheels"])))
