"""Connectors of other distributions: which is used, and what is said of one that cannot be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contactsync.connectors import registry
from contactsync.connectors.base import CONTRACT, AccountSettings
from contactsync.connectors.memory import MemoryConnector
from contactsync.errors import ConfigError, ContractBroken, TransientError
from tests.plugins.conftest import Install

GOOD = """
    from contactsync.connectors.memory import factory as memory

    CONTRACT = 1

    def factory(settings):
        return memory(settings)
"""


def settings(connector: str = "odd", **more: object) -> AccountSettings:
    return AccountSettings("other", connector, **more)  # type: ignore[arg-type]


def test_one_of_another_distribution_is_found_and_held_to_its_contract(install: Install) -> None:
    install(GOOD)
    made = registry.create(settings())
    assert made.check() == "memory" and not isinstance(made, MemoryConnector)
    made.close()
    assert registry.origin_of("odd") == "contactsync-odd 1.0" and registry.origin_of("carddav") == ""


@pytest.mark.parametrize(
    ("source", "said", "hint"),
    [
        (
            "CONTRACT = 1\nimport no_such_package",
            "'odd' cannot be loaded: .*no_such_package",
            "contactsync-odd",
        ),
        ("CONTRACT = 1\nraise SystemExit(3)", "cannot be loaded: SystemExit: 3", "contactsync-odd 1.0"),
        ("CONTRACT = 1\nfactory = 3", "cannot be loaded: it is no function", "contactsync-odd 1.0"),
        ("CONTRACT = 1", "cannot be loaded: AttributeError", "contactsync-odd 1.0"),
        (
            "factory = print",
            "contactsync-odd 1.0 does not say for which contract",
            "CONTRACT = 1 in odd_conn",
        ),
        (
            "CONTRACT = 0\nfactory = print",
            "contactsync-odd 1.0 was written for contract 0",
            "Update contactsync-odd.",
        ),
        ("CONTRACT = 2\nfactory = print", "was written for contract 2, and this .* 1", "Update contactsync."),
    ],
)
def test_one_that_cannot_be_used_is_named_with_its_distribution(
    install: Install, source: str, said: str, hint: str
) -> None:
    assert CONTRACT == 1, "the sentences above are about contract 1"
    install(source)
    with pytest.raises(ConfigError, match=said) as caught:
        registry.create(settings())
    assert "account other" in caught.value.message and hint in caught.value.hint


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError('url')", r"Its factory raised KeyError: 'url' \(\w+\.py, line 4\)"),
        ("raise SystemExit", "Its factory raised SystemExit"),
        ("return None", "What its factory gave, None, has no check"),
        ("return 'rubbish'", "of type str, has no check"),
    ],
)
def test_a_factory_that_gives_no_connector_is_named(install: Install, body: str, said: str) -> None:
    install(f"CONTRACT = 1\n\ndef factory(settings):\n    {body}\n")
    with pytest.raises(ContractBroken, match=said) as caught:
        registry.create(settings())
    assert caught.value.connector == "'odd' (contactsync-odd 1.0)"
    assert "the author of contactsync-odd" in caught.value.hint


def test_what_a_factory_says_of_an_account_is_said(install: Install) -> None:
    install("""
        from contactsync.errors import ConfigError

        CONTRACT = 1

        def factory(settings):
            raise ConfigError([f"depth is {settings.options['depth']}"])
    """)
    with pytest.raises(ConfigError, match="depth is 3"):
        registry.create(settings(options={"depth": 3}))


@pytest.mark.parametrize("place", ["", "def factory(settings):\n    "])
def test_one_that_blocks_for_ever_before_there_is_a_connector_is_given_up(
    install: Install, place: str
) -> None:
    install(f"CONTRACT = 1\nimport threading\n{place}threading.Event().wait()\n")
    with pytest.raises(TransientError, match=r"'odd' .* gave no answer for 0.05 seconds"):
        registry.create(settings(give_up_after=timedelta(seconds=0.05)))


def test_a_name_of_ours_stays_ours(install: Install) -> None:
    install("raise AssertionError('never loaded')", connector="memory", name="taker")
    assert isinstance(registry.create(settings("memory")), MemoryConnector)
    ((name, why),) = registry.refused()
    assert name == "memory" and "taker 1.0 offers" in why and registry.origin_of("memory") == ""


def test_of_two_that_offer_one_name_none_is_used(install: Install) -> None:
    install(GOOD)
    install(GOOD, name="another", version="2.0")
    with pytest.raises(ConfigError, match=r"another 2\.0 and contactsync-odd 1.0 offer"):
        registry.create(settings())
    assert [name for name, _ in registry.refused()] == ["odd"]


def test_an_unknown_name_lists_those_of_others_too(install: Install) -> None:
    install(GOOD)
    with pytest.raises(ConfigError) as caught:
        registry.create(settings("od"))
    assert "memory, odd, outlook" in caught.value.hint
