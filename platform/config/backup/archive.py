"""The archive of a backup: a tar of the dump, the files and the keys, with a manifest that vouches for each.

It holds every secret of the installation, so it is written for this user alone, and nothing is read out of one that
does not match its manifest.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

MANIFEST: Final = "manifest.json"
DUMP: Final = "database.dump"
KEYS: Final = ("secret_key", "encryption_key", "demo.json")
FILES: Final = "files"
FORMAT: Final = 1
PIECE: Final = 1024 * 1024

Progress = Callable[[str], None]


class BadArchive(Exception):
    """The archive is not one of ours, is cut short or was changed; the text says which."""


def write(target: Path, members: list[tuple[str, Path]], facts: dict[str, Any], progress: Progress) -> None:
    """Write `members`, pairs of a name in the archive and a file, and the manifest last. Complete or not at all."""
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    sums: dict[str, str] = {}
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as archive:
                for number, (name, path) in enumerate(members, 1):
                    sums[name] = _add(archive, name, path)
                    if number % 500 == 0:
                        progress(f"{number} of {len(members)} files")
                manifest = json.dumps(facts | {"format": FORMAT, "sha256": sums}, indent=1).encode()
                entry = tarfile.TarInfo(MANIFEST)
                entry.size, entry.mode = len(manifest), 0o600
                archive.addfile(entry, io.BytesIO(manifest))
            raw.flush()
            os.fsync(raw.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def unpack(source: Path, directory: Path) -> dict[str, Any]:
    """Unpack into an empty `directory` and return the manifest. Raises BadArchive; then nothing of it may be used."""
    sums: dict[str, str] = {}
    try:
        with tarfile.open(source, mode="r:gz") as archive:
            for entry in archive:
                name = PurePosixPath(entry.name)
                if not entry.isreg() or name.is_absolute() or ".." in name.parts:
                    raise BadArchive(f"{source} holds {entry.name!r}, which no backup does")
                content = archive.extractfile(entry)
                assert content is not None, "a regular file has content"
                sums[entry.name] = _extract(content, directory / name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadArchive(f"{source} cannot be read as a backup: {error}") from error
    return _vouched(source, directory, sums)


def _vouched(source: Path, directory: Path, sums: dict[str, str]) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        promised, given = manifest["sha256"], manifest["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BadArchive(f"{source} has no manifest: it is not a backup, or was cut short") from None
    if given != FORMAT:
        raise BadArchive(f"{source} has format {given}; this version reads {FORMAT}")
    sums.pop(MANIFEST)
    wrong = sorted(name for name in promised.keys() | sums.keys() if promised.get(name) != sums.get(name))
    if wrong:
        raise BadArchive(f"{source} does not match its manifest: {', '.join(wrong[:5])}")
    return manifest


def _add(archive: tarfile.TarFile, name: str, path: Path) -> str:
    entry = tarfile.TarInfo(name)
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        entry.size, entry.mtime, entry.mode = status.st_size, int(status.st_mtime), 0o600
        summed = _Summing(file)
        archive.addfile(entry, summed)
    return summed.digest.hexdigest()


def _extract(content: IO[bytes], target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    with _private(target) as file:
        while piece := content.read(PIECE):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


@contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file


class _Summing:
    """A file that sums what is read from it, so that it is read once."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self.file.read(size)
        self.digest.update(piece)
        return piece
