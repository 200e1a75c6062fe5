import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import type { GitToken, Plan, Subscription, Usage } from '@/api/types';

export function plansQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['billing', 'plans'],
    queryFn: ({ signal }) => api.get<Plan[]>('/billing/plans', {}, { signal }),
  });
}

export function usageQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['billing', 'usage'],
    queryFn: ({ signal }) => api.get<Usage>('/billing/usage', { days: 14 }, { signal }),
    staleTime: 0,
  });
}

/** Takes the browser to where the user pays. */
export function useCheckout() {
  const api = useApi();
  return useMutation({
    mutationFn: (plan: string) => api.post<{ url: string }>('/billing/checkout', { plan }),
    onSuccess: ({ url }) => window.location.assign(url),
  });
}

/** Takes the browser to cards, invoices and cancellation. */
export function usePortal() {
  const api = useApi();
  return useMutation({
    mutationFn: () => api.post<{ url: string }>('/billing/portal'),
    onSuccess: ({ url }) => window.location.assign(url),
  });
}

/** Up- or downgrades at once. */
export function useChangePlan() {
  const api = useApi();
  const client = useQueryClient();
  return useMutation({
    mutationFn: (plan: string) => api.post<Subscription>('/billing/plan', { plan }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['billing'] }),
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
