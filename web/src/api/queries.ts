import { queryOptions } from '@tanstack/react-query';

import type { ApiClient } from './client';
import type { Actor, AppConfig, Channel, ChannelMessage, Page, Subscription, Task } from './types';

/** Requests that more than one feature needs; a feature keeps its own in its `api` folder. */

export function configQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['config'],
    queryFn: ({ signal }) => api.get<AppConfig>('/config', {}, { signal }),
    staleTime: 5 * 60_000,
  });
}

/** The user's plan; billing events make it stale. */
export function subscriptionQuery(api: ApiClient) {
  return queryOptions({
    queryKey: ['billing', 'subscription'],
    queryFn: ({ signal }) =>
      api.get<Subscription>('/billing/subscription', { refresh: backFromPaying() }, { signal }),
  });
}

/** Stripe leads people back to this address: its own news may be slower than they are. */
function backFromPaying(): boolean | null {
  return new URLSearchParams(window.location.search).get('checkout') === 'done' ? true : null;
}

/** The user's Grow Agent, made when there is none; safe to repeat. */
export async function provision(api: ApiClient): Promise<Actor> {
  return (await api.post<{ actor: Actor }>('/actors/provision')).actor;
}

export async function fetchChannels(api: ApiClient): Promise<Channel[]> {
  return (await api.get<Page<Channel>>('/channels')).items;
}

/** The newest messages, or those before a cursor; oldest first within a page. */
export function fetchMessages(
  api: ApiClient,
  channelId: string,
  cursor: string | null = null,
): Promise<Page<ChannelMessage>> {
  return api.get(`/channels/${channelId}/messages`, { cursor, limit: 50 });
}

export async function fetchTasks(api: ApiClient): Promise<Task[]> {
  return (await api.get<Page<Task>>('/tasks', { limit: 100 })).items;
}
