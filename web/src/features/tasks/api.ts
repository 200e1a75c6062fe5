import { queryOptions, useMutation } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { ApiClient } from '@/api/client';
import type { Task } from '@/api/types';
import { useLive } from '@/lib/live/LiveContext';

export type TaskCommand = 'pause' | 'resume' | 'cancel';

/** A task that is too old to be among the loaded ones. */
export function taskQuery(api: ApiClient, taskId: string) {
  return queryOptions({
    queryKey: ['tasks', taskId],
    queryFn: ({ signal }) => api.get<Task>(`/tasks/${taskId}`, {}, { signal }),
  });
}

/** Asks for a change of a task; its answer is as good as the event that follows. */
export function useTaskCommand(taskId: string) {
  const api = useApi();
  const { store } = useLive();
  return useMutation({
    mutationFn: (command: TaskCommand) => api.post<Task>(`/tasks/${taskId}/${command}`),
    onSuccess: (task) => store.dispatch({ type: 'tasks.loaded', tasks: [task] }),
  });
}
