"""The embedding service: OpenAI's embeddings API over one model. Routes and a process, no logic."""
