"""What may leave this house: texts of collections whose owners said so, and nothing else."""

from __future__ import annotations

from ragstead.errors import Forbidden


def refuse_egress(collection: str, *, leaves: bool, may_leave: bool) -> None:
    """Raise where texts of a collection would be sent to a hosted API without its owner's word.

    Args:
        collection: Its name, or its id.
        leaves: Whether they would be sent.
        may_leave: Whether the owner said `egress: allow`.

    Raises:
        Forbidden: If they would be, and the owner did not.
    """
    if leaves and not may_leave:
        raise Forbidden(
            f"collection {collection!r} keeps its texts in this house, and the embedder is a hosted API: give the "
            'collection the metadata {"egress": "allow"}, or embed with a model of your own'
        )
