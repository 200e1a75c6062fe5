import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import type { Branch, Commit, Page, PullRequest, PullRequestState, Repo } from '@/api/types';

export function reposQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['repos'],
    queryFn: async ({ signal }) =>
      (await api.get<Page<Repo>>('/git/repos', { limit: 100 }, { signal })).items,
  });
}

/** The first page of something that a repository has. */
function partQuery<T>(api: ApiClient, repoId: string, part: string) {
  return queryOptions({
    queryKey: ['repos', repoId, part],
    queryFn: async ({ signal }) =>
      (await api.get<Page<T>>(`/git/repos/${repoId}/${part}`, { limit: 50 }, { signal })).items,
  });
}

export function branchesQuery(api: ApiClient, repoId: string) {
  return partQuery<Branch>(api, repoId, 'branches');
}

/** Newest first. */
export function commitsQuery(api: ApiClient, repoId: string) {
  return partQuery<Commit>(api, repoId, 'commits');
}

/** Newest first. */
export function pullRequestsQuery(api: ApiClient, repoId: string) {
  return partQuery<PullRequest>(api, repoId, 'pull-requests');
}

/** One pull request with what keeps it from being merged now. */
export function pullRequestQuery(api: ApiClient, repoId: string, number: number) {
  return queryOptions({
    queryKey: ['repos', repoId, 'pull-requests', number],
    queryFn: ({ signal }) =>
      api.get<PullRequestState>(`/git/repos/${repoId}/pull-requests/${number}`, {}, { signal }),
  });
}

/** Merges or closes a pull request; everything of its repository may be new then. */
export function useSettle(repoId: string, number: number) {
  const api = useApi();
  const client = useQueryClient();
  return useMutation({
    mutationFn: (how: 'merge' | 'close') =>
      api.post<PullRequest>(`/git/repos/${repoId}/pull-requests/${number}/${how}`),
    // Also after a refusal: somebody else may have been faster.
    onSettled: () => client.invalidateQueries({ queryKey: ['repos', repoId] }),
  });
}
