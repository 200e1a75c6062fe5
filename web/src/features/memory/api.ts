import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import type { Commit, MemoryFile, MemoryHit, Page } from '@/api/types';

export function filesQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['memory', 'files'],
    queryFn: async ({ signal }) =>
      (await api.get<Page<MemoryFile>>('/memory', { limit: 200 }, { signal })).items,
  });
}

interface Blob {
  content: string;
  encoding?: 'utf-8' | 'base64';
}

/** A file's text at the head of the user's repository. */
export function fileQuery(api: ApiClient, repoId: string, path: string) {
  return queryOptions({
    queryKey: ['memory', 'file', path],
    queryFn: async ({ signal }) => {
      const blob = await api.get<Blob>(`/git/repos/${repoId}/blob`, { path }, { signal });
      return blob.encoding === 'base64' ? decode(blob.content) : blob.content;
    },
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
    mutationFn: (sha: string) =>
      api.post('/memory/revert', { sha }, { idempotencyKey: `revert_${sha}` }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['memory'] }),
  });
}

function decode(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}
