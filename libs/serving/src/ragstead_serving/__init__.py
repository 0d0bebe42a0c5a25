"""The FastAPI shell that every Ragstead service wears: app factory, error table, host rules, auth, SSE, metrics."""
