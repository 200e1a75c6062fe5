import { ApiClient } from '@/api/client';
import { SessionStore } from '@/api/session';
import type { SessionGrant } from '@/api/types';

export function grant(more: Partial<SessionGrant> = {}): SessionGrant {
  return {
    user: { id: 'usr_1', name: 'Ada', email: 'ada@example.com' },
    token: 'token-1',
    refresh_token: 'refresh-1',
    expires_at: '2999-01-01T00:00:00Z',
    ...more,
  };
}

/** A client whose user is logged in. */
export function memberClient(more: Partial<SessionGrant> = {}): ApiClient {
  const session = new SessionStore();
  session.set(grant(more));
  return new ApiClient(session);
}
