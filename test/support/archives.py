"""Makes archives, good and bad ones, for tests.

Input (standard input, JSON): [{"path", "format": "tar.gz" | "tar.xz" | "zip", "members": [{"name", "kind", "text",
"zeros", "mode", "target", "attributes", "compression"}]}]; of a member all but the name may be left out.
"""

import io
import json
import stat
import sys
import tarfile
import warnings
import zipfile

TYPES = {
    "file": tarfile.REGTYPE,
    "folder": tarfile.DIRTYPE,
    "link": tarfile.SYMTYPE,
    "hardLink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "pipe": tarfile.FIFOTYPE,
    "unknown": b"Z",
}
MODES = {"file": stat.S_IFREG, "folder": stat.S_IFDIR, "link": stat.S_IFLNK, "device": stat.S_IFCHR, "pipe": stat.S_IFIFO}


def content(member):
    return bytes(member.get("zeros", 0)) or member.get("text", "").encode()


def make_tar(path, compression, members):
    with tarfile.open(path, f"w:{compression}", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            kind, data = member.get("kind", "file"), content(member)
            info = tarfile.TarInfo(member["name"])
            info.type, info.mode, info.linkname = TYPES[kind], member.get("mode", 0o644), member.get("target", "")
            info.size = len(data)
            info.pax_headers = {"comment": "x" * member["attributes"]} if "attributes" in member else {}
            archive.addfile(info, io.BytesIO(data))


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            kind = member.get("kind", "file")
            info = zipfile.ZipInfo(member["name"])
            info.compress_type = getattr(zipfile, member.get("compression", "ZIP_DEFLATED"))
            mode = member.get("mode", 0o644)
            # Archives of Windows tell no modes.
            info.create_system = 0 if mode is None else 3
            info.external_attr = 0x20 if mode is None else (MODES[kind] | mode) << 16
            archive.writestr(info, member["target"].encode() if kind == "link" else content(member))


# Names that come twice are meant.
warnings.simplefilter("ignore")
for request in json.load(sys.stdin):
    if request["format"] == "zip":
        make_zip(request["path"], request["members"])
    else:
        make_tar(request["path"], request["format"].removeprefix("tar."), request["members"])
