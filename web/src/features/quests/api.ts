import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import type { Page, Quest, QuestRun } from '@/api/types';
import { newKey } from '@/lib/keys';

export function questsQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['quests', 'list'],
    queryFn: async ({ signal }) => (await api.get<Page<Quest>>('/quests', {}, { signal })).items,
    staleTime: Infinity,
  });
}

/** Newest first. */
export function runsQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['quests', 'runs'],
    queryFn: async ({ signal }) =>
      (await api.get<Page<QuestRun>>('/quests/runs', {}, { signal })).items,
  });
}

export function useStartQuest() {
  const api = useApi();
  const client = useQueryClient();
  return useMutation({
    mutationFn: (key: string) =>
      api.post<QuestRun>(`/quests/${key}/start`, undefined, { idempotencyKey: newKey() }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['quests', 'runs'] }),
  });
}
