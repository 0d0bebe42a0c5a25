"""Which release may become the champion, and which one was it before."""

from __future__ import annotations

from collections.abc import Sequence

from ragstead.errors import GateRefused, InvalidRequest
from ragstead.ports.registry import Promotion, RegisteredRelease


def check_promotion(candidate: RegisteredRelease, champion: str | None, *, force: bool, why: str) -> bool:
    """Return whether the promotion goes against the gate, or without it.

    The gate's word counts for the champion that it compared with; the very first champion needs none.

    Args:
        candidate: The release that is to be promoted.
        champion: The one that is live now, or None.
        force: Whether its promoter goes on where the gate does not let it pass.
        why: The reason; needed with `force`.

    Raises:
        InvalidRequest: If it is forced without a reason.
        GateRefused: If the gate refused it or has not seen it, and it is not forced.
    """
    if force and not why.strip():
        raise InvalidRequest("--force needs a reason: --why TEXT, which the audit trail keeps", param="--why")
    trouble = _trouble(candidate, champion)
    if trouble and not force:
        raise GateRefused(trouble)
    return bool(trouble)


def previous_champion(trail: Sequence[Promotion], champion: str | None) -> str | None:
    """Return the champion before this one; None where there was none.

    A rollback takes the champion that it leaves out of the line, so that one more goes back further. Where somebody
    changed the alias past the trail, the last champion that the trail knows is the one before.
    """
    line: list[str] = []
    for entry in trail:
        if entry.kind == "rollback" and entry.to in line:
            del line[line.index(entry.to) + 1 :]
        else:
            line = [*(one for one in line if one != entry.to), entry.to]
    if not line or champion is None:
        return None
    if champion not in line:
        return line[-1]
    at = line.index(champion)
    return line[at - 1] if at else None


def _trouble(candidate: RegisteredRelease, champion: str | None) -> str:
    """Return why the gate does not let the release pass; empty where it does."""
    name, gate = candidate.release.release_id, candidate.gate
    again = f"run `ragstead eval gate --candidate {name}`, or go on with --force --why TEXT"
    if gate is None:
        return f"the gate has not seen release {name}; {again}" if champion is not None else ""
    if gate.outcome == "refused":
        why = f": {gate.why}" if gate.why else ""
        return f"the gate refused release {name}{why}; mend that, or go on with --force --why TEXT"
    if champion is not None and gate.against not in ("", champion):
        return f"the gate compared release {name} with {gate.against}, and {champion} is live now; {again}"
    return ""
