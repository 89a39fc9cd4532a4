"""A shard: a pure function from its plan to a finished, checksummed file.

So any process can run it, here or on another machine.
"""

import contextlib
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..competition import sources
from ..competition.sources import File
from ..errors import KitError
from ..masks.table import Masks
from ..records.tfrecord import encode
from ..system.files import flush_folder


@dataclass(frozen=True)
class Shard:
    """The plan of one shard: everything that its bytes depend on."""

    path: Path  # the finished file
    temporary: Path  # its name while it is written, unique to the run; on the same disk
    source: Path  # folder or zip of the images
    files: list[File]
    crc: np.ndarray  # CRC-32 of each image when it was inspected, uint32 (images,)
    masks: Masks  # of the same images
    scenes: np.ndarray  # int64 (images,)
    sha256: str | None  # what the file had before it was lost or damaged; None: not known


def write_shard(shard: Shard) -> dict[str, Any]:
    """Writes a shard and returns its file, count, bytes and sha256.

    The file is written to its temporary name, flushed to the disk, read back, compared and renamed.
    What is read back usually comes from memory (forcing the disk cost a sixth of the rate);
    `kit check` reads the disk later.

    Raises:
        KitError: if an image has changed since it was inspected, or the disk gives back other
            bytes than it got. The temporary file is gone then, and an older shard unchanged.
    """
    digest = hashlib.sha256()
    try:
        with sources.reading(shard.source) as read, open(shard.temporary, "wb", buffering=0) as out:
            for place, file in enumerate(shard.files):
                data = read(file)
                if zlib.crc32(data) != shard.crc[place]:
                    raise KitError(
                        f"{file.name}: has changed since it was inspected; "
                        "remove the records and pack again"
                    )
                record = memoryview(encode(shard.masks, place, data, int(shard.scenes[place])))
                digest.update(record)
                while record:  # a disk that is nearly full may take only some of the bytes
                    record = record[out.write(record) :]
            os.fsync(out.fileno())
        with open(shard.temporary, "rb", buffering=0) as back:
            size = os.fstat(back.fileno()).st_size
            found = hashlib.file_digest(back, "sha256").hexdigest()
        if found != digest.hexdigest():
            raise KitError(
                f"{shard.path}: the disk gives back other bytes than were written; "
                "do not trust this disk"
            )
        if shard.sha256 not in (None, found):
            raise KitError(
                f"{shard.path}: cannot be made again because its masks or the kit have changed; "
                "remove the records and pack again"
            )
        os.replace(shard.temporary, shard.path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(shard.temporary)
    flush_folder(shard.path.parent)
    return {"file": shard.path.name, "count": len(shard.files), "bytes": size, "sha256": found}
