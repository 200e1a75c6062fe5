import { createMemoryHistory } from '@tanstack/react-router';
import { render } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { ApiClient } from '@/api/client';
import { SessionStore } from '@/api/session';
import { App } from '@/app/App';
import { makeQueryClient } from '@/app/queries';
import { makeRouter } from '@/app/router';

import { FakeServer, json, message } from './fakeServer';
import { grant } from './session';

const CHANNELS = ['grow', 'coding', 'repo', 'quest'].map((name) => ({
  id: `chn_${name}`,
  name,
  actor_id: `act_${name}`,
  kind: name === 'grow' ? 'grow' : 'agent',
  status: 'idle',
  unread: name === 'coding' ? 2 : 0,
  last_message_at: null,
}));

/** A server with one user who has just begun. */
export function platform(): FakeServer {
  const server = new FakeServer().onStream('/actors/act_grow/events');
  const page = (items: unknown[]) => () => json({ items, next_cursor: null });
  server
    .on('POST /actors/provision', () =>
      json({ actor: { id: 'act_grow', channel_id: 'chn_grow', repo_id: 'rep_1' } }),
    )
    .on('GET /channels', page(CHANNELS))
    .on('GET /tasks', page([]))
    .on('GET /config', () =>
      json({
        model: { provider: 'offline', name: '', offline: true },
        identity: 'local',
        billing: 'none',
        version: '0.1.0',
        message_chars: 100,
      }),
    )
    .on('POST /auth/logout', () => new Response(null, { status: 204 }))
    .on('GET /channels/chn_grow/messages', page([message(1, 'm1', { text: 'Hello, **Ada**' })]));
  for (const { id, actor_id: actorId } of CHANNELS) {
    server.on(`POST /channels/${id}/read`, () => new Response(null, { status: 204 }));
    if (id === 'chn_grow') continue;
    server
      .on(`GET /channels/${id}/messages`, page([]))
      .on(`GET /actors/${actorId}/events`, () => json({ items: [], after: 0 }));
  }
  return server;
}

/** The whole app at `path`, with somebody logged in unless `guest`. */
export function renderApp(path = '/', { guest = false } = {}) {
  const session = new SessionStore();
  if (!guest) session.set(grant());
  const router = makeRouter(session, createMemoryHistory({ initialEntries: [path] }));
  const view = render(
    <App api={new ApiClient(session)} queries={makeQueryClient(0)} router={router} />,
  );
  return { ...view, user: userEvent.setup(), session, router };
}
