"""People with accounts for the tests, signed in without the second that a password takes."""

from dataclasses import dataclass

from annotation import accounts
from storage import Annotator, NewAccount, Role, Store


@dataclass(frozen=True)
class SignedIn:
    """Somebody with an account and a session."""

    annotator: Annotator
    cookie: str

    @property
    def session(self) -> str:
        """The hash under which the store knows the session."""
        return accounts.hash_of(self.cookie)


def sign_in(
    store: Store, name: str, role: Role | None = None, project_id: int | None = None, administrator: bool = False
) -> SignedIn:
    """Somebody new with an account, a role in a project and an open session."""
    account = store.create_account(NewAccount(name, password_hash="none"), administrator, take_over=True)
    if role is not None and project_id is not None:
        store.set_role(project_id, account.annotator_id, role)
    return SignedIn(Annotator(account.annotator_id, account.name), accounts.start_session(store, account.annotator_id))
