"""A program with an App: the shipped ``PendingCalls`` on a simulated link. Mirrors ``client/core/io_thread.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tq.client.core.pending_calls import PendingCall, PendingCalls
from tq.common.auth.keys import Verifier
from tq.common.contract.tasks import OutcomeSlice
from tq.common.domain.model import Role
from tq.common.errors import TqError, Unreachable

from .caller import Connection, Reconnecting
from .master import Greeting
from .network import Network
from .world import Process, World


class Program(Reconnecting):
    """Makes calls. Subclasses say which, and take what they come to."""

    def __init__(self, world: World, network: Network, name: str, key: Verifier | None = None) -> None:
        """``key``: by default an admin's."""
        role, key_id = (Role.ADMIN, "") if key is None else (key.role, key.key_id)
        super().__init__(Process(world, name), network, Greeting(role, world.random_bytes(16), key_id))
        self.world, self.pending = world, PendingCalls("outcomes")

    def _settled(self, ticket: Any, value: Any, error: TqError | None) -> None:
        """What a call came to."""

    def _delivered(self, slices: list[OutcomeSlice], error: TqError | None) -> None:
        """Outcomes of watched tasks."""

    def _call(
        self, target: Sequence[Any], method: str, args: Sequence[Any], ticket: Any, *, repeatable: bool
    ) -> None:
        self.pending.call(ticket, target, method, args, repeatable=repeatable)
        self._perform_effects()

    # the line, as client/core/io_thread.py has it

    def admitted(self, connection: Connection) -> None:
        self.connection = connection
        self.pending.connected()
        self._perform_effects()

    def gone(self, reason: str) -> None:
        self.pending.disconnected()
        self._perform_effects()

    def _perform_effects(self) -> None:
        if self.connection is not None:
            for call in self.pending.take_outgoing():
                self._send(self.connection, call)
        for settled in self.pending.take_settled():
            self._settled(*settled)
        for delivery in self.pending.take_deliveries():
            self._delivered(delivery.slices, delivery.error)

    def _send(self, connection: Connection, call: PendingCall) -> None:
        def answered(value: Any, error: TqError | None) -> None:
            if error is None:
                self.pending.answered(call.number, value)
            elif isinstance(error, Unreachable):
                self.pending.lost(call.number)
            else:
                self.pending.refused(call.number, error)
            self._perform_effects()

        connection.call(call.target, call.method, call.args, answered)
