"""What passes as text, and what is cleaned from it."""

import pytest

from ingest.quality import garbage, sanitise


def test_nulls_controls_and_lone_surrogates_go() -> None:
    assert sanitise("a\x00b\x07c\ud800d\x9fe\ufffef") == "abc\ufffdde f".replace(" ", "")
    sanitise("x\udfffy").encode()


def test_surrogate_pairs_become_their_character() -> None:
    assert sanitise("\ud83d\ude00\x00") == "😀"


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦 family, 🏴󠁧󠁢󠁳󠁣󠁴󠁿 flag",
        "السلام عليكم ورحمة الله",
        "नमस्ते, क्‍षमा करें",
        "می‌خواهم",
        "hidden \u202etext\u202c and zero\u200bwidth and \U000e0041tags",
        "tab\tand\nline",
    ],
)
def test_everything_else_stays_verbatim(text: str) -> None:
    assert sanitise(text) == text


def test_line_ends_become_one_kind() -> None:
    assert sanitise("a\r\nb\rc\x0cd\u2028e") == "a\nb\nc\nd\ne"


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog. " * 5,
        "Die Donaudampfschifffahrtsgesellschaft schwärzt Strümpfe gründlich. " * 5,
        "الحكومة المصرية تضع الإنسان المصري على رأس الأولويات. " * 8,
        "नमस्ते दुनिया, यह एक परीक्षण है। " * 8,
        "公司董事会、监事会及董事保证季度报告内容的真实、准确、完整。" * 8,
        "日本語のテキストとカタカナ、そしてＡＢＣ。" * 8,
        "기술변화에 따른 미래 보안기술 전망 보고서 " * 8,
        "Привет, мир. Это проверка. " * 8,
        "x = np.fft.rfft(s[n:m]); y[k] += x*w # ok\nfor i in range(10): print(i)\n" * 5,
        "Revenue $ 1,234 5.6% (789) — 12\n" * 20,
        "Krk, Brno, strč prst skrz krk. Čtvrť hvězd zní. " * 5,
        "HTTP GET /api/v1 200 OK\nHTTP PUT /api/v2 404\n" * 10,
        "😀 👍 🎉",
        "12",
        "",
    ],
)
def test_languages_code_and_tables_pass(text: str) -> None:
    assert garbage(text) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/g18/g152/g7 /g18/g21/g9 " * 20, "glyph names"),
        ("/g437/g258", "glyph names"),
        ("(cid:12)(cid:7)(cid:44) " * 20, "glyph names"),
        ("\ue001\ue002\ue003 \uf0b7 " * 40, "private-use"),
        ("\ufffd\ufffd\ufffd a " * 40, "replacement"),
        ("!\"#$%&'()*+,-./ " * 20, "hardly a letter"),
        ("Wkh txlfn eurzq ira mxpsv ryhu wkh odcb grj zkhq wklv grfxphqw sdvvhg xqghu " * 6, "no words"),
        ("¢һӍΉʽী ರ͟ȥ܅R ହຏഀƹΉটҧ ȥǂ࣎ʤ̦˵ƹϕŊ һαฝϕࢼஎ ඥഀဍϢ " * 8, "no words"),
        ("a" * 400, "one character"),
    ],
)
def test_garbage_is_refused_by_name(text: str, reason: str) -> None:
    assert reason in garbage(text)
