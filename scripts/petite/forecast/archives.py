"""How many entries a zip has, without reading its directory."""

from contextlib import suppress
from pathlib import Path

# The end of a zip: a record of 22 bytes and a comment, after a longer one for many entries.
MOST_TAIL = 22 + 65_535 + 20 + 56
END, END_OF_LARGE = b"PK\5\6", b"PK\6\6"
MANY = 0xFFFF


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
