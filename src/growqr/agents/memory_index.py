"""The search indexes of the repositories in use, each in step with its head commit.

An index is a cache file of its own, `<folder>/<repo_id>.sqlite`: not in the actor, because the
API searches too, and not in Git, because it can always be made again from there. A new head
costs reading only the files that changed.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from growqr.agents.search_index import Document, Hit, SearchIndex, delete_index, document_of
from growqr.git.forge import BranchNotFound, CommitNotFound, Forge, RepoRef, TreeEntry

__all__ = ["Document", "Hit", "MemoryIndex"]

MAX_FILE_BYTES = 200 * 1024
"""Longer files are listed, but not read for titles and search."""
MAX_TOTAL_BYTES = 64 * 1024 * 1024
MAX_FILES = 20_000
_REPOS = 16
"""Indexes that are open at once: each holds 0.2 MB, and opening one takes 0.1 ms."""
_PAST = 4
"""Past commits whose index is kept, in memory."""
_READ_AT_ONCE = 16
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


class MemoryIndex:
    """Opens indexes and brings them up to date. `folder` None keeps them in memory."""

    def __init__(self, forge: Forge, folder: Path | None = None) -> None:
        self._forge = forge
        self._folder = folder
        self._open: OrderedDict[str, SearchIndex] = OrderedDict()
        self._past: OrderedDict[tuple[str, str], SearchIndex] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def now(self, repo: RepoRef) -> SearchIndex:
        """Return the index of the head. Raises RepoNotFound, BranchNotFound."""
        head = await self._forge.head(repo)
        if head is None:
            raise BranchNotFound("the repository has no branch `main`")
        lock = self._locks.setdefault(repo.id, asyncio.Lock())
        async with lock:
            index = self._open.get(repo.id)
            if index is None:
                index = await asyncio.to_thread(SearchIndex, self._file(repo))
                self._open[repo.id] = index
            self._open.move_to_end(repo.id)
            while len(self._open) > _REPOS:
                self._open.popitem(last=False)  # closed when the last search in it is done
            known = await asyncio.to_thread(index.head)
            if known != head and not (known and await self._follow(repo, index, known, head)):
                await self._bring(repo, index, head, None)
        return index

    async def at(self, repo: RepoRef, sha: str) -> SearchIndex:
        """Return the index of a past commit; what is still the same is not read again."""
        present = await self.now(repo)
        lock = self._locks.setdefault(f"{repo.id} past", asyncio.Lock())
        async with lock:
            index = self._past.get((repo.id, sha))
            if index is None:
                index = SearchIndex()
                await self._bring(repo, index, sha, present)
                self._past[repo.id, sha] = index
            self._past.move_to_end((repo.id, sha))
            while len(self._past) > _PAST:
                self._past.popitem(last=False)
        return index

    async def erase(self, repo: RepoRef) -> None:
        """Keep nothing of a repository's text any more; it is removed, or about to be."""
        lock = self._locks.setdefault(repo.id, asyncio.Lock())
        async with lock:
            self._open.pop(repo.id, None)
            for key in [key for key in self._past if key[0] == repo.id]:
                del self._past[key]
            if (file := self._file(repo)) is not None:
                await asyncio.to_thread(delete_index, file)

    def _file(self, repo: RepoRef) -> Path | None:
        if self._folder is None or not _ID.match(repo.id):
            return None
        return self._folder / f"{repo.id}.sqlite"

    async def _follow(self, repo: RepoRef, index: SearchIndex, known: str, head: str) -> bool:
        """Put in what changed since the commit `known`; False: all has to be looked at."""
        try:
            changes = await self._forge.changes(repo, known, head)
        except CommitNotFound:
            return False  # a repository that was made again
        wanted = [e for e in changes.written if e.type == "file" and _is_markdown(e)]
        count, total = await asyncio.to_thread(index.size)
        more = sum(entry.size for entry in wanted)
        if count + len(wanted) > MAX_FILES or total + more > MAX_TOTAL_BYTES:
            return False  # what has no room depends on all the others
        kept = {entry.path for entry in wanted}
        gone = {*changes.gone, *(e.path for e in changes.written)} - kept
        documents = await self._documents(repo, wanted, head, _readable(wanted))
        await asyncio.to_thread(index.replace, head, documents, gone)
        return True

    async def _bring(
        self, repo: RepoRef, index: SearchIndex, head: str, like: SearchIndex | None
    ) -> None:
        entries = await self._forge.tree(repo, ref=head, recursive=True)
        wanted = [e for e in entries if e.type == "file" and _is_markdown(e)][:MAX_FILES]
        known = await asyncio.to_thread(index.oids)
        new = [entry for entry in wanted if known.get(entry.path) != entry.oid]
        gone = known.keys() - {entry.path for entry in wanted}
        readable = _readable(wanted)
        kept = await asyncio.to_thread(_by_path, like) if like is not None else {}
        documents: list[Document] = []
        unread: list[TreeEntry] = []
        for entry in new:
            same = kept.get(entry.path)
            if same is not None and same.oid == entry.oid:
                documents.append(same)
            else:
                unread.append(entry)
        documents += await self._documents(repo, unread, head, readable)
        await asyncio.to_thread(index.replace, head, documents, gone)

    async def _documents(
        self, repo: RepoRef, entries: Sequence[TreeEntry], head: str, readable: set[str]
    ) -> list[Document]:
        documents: list[Document] = []
        for start in range(0, len(entries), _READ_AT_ONCE):
            part = entries[start : start + _READ_AT_ONCE]
            documents += await asyncio.gather(
                *(self._document(repo, entry, head, entry.path in readable) for entry in part)
            )
        return documents

    async def _document(
        self, repo: RepoRef, entry: TreeEntry, head: str, readable: bool
    ) -> Document:
        data = await self._forge.blob(repo, entry.path, ref=head) if readable else b""
        return document_of(entry.path, entry.oid, entry.size, data)


def _by_path(index: SearchIndex) -> dict[str, Document]:
    return {document.path: document for document in index.below("")}


def _readable(entries: Sequence[TreeEntry]) -> set[str]:
    """Return the paths that fit into what one index may hold."""
    room = MAX_TOTAL_BYTES
    found = set()
    for entry in entries:
        if entry.size <= min(room, MAX_FILE_BYTES):
            room -= entry.size
            found.add(entry.path)
    return found


def _is_markdown(entry: TreeEntry) -> bool:
    return entry.path.lower().endswith((".md", ".markdown"))
