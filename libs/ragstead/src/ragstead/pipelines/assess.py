"""tmp."""

from __future__ import annotations

from typing import Any

from ragstead.pipelines.answer import Evidence
from ragstead.ports.generator import EvidenceSentence
from ragstead.sentences import UnitKind, segment


class EvidenceAssessor:
    """tmp."""

    def __init__(self, embedder: Any, pool: Any) -> None:
        self._embedder = embedder

    async def __call__(self, question: str, found: Any) -> Evidence:
        """Tmp."""
        cands = []
        for i, h in enumerate(found.hits[:4]):
            for u in segment(h.stored.chunk.text):
                if u.kind not in (UnitKind.MARKUP, UnitKind.HEADING):
                    cands.append((i + 1, u.start, u.end, h.stored.chunk.text[u.start : u.end]))
        if not cands:
            return Evidence(0.0)
        v = await self._embedder.embed([question] + [c[3] for c in cands], "query")
        s = v[1:] @ v[0]
        best = s.argsort()[::-1][:2]
        return Evidence(
            float(found.hits[0].score),
            [EvidenceSentence(cands[b][0], cands[b][1], cands[b][2], float(s[b])) for b in sorted(best)],
        )
