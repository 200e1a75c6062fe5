import { queryOptions } from '@tanstack/react-query';

import type { ApiClient } from './client';
import type { Commit, Diff, Page, Repo } from './types';

export function repoQuery(api: ApiClient, repoId: string) {
  return queryOptions({
    queryKey: ['repos', repoId],
    queryFn: ({ signal }) => api.get<Repo>(`/git/repos/${repoId}`, {}, { signal }),
  });
}

/** What `head` adds since it left `base`; both are branches or full SHAs. */
export function diffQuery(api: ApiClient, repoId: string, base: string, head: string) {
  return queryOptions({
    queryKey: ['repos', repoId, 'diff', base, head],
    queryFn: ({ signal }) =>
      api.get<Diff>(`/git/repos/${repoId}/diff`, { base, head }, { signal }),
  });
}

/** What one commit changed; null for the first commit, which has nothing before it. */
export function changesQuery(api: ApiClient, repoId: string, sha: string) {
  return queryOptions({
    queryKey: ['repos', repoId, 'changes', sha],
    staleTime: Infinity, // a commit never changes
    queryFn: async ({ signal }) => {
      const query = { ref: sha, limit: 1 };
      const page = await api.get<Page<Commit>>(`/git/repos/${repoId}/commits`, query, { signal });
      const parent = page.items[0]?.parents[0];
      if (parent === undefined) return null;
      const range = { base: parent, head: sha };
      return api.get<Diff>(`/git/repos/${repoId}/diff`, range, { signal });
    },
  });
}
