"""How much memory a step may take."""

from petite.errors import PetiteError

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def available() -> int:
    """Half of the memory that is free on this machine, bytes."""
    import psutil

    return int(psutil.virtual_memory().available) // 2


def parse(text: str) -> int:
    """Bytes of a size as people write it: "600 MB", "6GB", "100000".

    Raises PetiteError when it is none.
    """
    number = text.strip().upper()
    unit = next((name for name in ("KB", "MB", "GB", "TB", "B") if number.endswith(name)), "")
    try:
        size = float(number.removesuffix(unit)) * UNITS.get(unit, 1)
    except ValueError:
        size = 0
    if not 0 < size < float("inf"):
        raise PetiteError(f"'{text}' is no amount of memory: write say 600 MB or 6 GB")
    return int(size)


def in_words(size: float) -> str:
    """Bytes as people read them: 1.5 GB."""
    for name in ("TB", "GB", "MB", "KB"):
        if size >= UNITS[name]:
            return f"{size / UNITS[name]:.3g} {name}"
    return f"{size:.0f} B"
