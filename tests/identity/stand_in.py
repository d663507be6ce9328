"""A core for identity's tests: definitions, accounts and keys, with the core's own refusals."""

from __future__ import annotations

import msgspec

from fondaco.core import records
from fondaco.link.answers import Answer, Unanswered

Command, Event, Reason = records.Command, records.Event, records.Reason


class StandInCore:
    """Answers submit() and query() as the real one does; `lose` names answers that never come."""

    def __init__(self) -> None:
        self.seq = 0
        self.definitions: dict[tuple[int, int], bytes] = {}
        self.accounts: dict[int, records.AccountBody] = {}
        self.keys: dict[int, tuple[int, int]] = {}
        self.commands: list[int] = []
        self.lose: set[int] = set()
        self.maintenance = 0

    def submit(self, record: bytes) -> bytes:
        self.seq += 1
        _, _, _, account, _ = records.HEAD.unpack_from(record)
        kind = int.from_bytes(record[:2], "little")
        self.commands.append(kind)
        answer = self._apply(kind, account, record)
        if kind in self.lose:
            self.lose.discard(kind)
            raise Unanswered("the answer was lost")
        return answer

    def query(self, record: bytes) -> Answer:
        assert int.from_bytes(record[:2], "little") == records.Query.DEFINITIONS
        run = b"".join(self.definitions.values())
        for number, body in self.accounts.items():
            run += records.pack_body(Event.ACCOUNT, body, account=number)
        for number, (account, scopes) in self.keys.items():
            run += records.pack(Event.KEY, account=account, key_number=number, scopes=scopes)
        return Answer(self.seq, run)

    def _apply(self, kind: int, account: int, record: bytes) -> bytes:
        body: records.AssetBody | records.InstrumentBody | records.AccountBody
        if kind in {Command.DEFINE_ASSET, Command.DEFINE_INSTRUMENT}:
            if kind == Command.DEFINE_ASSET:
                body = msgspec.msgpack.decode(records.unpack_body(record), type=records.AssetBody)
                event = Event.ASSET
            else:
                body = msgspec.msgpack.decode(
                    records.unpack_body(record), type=records.InstrumentBody
                )
                event = Event.INSTRUMENT
            self.definitions[event, body.number] = records.pack_body(event, body)
            return self.definitions[event, body.number]
        if kind == Command.OPEN_ACCOUNT:
            if account in self.accounts:
                return self._refused(kind, Reason.ACCOUNT_EXISTS)
            opened = msgspec.msgpack.decode(records.unpack_body(record), type=records.AccountBody)
            self.accounts[account] = opened
            return records.pack_body(Event.ACCOUNT, opened, account=account)
        if kind == Command.CONFIGURE_ACCOUNT:
            body = msgspec.msgpack.decode(records.unpack_body(record), type=records.AccountBody)
            self.accounts[account] = body
            return records.pack_body(Event.ACCOUNT, body, account=account)
        if kind == Command.CANCEL_ALL:
            return b""
        if kind == Command.CONFIGURE_HOUSE:
            self.maintenance = records.unpack(record)["maintenance"]
            return records.pack(Event.HOUSE, maintenance=self.maintenance)
        words = records.unpack(record)
        number = words["key_number"]
        if kind == Command.GRANT_KEY:
            self.keys[number] = (account, words["scopes"])
            return records.pack(
                Event.KEY, account=account, key_number=number, scopes=words["scopes"]
            )
        if self.keys.get(number, (0, 0))[1] == 0:
            return self._refused(kind, Reason.UNKNOWN_KEY)
        self.keys[number] = (account, 0)
        return records.pack(Event.KEY, account=account, key_number=number, scopes=0)

    def _refused(self, kind: int, reason: records.Reason) -> bytes:
        return records.pack(Event.REFUSED, command=kind, reason=reason)
