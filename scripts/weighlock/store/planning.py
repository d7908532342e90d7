"""What has to be done to have blobs in a store: nothing, a mount, or sending them. Made before the first byte moves."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from weighlock.errors import IntegrityError, NotFoundError
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Digest
from weighlock.store import Store
from weighlock.store.parallel import Job, Meter, run_all
from weighlock.text import counted, size


class Move(enum.Enum):
    """How a blob comes to be there; the value is what `--json` says."""

    PRESENT = "present"
    MOUNT = "mount"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class Plan:
    """Each blob once, with its move; `origin` is where blobs are mounted from."""

    moves: tuple[tuple[Descriptor, Move], ...]
    origin: Store | None = None

    def to_json(self) -> list[Json]:
        """Return digest, size and move of each blob."""
        return [{"digest": str(blob.digest), "size": blob.size, "move": move.value} for blob, move in self.moves]

    def lines(self) -> list[str]:
        """Return a line for people on each kind of move that there is."""
        words = {Move.PRESENT: "there already", Move.MOUNT: "to mount", Move.SEND: "to send"}
        lines = []
        for kind, said in words.items():
            blobs = [blob for blob, move in self.moves if move is kind]
            if blobs:
                lines.append(f"{said}: {counted(len(blobs), 'blob')}, {size(sum(blob.size for blob in blobs))}")
        return lines

    def absent(self) -> list[Descriptor]:
        """Return what is not there yet."""
        return [blob for blob, move in self.moves if move is not Move.PRESENT]


class Early:
    """The same questions, asked while files are still read, about digests that may turn out to be others.

    An answer is of a digest and a size, whoever named them, so a wrong guess costs a question and nothing else.
    """

    def __init__(self, store: Store, blobs: Sequence[Descriptor], origin: Store | None = None) -> None:
        """Begin to ask, in a thread of its own."""
        asking = ThreadPoolExecutor(max_workers=1)
        self._plan = asking.submit(plan, store, blobs, origin)
        asking.shutdown(wait=False)

    def answers(self) -> dict[tuple[Digest, int], Move]:
        """Wait for the answers, by digest and size; raises what asking raised."""
        return {(blob.digest, blob.size): move for blob, move in self._plan.result().moves}


def plan(store: Store, blobs: Sequence[Descriptor], origin: Store | None = None, early: Early | None = None) -> Plan:
    """Ask `store` for each blob, then `origin`, a place to mount from; not again what was asked `early`. Writes nothing."""
    answers = early.answers() if early else {}
    single: dict[Digest, Descriptor] = {}
    for blob in blobs:
        single.setdefault(blob.digest, blob)

    def job(blob: Descriptor) -> Job[Move]:
        def run(_: Meter) -> Move:
            if answer := answers.get((blob.digest, blob.size)):
                return answer
            if _is_there(store, blob):
                return Move.PRESENT
            return Move.MOUNT if origin is not None and _is_there(origin, blob) else Move.SEND

        return Job(blob.size, run)

    moves = run_all([job(blob) for blob in single.values()])
    return Plan(tuple(zip(single.values(), moves, strict=True)), origin)


def _is_there(store: Store, blob: Descriptor) -> bool:
    """Tell whether the blob is there; one that is damaged is not, and storing it mends it or says why not."""
    try:
        store.examine(blob)
    except (NotFoundError, IntegrityError):
        return False
    return True
