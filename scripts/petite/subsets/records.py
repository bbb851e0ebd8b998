"""The JSON records next to the tables of selections, subsets and proxies."""

from typing import Any, TypedDict

from petite.features.io import ProxyOf


class StepRecord(TypedDict):
    """One step of a chain: the method, and how many images it kept."""

    method: str
    images: int


class SelectionRecord(TypedDict):
    """How a selection was made. The details of its last method are further keys."""

    method: str
    settings: dict[str, Any]  # the method's own, as in config.yaml
    quota: str
    partitions: int
    seed: int
    memory_forecast: float | None  # bytes; None if the method does not state its cost
    seconds: float  # of all steps, with their features and the proxy
    proxy_seconds: float  # the part of the proxy
    proxy_of: ProxyOf | None  # which proxy; None if no step uses one
    steps: list[StepRecord]


class SubsetRecord(SelectionRecord):
    """A subset: how it was selected, and its size."""

    fraction: float
    images: int  # real ones
    rows: int  # real and augmented images
    stored_bytes: int  # of the real images and the recipes


class CandidatesRecord(TypedDict):
    """The first stage of a selection, for one partition."""

    part: int  # from 0
    seconds: float


class ProxyRecord(TypedDict):
    """A proxy run."""

    proxy_of: ProxyOf
    seed: int
    seconds: float
    embedding_seconds: float  # the part that embedding the images took; 0 for a network
    image_ids_sha256: str
    steps: int
    early_step: int  # the step at which the early scores were computed
    class_errors: list[float]  # by label, 0 to 1
