"""Joins members of zip archives, in the order given, into one file, and prints what it made as JSON.

Input (standard input, JSON): {"archives": [paths], "members": pattern, "output": path}
In the pattern `*` matches within one folder name. Prints progress lines `Progress <bytes> of <total>` and last
{"sha256": ..., "sizeBytes": ...}.
"""

import hashlib
import json
import re
import sys
import zipfile

CHUNK = 1 << 20

request = json.load(sys.stdin)
pattern = re.compile("[^/]*".join(re.escape(part) for part in request["members"].split("*")))
archives = [zipfile.ZipFile(path) for path in request["archives"]]
members = []
for archive in archives:
    found = sorted((info for info in archive.infolist() if pattern.fullmatch(info.filename)), key=lambda info: info.filename)
    if not found:
        sys.exit(f"{archive.filename}: no member matches {request['members']}")
    members += [(archive, info) for info in found]

total = sum(info.file_size for _, info in members)
digest = hashlib.sha256()
size = 0
with open(request["output"], "wb") as output:
    for archive, info in members:
        with archive.open(info) as member:
            while chunk := member.read(CHUNK):
                output.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                if size % (16 * CHUNK) < CHUNK:
                    print(f"Progress {size} of {total}", flush=True)
print(json.dumps({"sha256": digest.hexdigest(), "sizeBytes": size}))
