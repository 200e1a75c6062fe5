import { describe, expect, it } from 'vitest';

import { FakeServer, json, problem } from '@/testing/fakeServer';
import { grant, memberClient } from '@/testing/session';

import { ApiError } from './problem';

const OLD = '2001-01-01T00:00:00Z';

describe('ApiClient', () => {
  it('sends the token and reads problems', async () => {
    const server = new FakeServer().on('POST /tasks/t/pause', () =>
      problem(409, 'conflict', 'The task is finished.'),
    );
    const error = await memberClient().post('/tasks/t/pause').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 409, code: 'conflict', message: 'The task is finished.' });
    expect(server.requests[0]?.headers.get('Authorization')).toBe('Bearer token-1');
  });

  it('renews an expired token once for many requests', async () => {
    const server = new FakeServer()
      .on('POST /auth/refresh', () => json(grant({ token: 'token-2', refresh_token: 'refresh-2' })))
      .on('GET /tasks', () => json({ items: [] }));
    const client = memberClient({ expires_at: OLD });
    await Promise.all([client.get('/tasks'), client.get('/tasks')]);
    expect(server.asked('POST /auth/refresh').map(({ body }) => body)).toEqual([
      { refresh_token: 'refresh-1' },
    ]);
    expect(server.asked('GET /tasks').map(({ headers }) => headers.get('Authorization'))).toEqual([
      'Bearer token-2',
      'Bearer token-2',
    ]);
    expect(client.session.get()?.refreshToken).toBe('refresh-2');
  });

  it('renews and asks again when the server refuses the token', async () => {
    new FakeServer()
      .on('GET /tasks', ({ init }) =>
        new Headers(init.headers).get('Authorization') === 'Bearer token-2'
          ? json({ items: ['a'] })
          : problem(401, 'unauthenticated', 'Expired.'),
      )
      .on('POST /auth/refresh', () => json(grant({ token: 'token-2' })));
    await expect(memberClient().get('/tasks')).resolves.toEqual({ items: ['a'] });
  });

  it('keeps the session and asks once when only a typed password is refused', async () => {
    const server = new FakeServer().on('POST /auth/password', () =>
      problem(401, 'login_failed', 'The password is wrong.'),
    );
    const client = memberClient();
    await expect(client.post('/auth/password', {})).rejects.toThrow('The password is wrong.');
    expect(server.requests.map(({ path }) => path)).toEqual(['/auth/password']);
    expect(client.session.get()).not.toBeNull();
  });

  it('takes over what another tab has renewed', async () => {
    const server = new FakeServer().on('GET /tasks', () => json({ items: [] }));
    const client = memberClient({ expires_at: OLD });
    memberClient({ token: 'token-9' }); // the other tab writes to the same storage
    await client.get('/tasks');
    expect(server.asked('POST /auth/refresh')).toEqual([]);
    expect(server.requests[0]?.headers.get('Authorization')).toBe('Bearer token-9');
  });

  it('ends the session when it can’t be renewed', async () => {
    new FakeServer()
      .on('GET /tasks', () => problem(401, 'unauthenticated', 'Expired.'))
      .on('POST /auth/refresh', () => problem(401, 'unauthenticated', 'Log in again.'));
    const client = memberClient();
    await expect(client.get('/tasks')).rejects.toMatchObject({ status: 401 });
    expect(client.session.get()).toBeNull();
    expect(localStorage).toHaveLength(0);
  });

  it('keeps the session when the server is only not ready', async () => {
    new FakeServer()
      .on('GET /tasks', () => problem(401, 'unauthenticated', 'Expired.'))
      .on('POST /auth/refresh', () => problem(503, 'unavailable', 'Starting.'));
    const client = memberClient();
    await expect(client.get('/tasks')).rejects.toMatchObject({ status: 401 });
    expect(client.session.get()).not.toBeNull();
  });

  it('says that the network failed when no answer came', async () => {
    new FakeServer().on('GET /tasks', () => Promise.reject(new TypeError('failed')));
    await expect(memberClient().get('/tasks')).rejects.toMatchObject({ status: 0, code: 'network' });
  });
});
