"""Old encodings, guessed from short texts; and that every reader of files asks the same judge."""

import pytest

from data.csvio import decode as decode_csv
from data.encoding import guess_encoding
from ingest.html import read_html
from ingest.text import decode

TEXTS = {
    "French": ("cp1252", "L’été dernier, où êtes-vous allés ? Ça m’a plu, c’était très drôle à voir."),
    "German": ("cp1252", "Größe und Übung: schöne Grüße aus München, weiß man ja. Das müssen wir ändern."),
    "Spanish": ("cp1252", "¿Cuándo sale el próximo vídeo? ¡Qué ilusión! Mañana lo veré con mi señora."),
    "Portuguese": ("cp1252", "Não sei se a edição está à venda, mas a informação é ótima. Até amanhã!"),
    "Italian": ("cp1252", "Perché non è più così? La città è bellissima, però costerà di più."),
    "Swedish": ("cp1252", "Får jag fråga när nästa del kommer? Det är så bra, jag älskar björnar."),
    "Polish": ("cp1250", "Dziękuję, to był świetny odcinek! Czy mogę prosić o więcej źródeł? Żółw też."),
    "Czech": ("cp1250", "Děkuji, to bylo skvělé! Příští díl bude už zítra? Těším se na něj, přátelé."),
    "Hungarian": ("cp1250", "Köszönöm, nagyon jó volt! Mikor jön a következő? Nagyszerű, örülök az ötletnek."),
    "Turkish": ("cp1254", "Teşekkürler, çok güzel olmuş! Yeni bölüm ne zaman çıkacak? Işığı açık bırakın."),
    "Russian": ("cp1251", "Спасибо, очень полезно! Когда выйдет следующее видео? Жду с нетерпением."),
    "Russian, KOI8": ("koi8_r", "Спасибо, очень полезно! Когда выйдет следующее видео? Жду с нетерпением."),
    "Ukrainian": ("cp1251", "Дякую, дуже корисно! Коли вийде наступне відео? Чекаю з нетерпінням, її теж."),
    "Greek": ("cp1253", "Ευχαριστώ πολύ, ήταν εξαιρετικό! Πότε θα βγει το επόμενο βίντεο;"),
    "Japanese": ("cp932", "とても役に立ちました。次の動画はいつ出ますか？楽しみにしています。"),
    "Japanese, EUC": ("euc_jp", "とても役に立ちました。次の動画はいつ出ますか？楽しみにしています。"),
    "Chinese": ("gb18030", "谢谢，这个视频非常有用！下一期什么时候出？我很期待。"),
    "Chinese, Big5": ("big5", "謝謝，這個影片非常有用！下一集什麼時候出？我很期待。"),
    "Korean": ("cp949", "감사합니다, 정말 유용했어요! 다음 영상은 언제 나오나요? 기대하고 있습니다."),
}


@pytest.mark.parametrize("language", TEXTS)
def test_one_line_in_an_old_encoding_is_read_as_it_was_written(language: str) -> None:
    encoding, text = TEXTS[language]
    data = text.encode(encoding)
    assert data.decode(guess_encoding(data)) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        *(("cp1252", text) for text in (
            "café", "Größe", "Müller", "naïve", "Zoë", "señor", "à la carte", "Straße", "das ist schön", "50 € left",
            "it’s", "“quoted”", "tschüß", "déjà vu", "Très bien", "Ähnlich", "São Paulo", "smörgåsbord", "ÉTÉ",
            "£5", "20°C",
        )),
        *(("cp1251", text) for text in ("Привет", "спасибо", "Как дела?", "Где ссылка на код", "ОЧЕНЬ ХОРОШО")),
        *(("cp1250", text) for text in ("miłość", "książka", "życzę zdrowia", "příště", "přátelé")),
        *(("cp932", text) for text in ("ありがとう", "日本語です", "カタカナ")),
        *(("gb18030", text) for text in ("谢谢你", "非常有用", "中文")),
    ],
)  # fmt: skip
def test_a_word_or_two_are_read_as_they_were_written(encoding: str, text: str) -> None:
    data = text.encode(encoding)
    assert data.decode(guess_encoding(data)) == text


def test_texts_tables_and_pages_are_all_read_so(tmp_path) -> None:
    for encoding, text in TEXTS.values():
        assert decode(text.encode(encoding)) == text
        path = tmp_path / "c.csv"
        path.write_bytes(f"Comment\n{text}\n".encode(encoding))
        assert decode_csv(path) == f"Comment\n{text}\n"
        page = f"<html><body><article><p>{text * 3}</p></article></body></html>".encode(encoding)
        assert text[-20:] in read_html("/x/a.html", page).text


def test_utf_8_and_byte_order_marks_go_before_any_guess() -> None:
    for text in ("café", "Привет", "谢谢", "naïve “quotes”"):
        assert all(decode(text.encode(name)) == text for name in ("utf-8", "utf-8-sig", "utf-16", "utf-32"))
