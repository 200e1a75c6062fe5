import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import type { Commit, MemoryContent, MemoryFile, MemoryHit, Page } from '@/api/types';

export function filesQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['memory', 'files'],
    queryFn: async ({ signal }) =>
      (await api.get<Page<MemoryFile>>('/memory', { limit: 200 }, { signal })).items,
  });
}

/** A file with its text, at the head of the user's repository. */
export function fileQuery(api: ApiClient, path: string) {
  return queryOptions({
    queryKey: ['memory', 'file', path],
    queryFn: ({ signal }) => api.get<MemoryContent>('/memory/file', { path }, { signal }),
  });
}

/** Commits, newest first; of one file when `path` is given. */
export function historyQuery(api: ApiClient, path?: string) {
  return queryOptions({
    queryKey: ['memory', 'history', path ?? null],
    queryFn: async ({ signal }) =>
      (await api.get<Page<Commit>>('/memory/history', { path, limit: 50 }, { signal })).items,
  });
}

export function searchQuery(api: ApiClient, q: string) {
  return queryOptions({
    queryKey: ['memory', 'search', q],
    queryFn: async ({ signal }) =>
      (await api.get<Page<MemoryHit>>('/memory/search', { q }, { signal })).items,
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
