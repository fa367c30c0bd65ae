"""Groups that are cards: their merge, and how vCards spell them (L39)."""

from __future__ import annotations

import pytest

from contactsync.model.group import GroupCard
from contactsync.sync.groups import agreed, merge_group
from contactsync.sync.types import Mode, Policy
from contactsync.vcard.codec import VCardCodec


def group(name: str, members: str = "") -> GroupCard:
    return GroupCard(name, frozenset(members))


BASE = group("Friends", "abc")


@pytest.mark.law("L39", "L14")
@pytest.mark.parametrize(
    ("local", "remote", "mode", "wanted_local", "wanted_remote"),
    [
        ("abd", "bce", Mode.TWO_WAY, "bde", "bde"),
        ("abd", "bce", Mode.PULL, "bde", "bce"),
        ("abd", "bce", Mode.PUSH, "abd", "bde"),
        ("abd", "bce", Mode.MIRROR_PULL, "bce", "bce"),
        ("abd", "bce", Mode.MIRROR_PUSH, "abd", "abd"),
    ],
)
def test_memberships_are_united_edit_by_edit(
    local: str, remote: str, mode: Mode, wanted_local: str, wanted_remote: str
) -> None:
    merged = merge_group(
        BASE, group("Friends", local), group("Friends", remote), policy=Policy.NEWEST, mode=mode
    )
    assert (merged.local.members, merged.remote.members) == (set(wanted_local), set(wanted_remote))


@pytest.mark.law("L15", "L16", "L26", "L39")
@pytest.mark.parametrize(
    ("here", "there", "policy", "mode", "name", "lost"),
    [
        ("Friends", "Chums", Policy.NEWEST, Mode.TWO_WAY, "Chums", ""),
        ("Mates", "Friends", Policy.NEWEST, Mode.TWO_WAY, "Mates", ""),
        ("Chums", " Chums ", Policy.NEWEST, Mode.TWO_WAY, "Chums", ""),
        ("Mates", "Chums", Policy.NEWEST, Mode.TWO_WAY, "Mates", "Chums"),
        ("Mates", "Chums", Policy.REMOTE, Mode.TWO_WAY, "Chums", "Mates"),
        ("Mates", "Chums", Policy.DEVICE, Mode.MIRROR_PULL, "Chums", "Mates"),
        ("Mates", "Chums", Policy.REMOTE, Mode.MIRROR_PUSH, "Mates", "Chums"),
    ],
)
def test_a_name_is_one_unit(here: str, there: str, policy: Policy, mode: Mode, name: str, lost: str) -> None:
    merged = merge_group(BASE, group(here, "abc"), group(there, "abc"), policy=policy, mode=mode)
    written = merged.local if mode.inwards else merged.remote
    assert (written.name, merged.lost) == (name, lost)


@pytest.mark.law("L39")
def test_what_is_not_the_same_on_both_sides_keeps_its_base() -> None:
    assert agreed(BASE, group("Mates", "abd"), group("Friends", "bcd")) == group("Friends", "abcd")
    assert agreed(BASE, group("Mates", "ab"), group("Mates", "ab")) == group("Mates", "ab")


@pytest.mark.law("L7", "L8", "L39")
@pytest.mark.parametrize(
    ("version", "kind", "member"),
    [("3.0", "X-ADDRESSBOOKSERVER-KIND", "X-ADDRESSBOOKSERVER-MEMBER"), ("4.0", "KIND", "MEMBER")],
)
def test_a_group_card_is_edited_in_its_own_spelling(version: str, kind: str, member: str) -> None:
    codec = VCardCodec()
    lines = ["BEGIN:VCARD", f"VERSION:{version}", "UID:g", "N:Friends;;;;", "FN:Friends", f"{kind}:group"]
    lines += [f"{member}:urn:uuid:a", f"{member}:mailto:b@example.org", f"{member}:urn:uuid:c", "X-KEEP:1"]
    card = "".join(f"{line}\r\n" for line in [*lines, "END:VCARD"]).encode()
    assert codec.read_group(card) == group("Friends", "ac")
    assert codec.write_group(group("Friends", "ac"), "g", card) == card
    written = codec.write_group(group("Chums", "cd"), "g", card)
    assert codec.read_group(written) == group("Chums", "cd")
    assert f"{member}:mailto:b@example.org".encode() in written and b"X-KEEP:1" in written
    assert b"N:Chums;;;;" in written and f"{member}:urn:uuid:d".encode() in written


@pytest.mark.law("L9", "L39")
@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_a_new_group_card_reads_as_it_was_meant(version: str) -> None:
    codec = VCardCodec(version)
    card = codec.write_group(group("Friends, old; and new", "ab"), "g", None)
    assert codec.read_group(card) == group("Friends, old; and new", "ab")
    assert codec.read(card).uid == "g"


@pytest.mark.law("L39")
def test_the_card_of_a_person_is_no_group_card() -> None:
    codec = VCardCodec()
    person = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:p\r\nN:P;;;;\r\nFN:P\r\nEND:VCARD\r\n"
    assert codec.read_group(person) is None
