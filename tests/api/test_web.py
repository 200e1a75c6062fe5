import gzip
from pathlib import Path

import httpx
import pytest

from growqr.api.app_factory import create_api
from growqr.api.services import Services

pytestmark = pytest.mark.anyio


def client_of(services: Services, folder: Path | None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_api(services, static_dir=folder))
    return httpx.AsyncClient(transport=transport, base_url="http://grow.test")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>GrowQR</title>")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "assets" / "app-1a2b.js").write_text("start()")
    (tmp_path / "outside.txt").write_text("outside")
    return folder


async def test_every_page_of_the_app_is_the_index_and_stays_fresh(
    services: Services, build: Path
) -> None:
    async with client_of(services, build) as client:
        for path in ("/", "/app", "/app/channels/grow"):
            page = await client.get(path)
            assert page.text == "<title>GrowQR</title>"
            assert page.headers["cache-control"] == "no-cache"
            assert "default-src 'self'" in page.headers["content-security-policy"]


async def test_assets_are_kept_for_good_and_nothing_else_is_served(
    services: Services, build: Path
) -> None:
    async with client_of(services, build) as client:
        asset = await client.get("/assets/app-1a2b.js")
        assert asset.text == "start()"
        assert "immutable" in asset.headers["cache-control"]
        assert (await client.get("/favicon.svg")).text == "<svg/>"
        for path in ("/assets/none.js", "/assets/%2e%2e/%2e%2e/outside.txt", "/outside.txt"):
            missing = await client.get(path)
            assert missing.status_code == 404
            assert missing.json()["code"] == "not_found"


async def test_assets_go_out_packed_to_those_who_can_read_it(
    services: Services, build: Path
) -> None:
    (build / "assets" / "app-1a2b.js.gz").write_bytes(gzip.compress(b"start()"))
    async with client_of(services, build) as client:
        packed = await client.get("/assets/app-1a2b.js", headers={"accept-encoding": "br, gzip"})
        plain = await client.get("/assets/app-1a2b.js", headers={"accept-encoding": "identity"})
        assert packed.text == plain.text == "start()"
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        for response in (packed, plain):
            assert response.headers["content-type"].startswith("text/javascript")
            assert response.headers["vary"] == "accept-encoding"
            assert "immutable" in response.headers["cache-control"]
        known = {"accept-encoding": "gzip", "if-none-match": packed.headers["etag"]}
        assert (await client.get("/assets/app-1a2b.js", headers=known)).status_code == 304


async def test_without_a_build_a_page_says_what_to_do(services: Services, tmp_path: Path) -> None:
    for folder in (None, tmp_path / "none"):
        async with client_of(services, folder) as client:
            page = await client.get("/")
            assert page.status_code == 503
            assert "./grow up" in page.text
            assert (await client.get("/healthz")).json() == {"status": "ok"}
