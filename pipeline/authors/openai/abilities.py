"""What is asked of an endpoint, and what it turns out to support: the ladder from json_schema down.

Servers differ in whether they hold a model to a JSON schema, know only ``json_object``, or neither; in
whether they stream; in whether they count tokens in a stream. A request that is refused is sent again asking
for less, and what worked is remembered for later calls. Now and then one call asks for everything again: the
server may have been replaced, or had refused for another reason that had nothing to do with what it can.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import IntEnum

PROBE_AFTER_S = 600.0


class Format(IntEnum):
    """How an answer's form is asked for, the best last."""

    TEXT = 0
    JSON_OBJECT = 1
    JSON_SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What is asked of an endpoint."""

    format: Format = Format.JSON_SCHEMA
    schema_in_prompt: bool = False
    """Show the schema in words, too: this endpoint took a schema and did not hold the model to it."""
    streams: bool = True
    counts_streamed: bool = True
    """Ask for token counts at the end of a stream."""

    def without(self, blamed: str) -> Abilities | None:
        """Return what to ask for after a refusal that names the field `blamed`; None: nothing is left."""
        if blamed == "stream_options" and self.streams and self.counts_streamed:
            return replace(self, counts_streamed=False)
        if blamed == "stream" and self.streams:
            return replace(self, streams=False)
        if self.format > Format.TEXT:
            return replace(self, format=Format(self.format - 1))
        if self.streams and self.counts_streamed:
            return replace(self, counts_streamed=False)
        return replace(self, streams=False) if self.streams else None

    def common(self, other: Abilities) -> Abilities:
        """Return what both have."""
        return Abilities(
            format=min(self.format, other.format),
            schema_in_prompt=self.schema_in_prompt or other.schema_in_prompt,
            streams=self.streams and other.streams,
            counts_streamed=self.counts_streamed and other.counts_streamed,
        )


EVERYTHING = Abilities()


class Known:
    """What is known of one endpoint.

    Args:
        probe_after_s: how long less than everything is believed to be all.
    """

    def __init__(self, *, probe_after_s: float = PROBE_AFTER_S) -> None:
        self._probe_after_s = probe_after_s
        self._probe_at = 0.0
        self.abilities = EVERYTHING

    def to_ask(self) -> tuple[Abilities, bool]:
        """Return what the next call is to ask for, and whether it asks for more than is known to work."""
        whole = replace(EVERYTHING, schema_in_prompt=self.abilities.schema_in_prompt)
        now = time.monotonic()
        if self.abilities == whole or now < self._probe_at:
            return self.abilities, False
        self._probe_at = now + self._probe_after_s
        return whole, True

    def worked(self, abilities: Abilities, *, probed: bool) -> None:
        """Note what a call asked for that was answered."""
        known = abilities if probed else self.abilities.common(abilities)
        if known != self.abilities:
            self.abilities = known
            self._probe_at = time.monotonic() + self._probe_after_s

    def disappointed(self) -> None:
        """Note that an answer was not of the form asked for: from now on the schema is shown in words too."""
        self.abilities = replace(self.abilities, schema_in_prompt=True)
