"""What an archive tells of itself before the run lists it."""

import tarfile
from contextlib import suppress
from pathlib import Path

# The end of a zip: a record of 22 bytes and a comment, after a longer one for many entries.
MOST_TAIL = 22 + 65_535 + 20 + 56
END, END_OF_LARGE = b"PK\5\6", b"PK\6\6"
MANY = 0xFFFF

# The names of this many entries are read in one second (zip) or two (tar). Those of a tar are
# everywhere in it, so that it is to be small too, for a slow disk.
QUICK_ENTRIES = 50_000
QUICK_TAR_BYTES = 1_000_000_000
TAR_MARK, PLACE_OF_MARK = b"ustar", 257


def names_are_quick(path: Path) -> bool:
    """Whether the names in an archive may be read while a run is planned.

    Those of a compressed tar may not, as it must be unpacked for them. A reader of a tar stops
    after QUICK_ENTRIES by itself, because their number is unknown.
    """
    with suppress(OSError), path.open("rb") as file:
        if file.read(tarfile.BLOCKSIZE)[PLACE_OF_MARK:].startswith(TAR_MARK):
            return path.stat().st_size <= QUICK_TAR_BYTES
        entries = entries_of_zip(path)
        return entries is not None and entries <= QUICK_ENTRIES
    return False


def entries_of_zip(path: Path) -> int | None:
    """Read the number of entries from the end of a zip.

    Parameters
    ----------
    path : Path

    Returns
    -------
    int or None
        None if the file is not a zip, damaged or not readable.
    """
    with suppress(OSError), path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - MOST_TAIL))
        tail = file.read()
        place = tail.rfind(END)
        if place < 0 or len(tail) < place + 22:
            return None
        count = int.from_bytes(tail[place + 10 : place + 12], "little")
        large = tail.rfind(END_OF_LARGE, 0, place)
        if count == MANY and large >= 0:
            count = int.from_bytes(tail[large + 32 : large + 40], "little")
        return count
    return None
