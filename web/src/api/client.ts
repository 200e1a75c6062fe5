import type { Session, SessionStore } from './session';

import { ApiError, problemFrom } from './problem';
import type { SessionGrant } from './types';

/** A token this close to its end is renewed before it is used. */
const RENEW_BEFORE_MS = 30_000;

interface RequestOptions {
  signal?: AbortSignal;
  /** Makes a repeated write happen once. */
  idempotencyKey?: string;
}

type Query = Record<string, string | number | boolean | null | undefined>;

/**
 * Requests to our own server, with the session's token, renewed when it ends.
 *
 * Everything throws `ApiError`. When the session can't be renewed it is cleared, which brings
 * the person to the login page.
 */
export class ApiClient {
  private renewal: Promise<Session | null> | null = null;
  private elsewhere: (() => Promise<SessionGrant | null>) | null = null;

  constructor(readonly session: SessionStore) {}

  get<T>(path: string, query: Query = {}, options: RequestOptions = {}): Promise<T> {
    return this.json<T>('GET', withQuery(path, query), undefined, options);
  }

  post<T>(path: string, body?: unknown, options: RequestOptions = {}): Promise<T> {
    return this.json<T>('POST', path, body, options);
  }

  /** Renews the session with somebody else's tokens; null: with our own refresh tokens. */
  renewWith(source: (() => Promise<SessionGrant | null>) | null): void {
    this.elsewhere = source;
  }

  /** Reads with a given token, whoever is logged in. */
  async as<T>(token: string, path: string): Promise<T> {
    const response = await send(path, { headers: { Accept: 'application/json' } }, token);
    if (!response.ok) throw await problemFrom(response);
    return (await response.json()) as T;
  }

  /** Sends with a token that works, renewing it once when the server refuses it. */
  async fetch(path: string, init: RequestInit): Promise<Response> {
    const token = await this.token();
    const response = await send(path, init, token);
    if (response.status !== 401 || token === null || (await refusesPassword(response))) {
      return response;
    }
    const renewed = await this.renew(token);
    return renewed === null ? response : send(path, init, renewed.token);
  }

  private async json<T>(
    method: string,
    path: string,
    body: unknown,
    { signal, idempotencyKey }: RequestOptions,
  ): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (idempotencyKey !== undefined) headers['Idempotency-Key'] = idempotencyKey;
    const response = await this.fetch(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (!response.ok) throw await problemFrom(response);
    if (response.status === 204) return undefined as T;
    return (await response.json()) as T;
  }

  private async token(): Promise<string | null> {
    const session = this.session.get();
    if (session === null) return null;
    if (session.expiresAt - Date.now() > RENEW_BEFORE_MS) return session.token;
    return (await this.renew(session.token))?.token ?? session.token;
  }

  /** One renewal at a time, also among tabs: a refresh token works only once. */
  private renew(stale: string): Promise<Session | null> {
    this.renewal ??= withLock('growqr.renew', () => this.exchange(stale)).finally(() => {
      this.renewal = null;
    });
    return this.renewal;
  }

  private async exchange(stale: string): Promise<Session | null> {
    const session = this.session.reload();
    if (session === null || session.token !== stale) return session;
    if (this.elsewhere !== null) {
      const grant = await this.elsewhere();
      if (grant !== null) this.session.set(grant);
      return grant === null ? null : this.session.get();
    }
    const response = await send(
      '/auth/refresh',
      {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ refresh_token: session.refreshToken }),
      },
      null,
    );
    if (response.ok) {
      this.session.set((await response.json()) as SessionGrant);
      return this.session.get();
    }
    // Anything but a refusal (a restart, a full server) says nothing about the session.
    if (response.status >= 400 && response.status < 500 && response.status !== 429) {
      this.session.clear();
    }
    return null;
  }
}

async function send(path: string, init: RequestInit, token: string | null): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set('Authorization', `Bearer ${token}`);
  try {
    return await fetch(path, { ...init, headers, credentials: 'same-origin' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'network', 'The server can’t be reached. Check the connection.', {
      cause: error,
    });
  }
}

/** A typed password was wrong: the token is good, and asking again would count as another try. */
async function refusesPassword(response: Response): Promise<boolean> {
  return (await problemFrom(response.clone())).code === 'login_failed';
}

function withQuery(path: string, query: Query): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) params.set(key, String(value));
  }
  const text = params.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Web Locks exist only on secure origins; without them one tab is assumed. */
async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = (navigator as Partial<Navigator>).locks;
  return locks === undefined ? work() : locks.request(name, work);
}
