from pathlib import Path

import pytest

from growqr.doctor import Finding, examine
from growqr.settings import (
    BackingService,
    BillingSettings,
    GitSettings,
    IdentitySettings,
    ModelSettings,
    RivetSettings,
    SandboxSettings,
    ServiceOperation,
    Settings,
)


def findings(settings: Settings) -> dict[str, Finding]:
    def missing() -> Path:
        raise FileNotFoundError("it is not installed")

    found = examine(settings, engine=missing, opencode=missing)
    return {finding.part: finding for finding in found}


def test_what_is_missing_comes_with_what_to_do(tmp_path: Path) -> None:
    found = findings(Settings(data_dir=tmp_path))
    assert found["OpenCode"].state == "wrong"
    assert found["OpenCode"].advice == "run ./grow setup"
    assert found["data folder"].state in ("ok", "limited")
    assert found["database"].state == "ok"
    assert "GROWQR_MODEL__PROVIDER" in found["model"].advice


@pytest.mark.parametrize(
    ("part", "state"),
    [
        ("Rivet Engine", "wrong"),
        ("forge", "wrong"),
        ("database", "wrong"),
        ("model", "limited"),
        ("identity", "limited"),
        ("billing", "limited"),
    ],
)
def test_what_does_not_answer_is_told_with_what_to_do(
    part: str, state: str, tmp_path: Path
) -> None:
    nobody = "http://me:hidden@127.0.0.1:1"
    keys = ("clerk_publishable_key", "clerk_secret_key", "clerk_webhook_secret")
    plan = {"key": "basic", "name": "Basic", "price": "price_1"}
    settings = Settings(
        data_dir=tmp_path,
        database_url="postgresql://me:hidden@127.0.0.1:1/growqr",
        rivet=RivetSettings(endpoint=nobody),
        model=ModelSettings(provider="openai-compatible", name="m", base_url=f"{nobody}/v1"),
        identity=IdentitySettings.model_validate(
            {"provider": "clerk", "clerk_api_url": nobody, **dict.fromkeys(keys, "x")}
        ),
        billing=BillingSettings.model_validate(
            {
                "provider": "stripe",
                "plans": [plan],
                "stripe_api_base": nobody,
                **dict.fromkeys(("stripe_secret_key", "stripe_webhook_secret"), "x"),
            }
        ),
        git=GitSettings.model_validate(
            {"provider": "gitea", "gitea_url": nobody, "gitea_token": "t"}
        ),
    )
    found = findings(settings)[part]
    assert found.state == state
    assert "127.0.0.1:1" in found.found
    assert "GROWQR_" in found.advice
    assert "hidden" not in str(found)


def test_a_service_that_does_not_answer_is_named(tmp_path: Path) -> None:
    operation = ServiceOperation(name="ask", path="/ask")
    box = BackingService(name="box", url="http://127.0.0.1:1", operations=(operation,))
    found = findings(Settings(data_dir=tmp_path, services=(box,)))["service box"]
    assert (found.state, box.url in found.found) == ("limited", True)


def test_containers_without_an_engine_limit_what_agents_can_do(tmp_path: Path) -> None:
    sandbox = SandboxSettings(runtime="container", engine=str(tmp_path / "no.sock"))
    assert findings(Settings(data_dir=tmp_path, sandbox=sandbox))["sandbox"].state == "limited"
