"""The finished course in Postgres: written in the transaction of its last event, read as viewers get it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from pipeline import course as machine
from pipeline.course import State, Status
from pipeline.database import fetch_all


async def store(conn: Any, sql: Any, state: State) -> None:
    """Write a course's title, parts and sections.

    Args:
        conn: a connection, in the transaction that appends ``course_stored``.
        sql: the named queries of ``courses.sql``.
        state: the fold of the whole log.
    """
    course_id = UUID(state.course_id)
    parts = [part.model_dump(mode="json") for part in state.written_parts]
    sections = [section for part in parts for section in part.pop("sections")]
    await sql.store_course(
        conn,
        course_id=course_id,
        title=state.title,
        estimated_hours=state.estimated_hours,
        author=state.author,
        quality=machine.compact(state.quality),
    )
    await sql.store_parts(conn, course_id=course_id, parts=machine.compact(parts))
    await sql.store_sections(conn, course_id=course_id, sections=machine.compact(sections))


async def load(conn: Any, sql: Any, course_id: str) -> dict[str, Any] | str | None:
    """Return the finished course as JSON; the status view of one that is not; None where there is none.

    Args:
        conn: a connection.
        sql: the named queries of ``courses.sql``.
        course_id: which.
    """
    key = UUID(course_id)
    row = await sql.finished(conn, course_id=key)
    if row is None:
        return None
    if row["status"] != Status.COMPLETE:
        return str(row["view"])
    part_rows = await fetch_all(sql.parts_of(conn, course_id=key))
    sections = [json.loads(r["section"]) for r in await fetch_all(sql.sections_of(conn, course_id=key))]
    return {
        "course": {
            "course_id": course_id,
            "title": row["title"],
            "original_query": row["query"],
            "estimated_hours": row["estimated_hours"],
            "preferences": json.loads(row["preferences"]),
            "status": "active",
            "author": row["author"],
            "quality": json.loads(row["quality"]),
            "created_at": timestamp(row["created_at"]),
            "last_modified": timestamp(row["modified_at"]),
        },
        "parts": [
            {**r, "sections": [s for s in sections if s["part_index"] == r["part_index"]]} for r in part_rows
        ],
        "sections": sections,
    }


def timestamp(at: datetime) -> str:
    """Return a UTC time as ISO-8601 with microseconds, as everywhere on the wire."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
