"""The architecture on one screen: one Protocol a file, implemented under `ragstead.adapters`."""
