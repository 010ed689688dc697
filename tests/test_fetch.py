"""Fetching: the public web only, within its limits; and the posts that feeds and sitemaps list."""

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore
import pytest

from data.errors import Rejected
from ingest import fetch
from ingest.addresses import is_public
from ingest.discover import discover
from ingest.feeds import is_listing, posts
from ingest.fetch import Fetcher
from ingest.reading import read_all

Answer = tuple[int, dict[str, str], bytes]
Serve = Callable[[dict[str, Answer]], str]

# Addresses that no fetch may reach, and names that a resolver (ours, below) sends there.
PRIVATE = (
    "127.0.0.1 127.1.2.3 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.254 192.168.0.1 "
    "192.168.255.255 169.254.169.254 169.254.170.2 100.64.0.1 100.127.255.254 192.0.0.1 192.0.0.171 "
    "192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 192.88.99.1 224.0.0.1 239.255.255.250 "
    "240.0.0.1 255.255.255.255"
)
PRIVATE_6 = (
    "::1 :: ::127.0.0.1 ::10.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 "
    "::ffff:192.168.1.1 ::ffff:0:1 ::ffff:7f00:1 ::ffff:100.64.0.1 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 "
    "64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1::1 2002:a00:1:: 2002:c0a8:101::1 2002:a9fe:a9fe:: "
    "2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2001:10::1 2001:2::1 fc00::1 fd00::1 fd12:3456:789a::1 "
    "fe80::1 fe80::1%25eth0 febf::1 fec0::1 ff02::1 ff0e::1 100::1 3fff::1 5f00::1"
)
FORMS = (
    "2130706433 0x7f000001 0x7f.0.0.1 0x7f.1 0177.0.0.1 0177.1 127.1 127.0.1 017700000001 0 0x0 0.0 "
    "3232235521 0xc0a80001 0300.0250.0.1 10.1 167772161 0xa9fea9fe 2852039166 0251.0376.0251.0376 "
    "169.254.43518 localhost localhost. LOCALHOST ①②⑦.⓪.⓪.① 127。0。0。1 127.0.0.1. ⓛocalhost"
)
NAMES = (
    "internal.example metadata.google.internal printer.local router.lan db.corp.example "
    "127.0.0.1.nip.example both.example second.example rebinds.example v6.example mapped.example "
    "cgnat.example"
)
SCHEMES = (
    "file:///etc/passwd file://localhost/etc/passwd ftp://127.0.0.1/ gopher://127.0.0.1:6379/_INFO "
    "dict://127.0.0.1:11211/ ldap://127.0.0.1/ sftp://127.0.0.1/ ws://127.0.0.1/ data:text/html,hi "
    "javascript:alert(1) unix:/var/run/docker.sock http+unix://%2Fvar%2Frun%2Fdocker.sock/ "
    "jar:http://127.0.0.1!/ about:blank //127.0.0.1/ /etc/passwd http:127.0.0.1 http:/127.0.0.1/ "
    "http:///127.0.0.1/ http:// https:// mailto:a@b.example chrome://settings view-source:http://127.0.0.1/"
)
ODD = (
    "http://user@127.0.0.1/ http://example.com@127.0.0.1/ http://127.0.0.1@example.com/ "
    "http://example.com%40127.0.0.1/ http://127.0.0.1#@example.com/ http://127.0.0.1?@example.com/ "
    "http://127.0.0.1\\@example.com/ http://[::1]:80/ http://127.0.0.1:22/ http://127.0.0.1:0/ "
    "http://127.0.0.1:99999/ http://[::]/ http://[0:0:0:0:0:0:0:1]/ http://[::ffff:127.0.0.1%251]/ "
    "http://127.0.0.1%00.example.com/ http://%31%32%37.0.0.1/ http://[v1.127]/ http://[/ "
    "http://127.0.0.1:80:80/ http://\t127.0.0.1/ http://127.0.0.1\r\nHost:x/ http://0x7f.0x0.0x0.0x1:8000/a?b=c "
    "HTTP://LOCALHOST/ https://127.0.0.1/ https://[::1]/ https://169.254.169.254/latest/meta-data/ "
    "http://169.254.169.254:80/latest/user-data"
)
HOSTILE = [
    *(f"http://{host}/" for host in (*PRIVATE.split(), *FORMS.split(), *NAMES.split())),
    *(f"http://[{host}]/" for host in PRIVATE_6.split()),
    *SCHEMES.split(),
    *ODD.split(" "),
]
LOOKED_UP = {
    "both.example": ["93.184.215.14", "10.0.0.5"],
    "second.example": ["93.184.215.14", "::1"],
    "v6.example": ["fd00::5"],
    "mapped.example": ["::ffff:192.168.0.9"],
    "cgnat.example": ["100.100.100.100"],
}


def resolve(host: str, port: int) -> list[str]:
    """Names by the table; numbers in any notation by the system, which asks no name server for them."""
    if host.rstrip(".").lower().endswith(("example", "internal", "local", "lan", "localhost")):
        return LOOKED_UP.get(host, ["127.0.0.1"])
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)]


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a connection was tried to; none is made."""
    tried: list[str] = []

    def connect(self: httpcore.SyncBackend, host: str, *arguments: object, **named: object) -> httpcore.NetworkStream:
        tried.append(host)
        raise httpcore.ConnectError("not in a test")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    return tried


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a local server that gives the answers of a table, and say its address."""
    servers = []

    def start(answers: dict[str, Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answers.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_table_of_hostile_addresses_is_long_enough() -> None:
    assert len(set(HOSTILE)) >= 150


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_addresses_are_refused_without_a_connection(url: str, dialled: list[str]) -> None:
    with pytest.raises(Rejected) as error:
        Fetcher(resolve).fetch(url)
    assert dialled == []
    assert "\n" not in str(error.value)


def test_a_host_is_resolved_once_and_the_checked_address_is_dialled(dialled: list[str]) -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])  # a name server that rebinds
    with pytest.raises(Rejected):
        Fetcher(lambda host, port: next(answers)).fetch("http://rebinds.example/")
    assert dialled == ["93.184.215.14"]


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "1.1.1.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::1.1.1.1"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", [*PRIVATE.split(), *(host.partition("%")[0] for host in PRIVATE_6.split()), "", "x"]
)
def test_private_addresses_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "place", ["http://10.0.0.1/", "http://[::ffff:127.0.0.1]/", "//169.254.169.254/", "file:///etc/passwd"]
)
def test_every_hop_is_checked(place: str, serve: Serve) -> None:
    base = serve({"/": (302, {"Location": place}, b"")})
    asked: list[str] = []

    def only_the_server(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if host == "front.example" else resolve(host, port)

    checked = _AllowFront(only_the_server)
    with pytest.raises(Rejected, match=r"private|only http"):
        checked.fetch(base.replace("127.0.0.1", "front.example"))
    assert asked[0] == "front.example"


class _AllowFront(Fetcher):
    """A fetcher for which the test server's address is public, and no other private one."""

    def fetch(self, url: str) -> fetch.Fetched:
        real = fetch.is_public
        with pytest.MonkeyPatch.context() as patch:
            calls = iter([True])
            patch.setattr(fetch, "is_public", lambda address: next(calls, False) or real(address))
            return super().fetch(url)


def test_redirects_are_followed_five_times_and_not_six(serve: Serve) -> None:
    hops: dict[str, Answer] = {f"/{n}": (301, {"Location": f"/{n + 1}"}, b"") for n in range(6)}
    base = serve({**hops, "/6": (200, {"Content-Type": "text/html; charset=UTF-8"}, b"<p>here</p>")})
    got = Fetcher(allow_private=True).fetch(f"{base}/1")
    assert (got.url, got.content_type, got.charset.lower(), got.body) == (
        f"{base}/6",
        "text/html",
        "utf-8",
        b"<p>here</p>",
    )
    with pytest.raises(Rejected, match="redirects more than 5 times"):
        Fetcher(allow_private=True).fetch(f"{base}/0")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Length": "2000000000"}, b""),
        ({}, b"x" * 10_000_001),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"x" * 50_000_000)),
        ({"Content-Encoding": "deflate"}, gzip.compress(b"x" * 50_000_000)),
    ],
)
def test_a_fetch_stops_at_ten_megabytes_unpacked(headers: dict[str, str], body: bytes, serve: Serve) -> None:
    base = serve({"/": (200, headers, body)})
    with pytest.raises(Rejected, match="larger than 10 MB"):
        Fetcher(allow_private=True).fetch(f"{base}/")


def test_packed_pages_are_unpacked_and_odd_packings_refused(serve: Serve) -> None:
    base = serve(
        {
            "/gz": (200, {"Content-Encoding": "gzip"}, gzip.compress(b"hello")),
            "/br": (200, {"Content-Encoding": "br"}, b"\x8b\x02\x80hello\x03"),
            "/bad": (200, {"Content-Encoding": "gzip"}, b"not gzip"),
        }
    )
    fetcher = Fetcher(allow_private=True)
    assert fetcher.fetch(f"{base}/gz").body == b"hello"
    for path in ("br", "bad"):
        with pytest.raises(Rejected):
            fetcher.fetch(f"{base}/{path}")


def test_a_server_that_never_answers_runs_out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MOST_SECONDS", 0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Rejected, match=r"takes longer than 0\.3 s"),
    ):
        Fetcher(allow_private=True).fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_a_server_that_drips_its_answer_runs_out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MOST_SECONDS", 0.5)
    done = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not done.wait(0.01):
                with contextlib.suppress(OSError):
                    connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        with pytest.raises(Rejected, match=r"takes longer than 0\.5 s"):
            Fetcher(allow_private=True).fetch(f"http://127.0.0.1:{server.getsockname()[1]}/")
        done.set()
        thread.join()


@pytest.mark.parametrize(("status", "reason"), [(404, "404 Not Found"), (403, "403 Forbidden"), (503, "503 Service")])
def test_refusals_of_the_server_are_named(status: int, reason: str, serve: Serve) -> None:
    base = serve({"/": (status, {}, b"")})
    with pytest.raises(Rejected, match=reason):
        Fetcher(allow_private=True).fetch(f"{base}/")


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    base = serve({"/": (200, {}, b"direct")})
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert Fetcher(allow_private=True).fetch(f"{base}/").body == b"direct"


FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>b</title>
<item><title>One</title><link>{base}/one</link></item><item><title>Two</title><link>{base}/two</link></item>
<item><link>http://elsewhere.example/x</link></item><item><link>{base}/one</link></item></channel></rss>"""
SITEMAP = """<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url><loc>{base}/one</loc></url><url><loc> {base}/two </loc></url><url><loc>{base}/picture.png</loc></url></urlset>"""
INDEX = """<?xml version="1.0"?><sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<sitemap><loc>{base}/sitemap-1.xml.gz</loc></sitemap><sitemap><loc>{base}/sitemap.xml</loc></sitemap></sitemapindex>"""
BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;">]><urlset>&b;</urlset>"""


@pytest.fixture
def blog(serve: Serve) -> str:
    pages: dict[str, Answer] = {}
    base = serve(pages)
    post = "<html><body><article><h1>Post</h1><p>" + "A post that says something of its own. " * 9 + "</p></article>"
    pages.update({path: (200, {"Content-Type": "text/html"}, post.encode()) for path in ("/one", "/two")})
    for path, text in (("/feed", FEED), ("/sitemap.xml", SITEMAP), ("/sitemap_index.xml", INDEX), ("/rss.xml", BOMB)):
        pages[path] = (200, {"Content-Type": "application/xml"}, text.replace("{base}", base).encode())
    pages["/sitemap-1.xml.gz"] = (200, {}, gzip.compress(SITEMAP.replace("{base}", base).encode()))
    return base


@pytest.mark.parametrize("path", ["feed", "sitemap.xml", "sitemap_index.xml", "sitemap-1.xml.gz"])
def test_feeds_and_sitemaps_list_the_posts_of_their_own_site(path: str, blog: str) -> None:
    assert posts(f"{blog}/{path}", Fetcher(allow_private=True)) == [f"{blog}/one", f"{blog}/two"]


def test_a_feed_that_is_down_is_named_and_the_rest_is_read(blog: str) -> None:
    fetcher = Fetcher(allow_private=True)
    items = discover([f"{blog}/gone/feed", f"{blog}/feed"], fetcher).items
    (down, why), *rest = read_all(items, fetcher=fetcher)
    assert down.source == f"{blog}/gone/feed"
    assert "404" in str(why)
    assert [item.source for item, _ in rest] == [f"{blog}/one", f"{blog}/two"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://[::1", "not an address"),
        ("http://a.example:99999/", "impossible port"),
        ("http://a.example:0/feed", "impossible port"),
        ("http://a.example:abc/feed", "Invalid port"),
        ("http://exa mple.com/", "space in its host"),
    ],
)
def test_what_is_no_address_is_named_by_what_is_wrong_with_it(url: str, said: str) -> None:
    ((_, why),) = read_all(discover([url]).items)
    assert isinstance(why, Rejected)
    assert said in str(why)


def test_a_feed_that_defines_entities_is_refused(blog: str) -> None:
    with pytest.raises(Rejected, match="entities"):
        posts(f"{blog}/rss.xml", Fetcher(allow_private=True))


def test_a_whole_blog_is_read_by_its_feed(blog: str) -> None:
    fetcher = Fetcher(allow_private=True)
    outcomes = list(read_all(discover([f"{blog}/feed"], fetcher).items, fetcher=fetcher))
    assert [item.source for item, _ in outcomes] == [f"{blog}/one", f"{blog}/two"]
    assert all("says something" in getattr(outcome, "text", "") for _, outcome in outcomes)


@pytest.mark.parametrize(
    ("url", "listing"),
    [
        ("https://a.example/feed", True),
        ("https://medium.com/feed/@someone", True),
        ("https://a.example/blog/rss.xml", True),
        ("https://a.example/sitemap.xml", True),
        ("https://a.example/?feed=rss2", True),
        ("https://a.example/feeding-cats", False),
        ("https://a.example/posts/rss-explained", False),
        ("https://a.example/data.xml", False),
    ],
)
def test_feed_addresses_are_known_by_their_form(url: str, listing: bool) -> None:
    assert is_listing(url) is listing
