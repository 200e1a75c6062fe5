import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import type { Actor, Workspace } from '@/api/types';

export interface ServerLine {
  seq: number;
  stream: string;
  text: string;
}

/** The workspace of an agent; null when it has none. Its events make it stale. */
export function workspaceQuery(api: ApiClient, actorId: string) {
  return queryOptions({
    queryKey: ['workspaces', actorId],
    queryFn: async ({ signal }) => {
      const actor = await api.get<Actor>(`/actors/${actorId}`, {}, { signal });
      if (actor.workspace_id == null) return null;
      return api.get<Workspace>(`/opencode/workspaces/${actor.workspace_id}`, {}, { signal });
    },
  });
}

/** What the server and the platform wrote about it lately. */
export function serverLogQuery(api: ApiClient, workspaceId: string) {
  return queryOptions({
    queryKey: ['workspaces', workspaceId, 'log'],
    queryFn: async ({ signal }) => {
      const path = `/opencode/workspaces/${workspaceId}/logs`;
      return (await api.get<{ items: ServerLine[] }>(path, {}, { signal })).items;
    },
  });
}

/** Starts or stops it; the answer is as good as the event that follows. */
export function useWorkspaceCommand(actorId: string) {
  const api = useApi();
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, command }: { id: string; command: 'start' | 'stop' }) =>
      api.post<Workspace>(`/opencode/workspaces/${id}/${command}`),
    onSuccess: (workspace) => {
      client.setQueryData(workspaceQuery(api, actorId).queryKey, workspace);
    },
  });
}
