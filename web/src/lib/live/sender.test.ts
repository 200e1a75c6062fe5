import { beforeEach, describe, expect, it } from 'vitest';

import { FakeServer, json, problem } from '@/testing/fakeServer';
import { memberClient } from '@/testing/session';

import { timelineOf } from './selectors';
import { Sender } from './sender';
import { LiveStore } from './store';

const GROW = {
  id: 'chn_grow',
  name: 'grow',
  actor_id: 'act_grow',
  kind: 'grow',
  status: 'idle',
  unread: 0,
} as const;
const ROUTE = 'POST /actors/act_grow/message';

let server: FakeServer;
let store: LiveStore;
let sender: Sender;

beforeEach(() => {
  server = new FakeServer();
  store = new LiveStore();
  sender = new Sender(memberClient(), store, () => 0);
});

const items = () => timelineOf(store.get(), 'chn_grow');

describe('Sender', () => {
  it('shows the message at once and settles it with the answer', async () => {
    server.on(ROUTE, () => json({ message_id: 'm1', seq: 3 }, 202));
    const sent = sender.send(GROW, 'Hi');
    expect(items()).toMatchObject([{ kind: 'pending', pending: { text: 'Hi', author: 'Ada' } }]);
    await sent;
    expect(items()).toMatchObject([{ kind: 'message', message: { id: 'm1', seq: 3, text: 'Hi' } }]);
  });

  it('tries again under the same key when the fate of a message is unknown', async () => {
    let tries = 0;
    server.on(ROUTE, () => {
      tries += 1;
      if (tries === 1) return Promise.reject(new TypeError('reset'));
      return tries === 2
        ? problem(503, 'unavailable', '…')
        : json({ message_id: 'm1', seq: 3 }, 202);
    });
    await sender.send(GROW, 'Hi');
    const keys = server.asked(ROUTE).map(({ headers }) => headers.get('Idempotency-Key'));
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(items()).toHaveLength(1);
  });

  it('gives up at once on a refusal, and says why', async () => {
    server.on(ROUTE, () => problem(402, 'entitlement_required', 'Your plan has ended.'));
    await sender.send(GROW, 'Hi');
    expect(server.asked(ROUTE)).toHaveLength(1);
    expect(store.get().outbox).toMatchObject([
      { status: 'failed', error: 'Your plan has ended.', needsPlan: true },
    ]);
  });

  it('sends what waits when the server is back, in order, once, under the first keys', async () => {
    server.on(ROUTE, () => Promise.reject(new TypeError('refused')));
    await Promise.all([sender.send(GROW, 'One'), sender.send(GROW, 'Two')]);
    expect(store.get().outbox).toMatchObject([
      { text: 'One', status: 'failed', retryable: true },
      { text: 'Two', status: 'failed', retryable: true },
    ]);
    const keys = new Set(server.asked(ROUTE).map(({ headers }) => headers.get('Idempotency-Key')));
    server.requests.length = 0;
    server.on(ROUTE, ({ body }) =>
      json({ message_id: (body as { text: string }).text, seq: server.requests.length }, 202),
    );
    store.dispatch({ type: 'channels.loaded', channels: [GROW] });
    await Promise.all([sender.resume(), sender.resume()]);
    expect(server.asked(ROUTE).map(({ body }) => body)).toEqual([{ text: 'One' }, { text: 'Two' }]);
    const again = server.asked(ROUTE).map(({ headers }) => headers.get('Idempotency-Key'));
    expect(new Set(again)).toEqual(keys);
    expect(items()).toMatchObject([{ message: { text: 'One' } }, { message: { text: 'Two' } }]);
  });

  it('leaves what was refused to its writer', async () => {
    server.on(ROUTE, () => problem(402, 'entitlement_required', 'Your plan has ended.'));
    await sender.send(GROW, 'Hi');
    store.dispatch({ type: 'channels.loaded', channels: [GROW] });
    await sender.resume();
    expect(server.asked(ROUTE)).toHaveLength(1);
  });
});
