import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import { pagesQuery } from '@/api/pages';
import type { Commit, MemoryContent, MemoryFile, MemoryHit, Page, Remains } from '@/api/types';
import { endOf } from '@/lib/days';

/** `at`, here and below: a day of the reader's, or a moment, to look back to; none is now. */
export function filesQuery(api: ApiClient, at?: string) {
  return pagesQuery<MemoryFile>(api, ['memory', 'files', at ?? null], '/memory', {
    limit: 200,
    at: momentOf(at),
  });
}

function momentOf(at: string | undefined): string | undefined {
  return at !== undefined && /^\d{4}-\d\d-\d\d$/.test(at) ? endOf(at) : at;
}

/** A file with its text. */
export function fileQuery(api: ApiClient, path: string, at?: string) {
  return queryOptions({
    queryKey: ['memory', 'file', path, at ?? null],
    queryFn: ({ signal }) => api.get<MemoryContent>('/memory/file', { path, at: momentOf(at) }, { signal }),
  });
}

/** What the history keeps of a file, also when it is forgotten. */
export function remainsQuery(api: ApiClient, path: string) {
  return queryOptions({
    queryKey: ['memory', 'remains', path],
    queryFn: ({ signal }) => api.get<Remains>('/memory/remains', { path }, { signal }),
  });
}

/** Commits, newest first; of one file when `path` is given. */
export function historyQuery(api: ApiClient, path?: string) {
  const query = { path, limit: 50 };
  return pagesQuery<Commit>(api, ['memory', 'history', path ?? null], '/memory/history', query);
}

export function searchQuery(api: ApiClient, q: string, at?: string) {
  return queryOptions({
    queryKey: ['memory', 'search', q, at ?? null],
    queryFn: async ({ signal }) =>
      (await api.get<Page<MemoryHit>>('/memory/search', { q, at: momentOf(at) }, { signal })).items,
    enabled: q !== '',
  });
}

/** Undoes one commit by a new one. */
export function useRevert() {
  const api = useApi();
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ sha, key }: { sha: string; key: string }) =>
      api.post<Commit>('/memory/revert', { sha }, { idempotencyKey: key }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['memory'] }),
  });
}
