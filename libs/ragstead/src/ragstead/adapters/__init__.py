"""One third-party library, one file; only `ragstead.bootstrap` imports these."""
