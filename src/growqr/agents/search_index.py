"""Full text over the Markdown of one commit: SQLite FTS5 in a file that can always be made again.

What is indexed are words as `search_words` sees them, so that queries and texts agree on plurals;
ranking is FTS5's BM25 with titles and paths counted thrice.
"""

import json
import sqlite3
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from growqr.agents import front_matter
from growqr.agents.search_words import query_terms, snippet, words

_VERSION = 2
_TITLE_WEIGHT = 3.0
_LAST = "\U0010ffff"
"""After every path that goes on from a prefix."""
_SCHEMA = """
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), sha TEXT NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    oid TEXT NOT NULL,
    size INTEGER NOT NULL,
    title TEXT NOT NULL,
    meta TEXT NOT NULL,
    body TEXT NOT NULL,
    updated TEXT NOT NULL
);
CREATE INDEX files_by_update ON files (updated DESC, path, title);
CREATE VIRTUAL TABLE text USING fts5(title, body, tokenize = "unicode61 remove_diacritics 0");
"""


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown file. `meta` is its front matter; `body` what follows (empty in listings)."""

    path: str
    oid: str
    size: int
    title: str
    meta: Mapping[str, Any]
    body: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A file that matches; a higher score is a better match."""

    path: str
    title: str
    snippet: str
    score: float


class SearchIndex:
    """The files of one commit. Every call blocks; calls of several threads wait for each other.

    `file` None keeps it in memory. A file that is damaged, or of another version, is made anew.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._lock = Lock()
        try:
            self._db = _open(file)
        except sqlite3.DatabaseError:
            if file is None:
                raise
            delete_index(file)
            self._db = _open(file)
        # A connection refers to itself by its cache of statements: else it stays open until the
        # garbage collector passes.
        weakref.finalize(self, self._db.close)

    def head(self) -> str | None:
        """Return the commit whose files these are; None: nothing has been put in yet."""
        rows = self._rows("SELECT sha FROM head")
        return str(rows[0][0]) if rows else None

    def oids(self) -> dict[str, str]:
        """Return what is in, by path."""
        return {row[0]: row[1] for row in self._rows("SELECT path, oid FROM files")}

    def size(self) -> tuple[int, int]:
        """Return how many files are in, and their bytes."""
        ((count, total),) = self._rows("SELECT count(*), coalesce(sum(size), 0) FROM files")
        return count, total

    def replace(self, head: str, documents: Iterable[Document], gone: Iterable[str]) -> None:
        """Make these the files of commit `head`: put `documents` in, take `gone` paths out."""
        documents = list(documents)
        leaving = [*gone, *(document.path for document in documents)]
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for path in leaving:
                self._db.execute(
                    "DELETE FROM text WHERE rowid IN (SELECT id FROM files WHERE path = ?)", (path,)
                )
                self._db.execute("DELETE FROM files WHERE path = ?", (path,))
            for document in documents:
                self._put(document)
            self._db.execute("INSERT OR REPLACE INTO head VALUES (1, ?)", (head,))

    def get(self, path: str) -> Document | None:
        """Return one file."""
        rows = self._rows(
            "SELECT path, oid, size, title, meta, body FROM files WHERE path = ?", path
        )
        return _document(rows[0]) if rows else None

    def below(self, prefix: str) -> list[Document]:
        """Return the files whose paths begin so, by path."""
        rows = self._rows(
            "SELECT path, oid, size, title, meta, body FROM files"
            " WHERE path >= ? AND path < ? ORDER BY path",
            prefix,
            prefix + _LAST,
        )
        return [_document(row) for row in rows]

    def newest(self, prefixes: Sequence[str], limit: int) -> tuple[list[tuple[str, str]], int]:
        """Return paths and titles below `prefixes`, the last written first, and how many there
        are in all.
        """
        where = " OR ".join("(path >= ? AND path < ?)" for _ in prefixes)
        ends = [end for prefix in prefixes for end in (prefix, prefix + _LAST)]
        # Only the number of placeholders is put into the statement.
        newest = f"SELECT path, title FROM files WHERE {where} ORDER BY updated DESC, path LIMIT ?"  # noqa: S608
        rows = self._rows(newest, *ends, limit)
        ((count,),) = self._rows(f"SELECT count(*) FROM files WHERE {where}", *ends)  # noqa: S608
        return [(path, title) for path, title in rows], count

    def listing(self) -> list[Document]:
        """Return every file, by path, without the bodies."""
        rows = self._rows("SELECT path, oid, size, title, meta, '' FROM files ORDER BY path")
        return [_document(row) for row in rows]

    def search(self, query: str, limit: int) -> list[Hit]:
        """Return the best matches, best first; equal scores by path."""
        terms = query_terms(query)
        if not terms:
            return []
        wanted = " OR ".join(f'"{term}"' for term in terms)  # words have no quotes in them
        rows = self._rows(
            "SELECT f.path, f.title, f.body, bm25(text, ?, 1.0) AS score"
            " FROM text JOIN files f ON f.id = text.rowid"
            " WHERE text MATCH ? ORDER BY score, f.path LIMIT ?",
            _TITLE_WEIGHT,
            wanted,
            limit,
        )
        return [
            Hit(path, title, snippet(body, terms), round(-score, 6))
            for path, title, body, score in rows
        ]

    def _put(self, document: Document) -> None:
        added = self._db.execute(
            "INSERT INTO files (path, oid, size, title, meta, body, updated)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                document.path,
                document.oid,
                document.size,
                document.title,
                json.dumps(document.meta, default=str),
                document.body,
                str(document.meta.get("updated", "")),
            ),
        )
        title = words(f"{document.title} {document.path.removesuffix('.md')}")
        self._db.execute(
            "INSERT INTO text (rowid, title, body) VALUES (?, ?, ?)",
            (added.lastrowid, " ".join(title), " ".join(words(document.body))),
        )

    def _rows(self, sql: str, *params: object) -> Sequence[tuple[Any, ...]]:
        with self._lock, closing(self._db.execute(sql, params)) as found:
            return found.fetchall()


def delete_index(file: Path) -> None:
    """Delete an index with all that SQLite keeps beside it."""
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        file.with_name(name).unlink(missing_ok=True)


def document_of(path: str, oid: str, size: int, data: bytes) -> Document:
    """Return a file as it is indexed."""
    text = data.decode(errors="replace").replace("\0", "")
    meta, body = front_matter.split(text)
    return Document(path, oid, size, front_matter.title_of(path, meta, body), meta, body)


def _document(row: tuple[Any, ...]) -> Document:
    path, oid, size, title, meta, body = row
    return Document(path, oid, size, title, json.loads(meta), body)


def _open(file: Path | None) -> sqlite3.Connection:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(
        file or ":memory:", timeout=10, isolation_level=None, check_same_thread=False
    )
    try:
        # It can be made again, so a power cut may cost it; it may never cost an answer.
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("of another version")
        if version == 0:
            for statement in _SCHEMA.strip().split(";\n"):
                db.execute(statement.rstrip(";\n"))
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db
