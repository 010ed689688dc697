"""Search through its public functions, with a real record, a real vector index and the real embedding model."""

import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import snowballstemmer
from langchain_core.runnables import RunnableLambda

from bot.assistant import Assistant
from data.database import Database
from data.embedding import Embedder
from data.errors import BadInput, NotFound
from data.index import Index
from data.models import Chunk, Document
from data.store import Store, StoredChunk, chunk_ids
from ingest.chunking import split
from rag.confidence import ABSTAIN_BELOW, confidence
from rag.fusion import LEXICAL_WEIGHT, fuse
from rag.langchain_retriever import KnowledgeBaseRetriever
from rag.lexical import MAX_TERMS, coverage, match_any, terms
from rag.passages import MAX_MERGED, passages
from rag.rerank import CrossEncoderReranker
from rag.retriever import Retriever

POSTS = {
    "wavelets": [
        "The wavelet transform splits a signal by scale and by time, so a short spike stays visible.",
        "A mother wavelet such as db4 is stretched and shifted along the signal.",
    ],
    "fourier": [
        "The Fourier transform writes a signal as a sum of sines. It tells which frequencies are there, not when.",
        "A sampling rate of 44,100 hertz captures sound up to 22,050 hertz.",
    ],
    "bread": [
        "Sourdough needs a starter of flour and water that ferments for seven days.",
        "Bake the loaf at 230 degrees with steam for the first twenty minutes.",
    ],
    "invoices": ["Invoice 4711 of Contoso was paid on 3 March. Invoice 4712 is still open."],
    "cats": ["Cats sleep for up to sixteen hours a day, mostly in short naps."],
}


@pytest.fixture(scope="module")
def retriever(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    return knowledge_base(tmp_path_factory.mktemp("posts"), embedder, POSTS)


def knowledge_base(home: Path, embedder: Embedder, documents: dict[str, list[str]], **more: object) -> Retriever:
    store = Store(Database(home / "shawgpt.sqlite3"))
    index = Index(store, home / "chroma", writable=True)
    store.open_kb("main", embedder.name)
    for source, texts in documents.items():
        chunks = [Chunk(text, "", page, page, 50, text) for page, text in enumerate(texts, 1)]
        ids = chunk_ids("main", source, chunks)
        vectors = dict(zip(ids, embedder.encode(texts), strict=True))
        added, removed = store.put_document("main", Document(source, "pdf", "\n".join(texts)), source, chunks, vectors)
        index.update("main", added, removed)
    return Retriever(store, index, embedder, "main", **more)  # type: ignore[arg-type]


def stored(source: str, position: int, text: str) -> StoredChunk:
    page = position + 1
    return StoredChunk(f"{source}{position}", source, source, position, text, "", page, page, (), text, (), "pdf")


def prose(seed: str) -> str:
    return " ".join(f"{seed}{i}" for i in range(60))


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("How can I see when a spike happens in my signal?", "wavelets"),
        ("which frequencies are in a signal", "fourier"),
        ("how hot should the oven be for a loaf", "bread"),
        ("4712", "invoices"),
        ("db4", "wavelets"),
        ("do kittens nap a lot?", "cats"),
    ],
)
def test_the_right_document_comes_first_by_meaning_and_by_exact_words(
    retriever: Retriever, query: str, source: str
) -> None:
    assert retriever.search(query).passages[0].source == source


def test_passages_carry_what_a_citation_needs_and_ranks_count_from_one(retriever: Retriever) -> None:
    found = retriever.search("what is the sampling rate of sound", 3).passages
    assert [p.rank for p in found] == [1, 2, 3]
    assert (found[0].source, found[0].page_end, "44,100" in found[0].text) == ("fourier", 2, True)
    scores = [p.score for p in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_search_gives_the_same_result_twice(retriever: Retriever) -> None:
    assert retriever.search("signal") == retriever.search("signal")


@pytest.mark.parametrize(
    "query",
    [
        '"', "''", 'NEAR("signal" "time", 2)', "signal AND", "NOT", "*", "sig*", "col:signal", "^signal", "(((", "a\0b",
        "-signal", "🙂🙂", "什么是小波变换", "ما هو تحويل المويجات", "\ud800 signal", "the of and", "\u202eab", "_",
        "x " * 5000, "signal " * 2000, " ".join(f"w{i}" for i in range(2000)), "é" * 10_000, "'; DROP TABLE chunks; --",
    ],
    ids=lambda query: ascii(query[:12]),
)  # fmt: skip
def test_any_string_is_searched_without_an_error(retriever: Retriever, query: str) -> None:
    result = retriever.search(query)
    assert 0 <= result.confidence <= 1
    assert len(result.passages) <= 5


@pytest.mark.parametrize("query", ["", "   ", "\n\t"])
def test_an_empty_query_finds_nothing(retriever: Retriever, query: str) -> None:
    result = retriever.search(query)
    assert (result.passages, result.confidence) == ((), 0.0)


def test_an_empty_knowledge_base_has_no_passages_and_no_confidence(embedder: Embedder, tmp_path: Path) -> None:
    result = knowledge_base(tmp_path, embedder, {}).search("anything?")
    assert (result.passages, result.confidence) == ((), 0.0)


def test_an_unknown_knowledge_base_is_named(retriever: Retriever) -> None:
    with pytest.raises(NotFound, match="nosuch"):
        Retriever(retriever.store, retriever.index, retriever.embedder, "nosuch").search("signal")


@pytest.mark.parametrize(
    "query", ["Who won the 1998 world cup?", "What is the capital of Mongolia?", "how do I reset my router password"]
)
def test_another_subject_falls_below_the_cut_off(retriever: Retriever, query: str) -> None:
    assert retriever.search(query).confidence < ABSTAIN_BELOW


@pytest.mark.parametrize("query", ["what does the Fourier transform tell?", "is invoice 4712 paid?", "do cats sleep"])
def test_what_the_documents_answer_is_above_the_cut_off(retriever: Retriever, query: str) -> None:
    assert retriever.search(query).confidence > 0.5


def test_confidence_grows_with_the_score() -> None:
    values = [confidence(score / 10) for score in range(11)]
    assert values == sorted(values)
    assert 0 < values[0] < 0.01 < 0.99 < values[-1] < 1


def test_a_copy_in_another_document_is_shown_once(embedder: Embedder, tmp_path: Path) -> None:
    text = POSTS["wavelets"][0]
    copies = {"post.md": [text], "post.html": [text.upper() + " "], "other.md": [POSTS["bread"][0]]}
    found = knowledge_base(tmp_path, embedder, copies).search("wavelet transform of a signal").passages
    assert sorted(p.source for p in found)[0] == "other.md"
    assert len(found) == 2


def test_a_copy_adds_nothing_to_the_score(embedder: Embedder, tmp_path: Path) -> None:
    one = {"a": [POSTS["wavelets"][0]], **{f"x{i}": [prose(f"w{i}")] for i in range(3)}}
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    once = knowledge_base(tmp_path / "1", embedder, one).search("spike in a signal").passages[0].score
    twice = knowledge_base(tmp_path / "2", embedder, one | {"b": [POSTS["wavelets"][0]]}).search("spike in a signal")
    assert twice.passages[0].score <= once


def test_near_duplicates_differ_in_a_word_or_two() -> None:
    text = prose("word")
    ranked = [(stored("a", 0, text), 0.9), (stored("b", 0, text + " end"), 0.8), (stored("c", 0, prose("else")), 0.7)]
    assert [p.source for p in passages(ranked, 5)] == ["a", "c"]


def test_chunks_that_share_half_their_words_are_both_shown() -> None:
    both = [(stored("a", 0, prose("x") + " " + prose("y")), 0.9), (stored("b", 0, prose("x") + " " + prose("z")), 0.8)]
    assert len(passages(both, 5)) == 2


def test_neighbours_become_one_passage_in_the_documents_order() -> None:
    second, first_part, other = stored("a", 5, "second part"), stored("a", 4, "first part"), stored("b", 0, "elsewhere")
    ranked = [(second, 0.9), (other, 0.85), (first_part, 0.8)]
    joined, after = passages(ranked, 5)
    assert (joined.text, joined.page_start, joined.page_end) == ("first part\nsecond part", 5, 6)
    assert (joined.chunk_id, joined.score, after.source) == ("a5", 0.9, "b")


def test_a_weak_neighbour_is_not_joined() -> None:
    ranked = [(stored("a", 5, "strong"), 0.9), (stored("a", 6, "weak"), 0.3)]
    assert [p.text for p in passages(ranked, 5)] == ["strong", "weak"]


def test_a_passage_never_holds_more_than_so_many_chunks() -> None:
    ranked = [(stored("a", i, f"part {i} {prose(str(i))}"), 0.9) for i in range(10)]
    assert max(p.text.count("part") for p in passages(ranked, 10)) == MAX_MERGED


def test_as_many_passages_are_returned_as_asked_for() -> None:
    ranked = [(stored(f"d{i}", 0, prose(f"t{i}")), 1 - i / 100) for i in range(30)]
    assert [len(passages(ranked, k)) for k in (1, 5, 10, 30)] == [1, 5, 10, 30]


def test_fused_scores_weigh_both_sides_and_ties_go_by_id() -> None:
    ranked = fuse({"b": 0.5, "a": 0.5, "c": 0.2, "d": -0.1}, {"a": 0.0, "b": 0.0, "c": 1.0, "d": 0.0})
    assert [chunk for chunk, _ in ranked] == ["c", "a", "b", "d"]
    assert dict(ranked)["c"] == pytest.approx((0.2 + LEXICAL_WEIGHT) / (1 + LEXICAL_WEIGHT))
    assert dict(ranked)["d"] == 0.0


def test_words_are_stemmed_alike_by_threads_that_search_at_once() -> None:
    endings = ("ations", "izing", "ness", "fulness", "ement", "ies", "ed")
    asked = [[f"thread{n}word{i}{ending}" for i in range(300) for ending in endings] for n in range(4)]

    def stems(mine: list[str]) -> list[str]:
        return [stem for word in mine for stem in terms(word)]

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(asked)) as threads:
            together = list(threads.map(stems, asked))
    finally:
        sys.setswitchinterval(switching)
    alone = snowballstemmer.stemmer("porter")
    assert together == [alone.stemWords(mine) for mine in asked]


def test_coverage_counts_rare_words_more_stems_alike_and_closeness() -> None:
    weights = {"wavelet": 3.0, "signal": 1.0}
    near, far = "signals and wavelets", "wavelets " + "x " * 40 + "signals"
    assert coverage(weights, near) == 1.0
    assert coverage(weights, far) == pytest.approx((1 + 0.75 + 0) / 3)
    assert coverage({"wavelet": 3.0}, far) == 1.0
    assert coverage(weights, "a signal") < coverage(weights, "a wavelet")
    assert coverage(weights, "nothing") == coverage({}, near) == 0.0


def test_coverage_counts_which_words_of_the_question_stand_side_by_side() -> None:
    weights = {"black": 1.0, "box": 1.0, "theater": 1.0}  # "black box theater"
    assert coverage(weights, "a black box in a big theater") > coverage(weights, "a black car, a theater and no box")
    assert coverage(weights, "box, black") == coverage(weights, "black box") > coverage(weights, "black theater")


def test_accents_make_no_difference() -> None:
    assert list(terms("Zürich?")) == list(terms("zurich"))


def test_stop_words_are_left_out_unless_there_is_nothing_else() -> None:
    assert list(terms("What is the signal?").values()) == ["signal"]
    assert list(terms("what is the").values()) == ["what", "is", "the"]
    assert terms("?!🙂") == {}


def test_long_queries_are_cut_and_words_are_quoted() -> None:
    assert len(terms(" ".join(f"w{i}" for i in range(500)))) == MAX_TERMS
    assert match_any(["near", "or"]) == '"near" OR "or"'


class Backwards:
    """A reranker that likes short texts."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        return [1 / len(text) for text in texts]


def test_a_reranker_decides_the_order_and_leaves_the_confidence(embedder: Embedder, tmp_path: Path) -> None:
    documents = {name: texts[:1] for name, texts in POSTS.items()}
    searched = knowledge_base(tmp_path, embedder, documents, reranker=Backwards())
    plain = Retriever(searched.store, searched.index, embedder, "main")
    query = "how long do cats sleep"
    lengths = [len(p.text) for p in searched.search(query).passages]
    assert lengths == sorted(lengths)
    assert searched.search(query).confidence == plain.search(query).confidence


def test_a_missing_reranker_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadInput, match=r"nosuch.*folder of a sentence-transformers CrossEncoder"):
        CrossEncoderReranker(str(tmp_path / "nosuch")).scores("q", ["t"])


def test_the_retriever_works_in_a_langchain_chain(retriever: Retriever) -> None:
    chain = KnowledgeBaseRetriever(retriever=retriever, k=2) | RunnableLambda(lambda found: [d.metadata for d in found])
    first, second = chain.invoke("how long does sourdough ferment")
    assert set(first) == {"source", "title", "page_start", "page_end", "place", "heading", "chunk_id", "score"}
    assert first["source"] == "bread"
    assert first["score"] >= second["score"]


def test_the_same_words_under_another_title_are_another_passage() -> None:
    text = prose("word")
    second, third = stored("b", 0, text), stored("c", 0, text)
    titled = replace(second, embedded_text=f"Report of the second quarter of the year 2023\n{text}")
    found = passages([(stored("a", 0, text), 0.9), (titled, 0.8), (third, 0.7)], 5)
    assert [p.source for p in found] == ["a", "b"]


def test_each_place_of_a_passage_knows_its_page_also_where_pages_and_chunks_meet_in_it(assistant: Assistant) -> None:
    pages = [f"Page number {n} says this. " + f"Fact {n} is told here. " * 12 for n in range(1, 6)]
    starts = tuple(sum(map(len, pages[:n])) for n in range(5))
    document = Document("/x/book", "pdf", "".join(pages), "Book", page_starts=starts)
    embedder = assistant.embedder
    assistant.store.open_kb("default", embedder.name)
    chunks = split(document, embedder.count_tokens, embedder.max_tokens)
    ids = chunk_ids("default", document.source, chunks)
    vectors = dict(zip(ids, embedder.encode([chunk.embedded_text for chunk in chunks]), strict=True))
    assistant.index.update("default", *assistant.store.put_document("default", document, "", chunks, vectors))
    (passage, *_) = assistant.search("which facts are told").passages
    assert passage.page_start is not None
    assert passage.page_end is not None
    assert passage.page_end > passage.page_start
    said = [(int(found[1]), found.start()) for found in re.finditer(r"Page number (\d)", passage.text)]
    assert len(said) >= 2
    assert [passage.page_at(at) for _, at in said] == [page for page, _ in said]
    facts = [(int(found[1]), found.start()) for found in re.finditer(r"Fact (\d)", passage.text)]
    assert [passage.page_at(at) for _, at in facts] == [page for page, _ in facts]
