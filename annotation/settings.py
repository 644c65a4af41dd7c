"""What the environment says: where state lives. Read once at an entry point, then passed on as an argument."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from maner_core.errors import InvalidConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """Where this installation keeps its things."""

    home: Path
    # folder for the default database, runs and the signing secret (MANER_HOME, default ./data)
    database_url: str
    # SQLAlchemy URL of the store (MANER_DATABASE_URL, default the file maner.db in home)
    accounts: bool | None = None
    # whether people sign in (MANER_ACCOUNTS on or off; not set: see annotation/access.py)
    user: str = ""
    # name of the one person where nobody signs in (MANER_USER)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """The settings in `environment` (default: of this process); an empty variable counts as not set.

        Raises InvalidConfig when the database URL is no URL, or for a word that is neither on nor off.
        """
        environment = os.environ if environment is None else environment
        home = Path(environment.get("MANER_HOME") or "data").expanduser().absolute()
        url = environment.get("MANER_DATABASE_URL") or f"sqlite:///{home / 'maner.db'}"
        if "://" not in url:
            raise InvalidConfig(
                f"MANER_DATABASE_URL is {url!r}, which is no database URL; write it like sqlite:////folder/maner.db "
                "or postgresql+psycopg://user@host/name"
            )
        return cls(
            home=home,
            database_url=url,
            accounts=_switch(environment, "MANER_ACCOUNTS"),
            user=environment.get("MANER_USER", "").strip(),
        )

    @property
    def runs(self) -> Path:
        """The folder that holds one checkpoint folder per run."""
        return self.home / "runs"


def _switch(environment: Mapping[str, str], name: str) -> bool | None:
    """What an on/off variable says; None where it is not set."""
    word = environment.get(name, "").strip().lower()
    if word not in ("", "on", "off"):
        raise InvalidConfig(f"{name} is {word!r}; write on or off")
    return {"on": True, "off": False}.get(word)
