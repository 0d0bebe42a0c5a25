"""Zip archives held against limits before any library opens them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from zipfile import BadZipFile, ZipFile, ZipInfo

from ragstead.errors import UnreadableDocument

_ENCRYPTED = 0x1
_HEAD_BYTES = 64 * 1024
_XML_SUFFIXES = (".xml", ".rels", ".opf", ".ncx")


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What a zip archive may hold.

    Attributes:
        members: Number of files in it.
        unpacked_bytes: Their size together, unpacked.
        ratio: How many times its packed size a file of more than a mebibyte may have.
    """

    members: int = 10_000
    unpacked_bytes: int = 512 << 20
    ratio: int = 250


def member_names(data: bytes, filename: str, limits: ArchiveLimits) -> frozenset[str]:
    """Return the names of an archive's files once it is known to be harmless.

    Raises:
        UnreadableDocument: If it is damaged, encrypted, over a limit or declares XML entities.
    """
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _within_limits(members, filename, limits)
            for member in members:
                _without_entities(archive, member, filename)
            return frozenset(archive.namelist())
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as exc:
        raise UnreadableDocument(f"{filename}: damaged zip archive ({exc})") from exc


def _within_limits(members: list[ZipInfo], filename: str, limits: ArchiveLimits) -> None:
    unpacked = sum(member.file_size for member in members)
    if len(members) > limits.members:
        raise UnreadableDocument(f"{filename}: {len(members)} files in it, more than {limits.members}")
    if unpacked > limits.unpacked_bytes:
        raise UnreadableDocument(
            f"{filename}: unpacks to {unpacked >> 20} MiB, more than {limits.unpacked_bytes >> 20}"
        )
    for member in members:
        if member.flag_bits & _ENCRYPTED:
            raise UnreadableDocument(f"{filename}: it is encrypted; remove the password")
        if member.file_size > max(1 << 20, member.compress_size * limits.ratio):
            raise UnreadableDocument(f"{filename}: {member.filename!r} in it is packed like a zip bomb")


def _without_entities(archive: ZipFile, member: ZipInfo, filename: str) -> None:
    if not member.filename.lower().endswith(_XML_SUFFIXES):
        return
    with archive.open(member) as part:
        head = part.read(_HEAD_BYTES).replace(b"\0", b"")
    if b"<!ENTITY" in head:
        raise UnreadableDocument(f"{filename}: {member.filename!r} in it declares XML entities, which are not read")
