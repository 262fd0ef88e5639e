"""Unpacks an archive (tar.gz, tar.xz or zip, told by its content) into a folder that it makes, and prints JSON.

Input (standard input, JSON): {"archive": path, "folder": path, "executable": path in the archive,
"maxBytes": number, "maxMembers": number}
Output: {"files": number, "sizeBytes": number}, or for an archive that it does not take, at the first member that is
wrong, {"refused": {"got": text, "expected": text}}. What it had unpacked until then is left to the caller to remove.

An archive may be anybody's, so every member is checked here. Links are made last, when all names are known: nothing
is ever written through one.
"""

import gzip
import io
import json
import lzma
import os
import stat
import struct
import sys
import tarfile
import unicodedata
import zipfile
import zlib

CHUNK = 1 << 20
# Names and attributes of one member. tarfile reads them whole into memory.
MAX_HEADER = 1 << 17
# xz -9 asks for 65 MiB to unpack.
MAX_XZ_MEMORY = 1 << 28
MAX_PATH, MAX_NAME, MAX_LINKS = 1000, 255, 40
INSIDE = "members that stay inside the archive's own folder"
PLAIN = "files, folders and links"

DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
    NotImplementedError,
)


class Refused(Exception):
    def __init__(self, got, expected):
        super().__init__(got)
        self.got, self.expected = got, expected


def refuse(member, reason, expected):
    raise Refused(f"{ascii(member)[:300]} {reason}", expected)


class Tree:
    """What is unpacked, by paths as a file system that does not tell upper from lower case sees them."""

    def __init__(self, folder, max_bytes, max_members):
        self.folder, self.max_bytes, self.max_members = folder, max_bytes, max_members
        self.kinds, self.links = {}, {}
        self.members = self.files = self.bytes = 0

    def count(self):
        self.members += 1
        if self.members > self.max_members:
            raise Refused(f"more than {self.max_members} members", f"at most {self.max_members} members")

    def add_folder(self, parts):
        for depth in range(1, len(parts) + 1):
            self.enter(parts[:depth])

    def enter(self, parts):
        path = "/".join(parts)
        kind, known = self.kinds.get(fold(parts), (None, None))
        if kind is None:
            self.count()
            self.kinds[fold(parts)] = ("folder", path)
            os.mkdir(self.place(path), 0o755)
            os.chmod(self.place(path), 0o755)
        elif kind != "folder":
            refuse(path, f"is a {kind} already, so nothing can lie below it", INSIDE)
        elif known != path:
            refuse(path, f"differs from {ascii(known)[:300]} only by case", "names that differ on every file system")

    def add_file(self, parts, executable, source):
        path = self.claim(parts, "file")
        descriptor = os.open(self.place(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as output:
            while chunk := source.read(CHUNK):
                self.bytes += len(chunk)
                if self.bytes > self.max_bytes:
                    most = f"{self.max_bytes} bytes"
                    refuse(path, f"makes it more than {most} unpacked", f"at most {most}")
                output.write(chunk)
            os.fchmod(output.fileno(), 0o755 if executable else 0o644)
        self.files += 1

    def add_hard_link(self, parts, target):
        kind, known = self.kinds.get(fold(target), (None, None))
        if kind != "file" or known != "/".join(target):
            leads = f"is a hard link to {ascii('/'.join(target))[:300]}"
            refuse("/".join(parts), leads, "hard links to files that come before them")
        path = self.claim(parts, "file")
        os.link(self.place(known), self.place(path), follow_symlinks=False)
        self.files += 1

    def add_link(self, parts, target):
        path = self.claim(parts, "link")
        if target.startswith("/") or target == "" or not is_plain(target):
            refuse(path, f"is a link to {ascii(target)[:300]}", INSIDE)
        self.links[fold(parts)] = (parts, target)

    def make_links(self):
        for parts, _ in self.links.values():
            self.follow(parts)
        for parts, target in self.links.values():
            os.symlink(target, self.place("/".join(parts)))

    def follow(self, parts):
        """Goes where a link leads, through other links too, and refuses it when that is outside or nowhere."""
        reached, rest, followed = [], list(reversed(parts)), 0
        while rest:
            part = rest.pop()
            if part == ".." and not reached:
                refuse("/".join(parts), f"is a link to {ascii(self.links[fold(parts)][1])[:300]}", INSIDE)
            elif part == "..":
                reached.pop()
            elif part not in ("", "."):
                reached.append(part)
                _, target = self.links.get(fold(reached), (None, None))
                if target is not None:
                    followed += 1
                    if followed > MAX_LINKS:
                        refuse("/".join(parts), "is a link that leads in a circle", INSIDE)
                    reached.pop()
                    rest.extend(reversed(target.split("/")))

    def claim(self, parts, kind):
        """Takes a path that nothing else has, and makes the folders that lead there."""
        if not parts:
            refuse(".", f"is a {kind}", "a folder")
        self.add_folder(parts[:-1])
        path = "/".join(parts)
        _, known = self.kinds.get(fold(parts), (None, None))
        if known is not None:
            refuse(path, f"comes after {ascii(known)[:300]}", "names that differ on every file system")
        self.kinds[fold(parts)] = (kind, path)
        return path

    def place(self, path):
        return os.path.join(self.folder, path)


def fold(parts):
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", "/".join(parts)).casefold())


def is_plain(name):
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return size <= MAX_PATH and "\\" not in name and name.isprintable()


def parts_of(name):
    if name.startswith("/"):
        refuse(name, "is an absolute path", INSIDE)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        refuse(name, "has a .. in it", INSIDE)
    if not is_plain(name) or any(len(part.encode()) > MAX_NAME for part in parts):
        refuse(name, "is not a plain name", f"printable UTF-8 without backslashes, at most {MAX_PATH} bytes")
    return parts


class Bounded(io.RawIOBase):
    """The unpacked bytes of a tar archive, of which no more may be read at a time than was allowed."""

    def __init__(self, source):
        self.source, self.passed, self.limit = source, 0, 0

    def allow(self, size):
        # tarfile reads ahead by some 10 kB.
        self.limit = self.passed + size + (1 << 15)

    def read(self, size=-1):
        data = self.source.read(size)
        self.passed += len(data)
        if self.passed > self.limit:
            raise Refused("a header too large", f"names and attributes of at most {MAX_HEADER} bytes a member")
        return data


class Unxz(io.RawIOBase):
    """lzma.LZMAFile with a bound on the memory that the archive may ask for."""

    def __init__(self, file):
        self.file, self.decoder = file, lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)

    def read(self, size=-1):
        while True:
            data = b""
            if self.decoder.eof:
                data = self.decoder.unused_data.lstrip(b"\0") or self.file.read(CHUNK).lstrip(b"\0")
                if not data:
                    return b""
                self.decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)
            elif self.decoder.needs_input:
                data = self.file.read(CHUNK)
                if not data:
                    raise EOFError("the compressed data ends early")
            if unpacked := self.decoder.decompress(data, size):
                return unpacked


class Member(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf, encoding, errors):
        """tarfile itself takes a damaged header that is not the first one for the end of the archive."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if any(buf):
                raise Refused(f"a damaged header: {error}", "a whole archive") from error
            raise


def unpack_tar(source, tree):
    bounded = Bounded(source)
    bounded.allow(MAX_HEADER)
    with tarfile.open(fileobj=bounded, mode="r|", tarinfo=Member) as archive:
        while (info := archive.next()) is not None:
            tree.count()
            parts = parts_of(info.name)
            if info.isdir():
                tree.add_folder(parts)
            elif info.issym():
                tree.add_link(parts, info.linkname)
            elif info.islnk():
                tree.add_hard_link(parts, parts_of(info.linkname))
            elif info.isreg() and not info.issparse():
                bounded.allow(info.size)
                tree.add_file(parts, info.mode & stat.S_IXUSR, archive.extractfile(info))
            else:
                refuse(info.name, f"is a {kind_of(info)}", PLAIN)
            bounded.allow(MAX_HEADER)


def kind_of(info):
    if info.issparse():
        return "sparse file"
    return "device or pipe" if info.isdev() else f"member of type {ascii(info.type)}"


def unpack_zip(file, tree, executable):
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            tree.count()
            # ZipInfo.filename ends at a NUL.
            name, mode = info.orig_filename, info.external_attr >> 16
            parts, kind = parts_of(name), stat.S_IFMT(mode)
            if info.flag_bits & 1:
                refuse(name, "is encrypted", PLAIN)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                refuse(name, f"is compressed by method {info.compress_type}", "methods 0 (stored) and 8 (deflated)")
            if name.endswith("/") or kind == stat.S_IFDIR:
                tree.add_folder(parts)
            elif kind == stat.S_IFLNK:
                with archive.open(info) as member:
                    tree.add_link(parts, member.read(MAX_PATH + 1).decode())
            elif kind in (0, stat.S_IFREG):
                # Zip files of Windows tell no modes; then the executable is what the catalogue calls so.
                runs = mode & stat.S_IXUSR if mode else "/".join(parts) == executable
                with archive.open(info) as member:
                    tree.add_file(parts, runs, member)
            else:
                refuse(name, "is a device or pipe", PLAIN)


def unpack(request):
    tree = Tree(request["folder"], request["maxBytes"], request["maxMembers"])
    os.makedirs(os.path.dirname(tree.folder), exist_ok=True)
    os.mkdir(tree.folder, 0o755)
    with open(request["archive"], "rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            unpack_tar(gzip.GzipFile(fileobj=file), tree)
        elif start == b"\xfd7zXZ\0":
            unpack_tar(Unxz(file), tree)
        elif start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            unpack_zip(file, tree, request["executable"])
        else:
            raise Refused(f"a file that begins with {start!r}", "a tar.gz, tar.xz or zip archive")
    tree.make_links()
    return {"files": tree.files, "sizeBytes": tree.bytes}


def main():
    request = json.load(sys.stdin)
    try:
        result = unpack(request)
    except Refused as refused:
        result = {"refused": {"got": refused.got, "expected": refused.expected}}
    except (OSError, *DAMAGE) as error:
        # Only what the system itself refuses has a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        result = {"refused": {"got": f"{type(error).__name__}: {error}"[:300], "expected": "a whole archive"}}
    print(json.dumps(result))


main()
