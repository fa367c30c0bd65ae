"""The values of a contact are frozen dataclasses, however they are made."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle

import pytest

from contactsync.model import contact
from contactsync.model.contact import Contact, Media, Phone

VALUES = [made for made in vars(contact).values() if inspect.isclass(made) and dataclasses.is_dataclass(made)]


@pytest.mark.parametrize("made", VALUES)
def test_a_value_takes_what_a_dataclass_of_its_fields_takes(made: type) -> None:
    fields = [(f.name, f.type, dataclasses.field(default=f.default)) for f in dataclasses.fields(made)]
    usual = dataclasses.make_dataclass(made.__name__, fields, frozen=True, kw_only=made is Contact)
    assert inspect.signature(made) == inspect.signature(usual)


@pytest.mark.parametrize("made", VALUES)
def test_a_value_holds_what_it_was_given_and_cannot_be_changed(made: type) -> None:
    given = {field.name: object() for field in dataclasses.fields(made) if field.name != "data"}
    value = made(**given)
    for name, content in given.items():
        assert getattr(value, name) is content
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, None)


def test_a_value_can_be_copied_and_pickled() -> None:
    ada = Contact(uid="1", phones=(Phone("+49 30 1", pref=1, ref="a"),), media=(Media(data=b"bytes"),))
    for again in (copy.deepcopy(ada), pickle.loads(pickle.dumps(ada)), dataclasses.replace(ada)):
        assert again == ada and again.uid == "1" and again.phones[0].ref == "a"
        assert again.media[0].data == b"bytes" and again.media[0].sha256
