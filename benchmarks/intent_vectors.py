"""Make data/intents.npz, the vectors of the shipped example comments, anew. Run it after a change to data/intents.txt.

python -m benchmarks.intent_vectors
"""

from pathlib import Path

import numpy as np

from data.embedding import load_embedder
from data.intents import digest, shipped_texts

if __name__ == "__main__":
    embedder = load_embedder()
    vectors = embedder.encode(shipped_texts()).astype(np.float16)  # an error below 0.0005 a component
    path = Path(__file__).parent.parent / "data/intents.npz"
    np.savez_compressed(path, vectors=vectors, digest=digest(embedder.name))
    print(f"{len(vectors)} vectors, {path.stat().st_size / 1e6:.1f} MB: {path}")
