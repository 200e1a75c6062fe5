import { queryOptions, useMutation } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import type { GitToken, Repo, Subscription } from '@/api/types';

export function subscriptionQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['billing', 'subscription'],
    queryFn: ({ signal }) => api.get<Subscription>('/billing/subscription', {}, { signal }),
  });
}

export function repoQuery(api: ApiClient, repoId: string) {
  return queryOptions({
    queryKey: ['repos', repoId],
    queryFn: ({ signal }) => api.get<Repo>(`/git/repos/${repoId}`, {}, { signal }),
  });
}

/** Makes a token for `git clone`; it is shown once. */
export function useCreateToken(repoId: string) {
  const api = useApi();
  return useMutation({
    mutationFn: (scope: 'read' | 'write') =>
      api.post<GitToken>(`/git/repos/${repoId}/tokens`, { scope }),
  });
}
