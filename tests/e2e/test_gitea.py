"""The whole platform with Gitea as its forge."""

import shutil
import subprocess
import uuid
from pathlib import Path

import httpx
import pytest

from growqr.testing import Platform
from tests.git.conftest import GITEA_TOKEN, GITEA_URL, needs_gitea

pytestmark = [pytest.mark.live, needs_gitea]


def test_a_memory_survives_losing_the_copy_and_can_be_cloned(tmp_path: Path) -> None:
    environment = {
        "GROWQR_GIT__PROVIDER": "gitea",
        "GROWQR_GIT__GITEA_URL": GITEA_URL,
        "GROWQR_GIT__GITEA_TOKEN": GITEA_TOKEN,
    }
    email = f"{uuid.uuid4().hex}@example.com"
    with (
        Platform(tmp_path / "platform", environment) as platform,
        httpx.Client(base_url=platform.url, timeout=60, trust_env=False) as client,
    ):
        account = {"email": email, "password": "a-long-password", "name": "Ada"}
        token = client.post("/auth/register", json=account).raise_for_status().json()["token"]
        client.headers["authorization"] = f"Bearer {token}"
        actor = client.post("/actors/provision").raise_for_status().json()["actor"]
        repo = client.get(f"/git/repos/{actor['repo_id']}").raise_for_status().json()
        _ask(client, actor["id"], "remember that I like green tea")
        history = client.get("/memory/history").raise_for_status().json()["items"]
        assert any(commit["trailers"].get("Actor") == actor["id"] for commit in history)

        shutil.rmtree(platform.data_dir / "cache" / "git")
        hits = client.get("/memory/search?q=green").raise_for_status().json()["items"]
        assert [hit["path"] for hit in hits if hit["path"].startswith("memory/")]

        made = client.post(f"/git/repos/{repo['id']}/tokens", json={"scope": "read"})
        git_token = made.raise_for_status().json()
        login = f"{git_token['username']}:{git_token['token']}@"
        copy = tmp_path / "copy"
        subprocess.run(
            ["git", "clone", "-q", repo["clone_url"].replace("://", f"://{login}"), str(copy)],
            check=True,
        )
        assert any("green tea" in path.read_text() for path in (copy / "memory").rglob("*.md"))
        assert GITEA_TOKEN not in platform.output()
    headers = {"authorization": f"token {GITEA_TOKEN}"}
    owner = f"{GITEA_URL}/api/v1/orgs/{repo['owner_id']}"
    place = f"{GITEA_URL}/api/v1/repos/{repo['owner_id']}/{repo['id']}"
    for made_there in (place, owner):
        httpx.delete(made_there, headers=headers, trust_env=False).raise_for_status()


def _ask(client: httpx.Client, actor_id: str, text: str) -> None:
    """Send a message and wait for its answer."""
    sent = client.post(f"/actors/{actor_id}/message", json={"text": text}).raise_for_status()
    message_id = sent.json()["message_id"]
    headers = {"accept": "text/event-stream"}
    with client.stream("GET", f"/actors/{actor_id}/events?after=0", headers=headers) as stream:
        for line in stream.iter_lines():
            if '"message.completed"' in line and f'"in_reply_to":"{message_id}"' in line.replace(
                ": ", ":"
            ):
                return
