import json
from pathlib import Path

from growqr.app import api_document

ROOT = Path(__file__).parents[2]


def test_the_web_app_is_typed_after_this_api() -> None:
    written = json.loads((ROOT / "web/openapi.json").read_text())
    assert written == api_document(), (
        "the API has changed; in web/ run: growqr openapi > openapi.json && npm run types"
    )
