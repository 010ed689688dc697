"""A whole blog by one address: the posts that a feed or a sitemap lists."""

import re
from io import BytesIO
from urllib.parse import urljoin, urlsplit

from data.errors import Rejected
from ingest.fetch import MOST_BYTES, Fetcher, unpacked

_MOST_POSTS = 500
_MOST_SITEMAPS = 20  # of a sitemap index
_LISTING = re.compile(
    r"(?:^|/)(?:feed|rss|atom|feeds)(?:/|$)|sitemap[^/]*$|\.(?:rss|atom|rdf)$|(?:^|/)(?:feed|rss|atom|index)\.xml$|\.xml\.gz$",
    re.IGNORECASE,
)
_LISTING_QUERY = re.compile(r"(?:^|&)(?:feed=|format=(?:rss|feed|atom))")
_PICTURE = re.compile(r"\.(?:jpe?g|png|gif|webp|svg|mp[34]|zip|css|js|ico)$", re.IGNORECASE)


def is_listing(url: str) -> bool:
    """Whether an address looks like that of a feed or sitemap rather than a post."""
    parts = urlsplit(url)
    return bool(_LISTING.search(parts.path) or _LISTING_QUERY.search(parts.query))


def posts(url: str, fetcher: Fetcher | None = None) -> list[str]:
    """The addresses of a blog's posts, as its feed or sitemap lists them: of the same site, at most 500.

    A sitemap index is followed one level. Raises Rejected where nothing is listed or the address can't be fetched.
    """
    fetcher = fetcher or Fetcher()
    found = _listed(url, fetcher, follow=True)
    site = urlsplit(url).hostname or ""
    links = dict.fromkeys(link for link in found if _same_site(link, site))
    kept = [link for link in links if not _PICTURE.search(urlsplit(link).path)]
    if not kept:
        raise Rejected("a feed or sitemap that lists no posts of its own site")
    return kept[:_MOST_POSTS]


def _listed(url: str, fetcher: Fetcher, *, follow: bool) -> list[str]:
    got = fetcher.fetch(url)
    body = got.body
    if body.startswith(b"\x1f\x8b"):
        body = _gunzip(body)
    if b"<!ENTITY" in body:
        raise Rejected("a feed that defines entities: refused")
    if b"<sitemapindex" in body[:4096]:
        site = urlsplit(url).hostname or ""
        parts = [part for part in _locations(body, got.url) if _same_site(part, site)] if follow else []
        return [link for part in parts[:_MOST_SITEMAPS] for link in _listed(part, fetcher, follow=False)]
    if b"<urlset" in body[:4096]:
        return _locations(body, got.url)
    import feedparser

    entries = feedparser.parse(BytesIO(body)).entries
    return [urljoin(got.url, entry.link) for entry in entries if entry.get("link")]


def _locations(body: bytes, base: str) -> list[str]:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        tree = fromstring(body)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise Rejected(f"not a readable sitemap ({error})") from error
    # <loc> of a <url> or <sitemap>; an <image:loc> lies deeper.
    places = (child for entry in tree for child in entry if child.tag.rpartition("}")[2] == "loc")
    return [urljoin(base, place.text.strip()) for place in places if place.text]


def _gunzip(body: bytes) -> bytes:
    pieces: list[bytes] = []
    total = 0
    for piece in unpacked([body]):
        total += len(piece)
        if total > MOST_BYTES:
            raise Rejected(f"larger than {MOST_BYTES // 1_000_000} MB")
        pieces.append(piece)
    return b"".join(pieces)


def _same_site(link: str, site: str) -> bool:
    """Whether a link leads to the site itself, its www. or a subdomain of either."""
    parts = urlsplit(link)
    host, site = ((name or "").lower().removeprefix("www.") for name in (parts.hostname, site))
    related = host == site or host.endswith(f".{site}") or site.endswith(f".{host}")
    return bool(host) and parts.scheme in ("http", "https") and related
