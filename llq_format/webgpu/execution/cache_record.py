"""What the KV cache of an executor holds, and how much of it another sequence can keep."""

from collections.abc import Sequence


class CacheRecord:
    """The ids of computed positions, and the chunks in which pass `prefill` computed them."""

    def __init__(self) -> None:
        """Begin without positions."""
        self._ids: list[int] = []
        self._ends: list[
            int
        ] = []  # of the chunks from position 0 on, up to the first position of another pass

    def __len__(self) -> int:
        """Return the number of positions."""
        return len(self._ids)

    def add_chunk(self, ids: Sequence[int]) -> None:
        """Add the positions of a chunk of pass `prefill`."""
        begin = len(self)
        self.add(ids)
        if (self._ends[-1] if self._ends else 0) == begin:
            self._ends.append(len(self))

    def add(self, ids: Sequence[int]) -> None:
        """Add positions that another pass computed."""
        self._ids += ids

    def cut(self, position: int) -> None:
        """Remove all positions from one on."""
        del self._ids[position:]
        self._ends = [end for end in self._ends if end <= position]

    def copy(self) -> "CacheRecord":
        """Return a record with the same positions."""
        record = CacheRecord()
        record._ids, record._ends = list(self._ids), list(self._ends)
        return record

    def common(self, ids: Sequence[int]) -> int:
        """Return the number of first positions that have the ids of a sequence, whichever pass computed them.

        The last id of the sequence is left out: its logits are needed.
        """
        most = max(0, min(len(self), len(ids) - 1))
        return next((n for n in range(most) if ids[n] != self._ids[n]), most)

    def common_chunks(self, ids: Sequence[int], chunk: int) -> int:
        """Return the number of first positions that a new computation would compute in the same chunks.

        Their keys and values are equal bit for bit. The last chunk of the sequence is left out: its logits
        are needed.
        chunk: maximum number of tokens of a chunk.
        """
        common, begin = self.common(ids), 0
        for end in self._ends:
            if end != begin + chunk or end > common:
                break
            begin = end
        return begin
