"""Who may come in: keys, signatures, sessions, scopes, windows, limits, for every way in.

Promises: the signature is checked before a parameter is read; a caller without the route's scope
is refused before the handler; weight is counted for whoever proved who they are, else for the
address.
"""

from __future__ import annotations

from typing import Final

from fondaco.gateway.auth import (
    Caller,
    Keys,
    Sessions,
    bad_key,
    check_proof,
    check_window,
    split_signature,
)
from fondaco.gateway.call import read_parameters
from fondaco.gateway.edge import Edge
from fondaco.gateway.faults import BAD_KEY, BAD_SIGNATURE, Fault
from fondaco.gateway.limits import WEIGHT_PER_MINUTE, Limits
from fondaco.gateway.routes import SCOPES, Route, Security
from fondaco.gateway.trading import holder_of

__all__ = ["FrontDoor"]

NO_CREDENTIALS: Final = Fault(-2014, "API-key format invalid.", status=401)


class FrontDoor:
    def __init__(self, edge: Edge, keys: Keys, sessions: Sessions, limits: Limits) -> None:
        self._edge = edge
        self._keys = keys
        self._sessions = sessions
        self._limits = limits

    # ---- REST

    async def admit(
        self,
        route: Route,
        headers: dict[bytes, bytes],
        query: bytes,
        body: bytes,
        address: str,
    ) -> tuple[Caller | None, dict[str, str]]:
        """Return the caller and the parameters of an HTTP request. Raises Fault."""
        security = route.security
        if security is Security.NONE:
            return None, read_parameters(query, body)
        key = headers.get(b"x-mbx-apikey")
        if key is None:
            caller = await self._sessions.find(route.method, headers)
            if caller is None:
                raise NO_CREDENTIALS
            return caller, read_parameters(query, body)
        known = self._keys.get(key) or await self._find(key)
        return known, self.admit_known(known, security, query, body, address)

    def admit_known(
        self, caller: Caller, security: Security, query: bytes, body: bytes, address: str
    ) -> dict[str, str]:
        """Return the parameters of a request of a known key, signed if need be. Raises Fault."""
        if caller.addresses or caller.expires_us:
            self._check_bounds(caller, address)
        if security is Security.KEY:
            return read_parameters(query, body)
        payload, signature = split_signature(query, body)
        check_proof(caller, payload, signature)
        parameters = read_parameters(query, body)
        check_window(
            parameters.get("timestamp"), parameters.get("recvWindow"), *self._edge.clocks_us()
        )
        if not caller.scopes & SCOPES[security]:
            raise Fault(*BAD_KEY, status=401)
        return parameters

    async def _find(self, key: bytes) -> Caller:
        caller = await self._keys.find(key)
        if caller is None:
            raise bad_key(key)
        return caller

    def _check_bounds(self, caller: Caller, address: str) -> None:
        """Raise Fault, 401, for a key that is too old or not for this address."""
        if not caller.may_come(address, self._edge.now_us()):
            raise Fault(*BAD_KEY, status=401)

    # ---- the WebSocket API

    async def admit_key(self, key: bytes, address: str) -> Caller:
        """Return the caller of a key that needs no signature. Raises Fault."""
        caller = self._keys.get(key) or await self._find(key)
        self._check_bounds(caller, address)
        return caller

    async def admit_signed(
        self,
        route: Route | None,
        key: bytes,
        payloads: list[bytes],
        signature: bytes,
        parameters: dict[str, str],
        address: str,
    ) -> Caller:
        """Return the caller of signed parameters; any of the payloads may be what was signed."""
        caller = await self.admit_key(key, address)
        proof = caller.proof
        if proof is None or not any(proof(payload, signature) for payload in payloads):
            raise Fault(*BAD_SIGNATURE, status=401)
        self._check_use(route, caller, parameters)
        return caller

    async def admit_again(
        self, route: Route | None, key: bytes, parameters: dict[str, str], address: str
    ) -> Caller:
        """Return the caller of a key that has signed its session.logon. Raises Fault."""
        caller = await self.admit_key(key, address)
        self._check_use(route, caller, parameters)
        return caller

    def _check_use(self, route: Route | None, caller: Caller, parameters: dict[str, str]) -> None:
        check_window(
            parameters.get("timestamp"), parameters.get("recvWindow"), *self._edge.clocks_us()
        )
        security = Security.READ if route is None else route.security
        if not caller.scopes & SCOPES[security]:
            raise Fault(*BAD_KEY, status=401)

    # ---- counting

    def take_weight(self, caller: Caller | None, address: str, weight: int) -> int:
        """Count a request's weight and return the sum of this minute. Raises Fault, 429."""
        limits = self._limits
        if caller is None:
            return limits.take_weight(address, weight, WEIGHT_PER_MINUTE, limits.now_s())
        return limits.take_weight(holder_of(caller), weight, caller.weight_limit_1m, limits.now_s())

    def rate_limits(self, caller: Caller | None, address: str) -> list[dict[str, object]]:
        """Return the running windows as the WebSocket API shows them."""
        limits = self._limits
        now_s = limits.now_s()
        holder: int | str = address if caller is None else holder_of(caller)
        limit = WEIGHT_PER_MINUTE if caller is None else caller.weight_limit_1m
        return [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": limit,
                "count": limits.weight.count(holder, now_s),
            }
        ]
