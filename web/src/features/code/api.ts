import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import { pagesQuery } from '@/api/pages';
import type { Branch, Commit, PullRequest, PullRequestState, Repo } from '@/api/types';

export function reposQuery(api: ApiClient) {
  return pagesQuery<Repo>(api, ['repos'], '/git/repos', { limit: 100 });
}

/** Something that a repository has many of. */
function partQuery<T>(api: ApiClient, repoId: string, part: string) {
  return pagesQuery<T>(api, ['repos', repoId, part], `/git/repos/${repoId}/${part}`, { limit: 50 });
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
