import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from growqr.doctor import values_set
from growqr.settings import BackingService, Plan, ServiceOperation, Settings, variables

ROOT = Path(__file__).parents[1]


def test_every_setting_is_documented_and_nothing_else() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    assert set(re.findall(r"`(GROWQR_[A-Z_]+[A-Z])`", page)) == set(variables())


@pytest.mark.parametrize(
    ("page", "group", "parts"),
    [
        ("billing", "billing", [Plan]),
        ("identity", "identity", []),
        ("services", "services", [BackingService, ServiceOperation]),
    ],
)
def test_the_page_of_a_group_names_every_setting_and_field(
    page: str, group: str, parts: list[type[BaseModel]]
) -> None:
    text = (ROOT / f"docs/{page}.md").read_text()
    named = set(re.findall(r"\bGROWQR_[A-Z_]+[A-Z]\b", text))
    wanted = {name for name in variables() if name.startswith(f"GROWQR_{group.upper()}")}
    assert wanted <= named <= set(variables())
    fields = {name for part in parts for name in part.model_fields}
    assert {name for name in fields if f"`{name}`" not in text} == set()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"GROWQR_MODEL__PROVIDER": "anthropic"}, "GROWQR_MODEL__NAME"),
        ({"GROWQR_MODEL__PROVIDER": "openai", "GROWQR_MODEL__NAME": "m"}, "GROWQR_MODEL__API_KEY"),
        (
            {"GROWQR_MODEL__PROVIDER": "openai-compatible", "GROWQR_MODEL__NAME": "m"},
            "GROWQR_MODEL__BASE_URL",
        ),
        (
            {
                "GROWQR_IDENTITY__PROVIDER": "clerk",
                "GROWQR_IDENTITY__CLERK_PUBLISHABLE_KEY": "pk_test_x",
            },
            "GROWQR_IDENTITY__CLERK_SECRET_KEY",
        ),
        ({"GROWQR_BILLING__PROVIDER": "stripe"}, "GROWQR_BILLING__STRIPE_SECRET_KEY"),
        ({"GROWQR_DATABASE_URL": "mysql://me@db/growqr"}, "GROWQR_DATABASE_URL"),
    ],
)
def test_half_a_setting_is_refused_with_what_is_missing(
    environment: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=told):
        Settings()


def test_the_doctor_shows_what_is_set_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROWQR_MODEL__API_KEY", "sk-very-secret")
    monkeypatch.setenv("GROWQR_DATABASE_URL", "postgresql+asyncpg://me:hidden@db/growqr")
    monkeypatch.setenv("GROWQR_RIVET__ENDPOINT", "https://default:hidden@engine.example")
    shown = dict(values_set(Settings()))
    assert shown.keys() == {
        "GROWQR_MODEL__API_KEY",
        "GROWQR_DATABASE_URL",
        "GROWQR_RIVET__ENDPOINT",
    }
    assert "sk-very-secret" not in str(shown)
    assert "hidden" not in str(shown)


def test_an_address_of_version_6_can_be_opened() -> None:
    assert Settings(host="::1", port=80).base_url == "http://[::1]:80"
