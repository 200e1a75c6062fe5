import type { SessionGrant, User } from './types';

/** Who is logged in here, with what they prove it. */
export interface Session {
  user: User;
  token: string;
  /** Empty where somebody else keeps the accounts. */
  refreshToken: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

const KEY = 'growqr.session';

type Listener = () => void;

/**
 * The session of this browser, kept in local storage so that tabs share it.
 *
 * `get` returns the same object until the session changes, as `useSyncExternalStore` wants.
 */
export class SessionStore {
  /** Somebody has logged in since the page was opened; else the session was found here. */
  startedHere = false;
  private current: Session | null;
  private readonly listeners = new Set<Listener>();

  constructor(private readonly storage: Storage = window.localStorage) {
    this.current = this.read();
    window.addEventListener('storage', (event) => {
      if (event.key === KEY || event.key === null) this.reload();
    });
  }

  readonly get = (): Session | null => this.current;

  readonly subscribe = (listener: Listener): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(grant: SessionGrant): void {
    const session: Session = {
      user: grant.user,
      token: grant.token,
      refreshToken: grant.refresh_token,
      expiresAt: Date.parse(grant.expires_at),
    };
    this.startedHere ||= this.current === null;
    this.storage.setItem(KEY, JSON.stringify(session));
    this.change(session);
  }

  clear(): void {
    this.storage.removeItem(KEY);
    this.change(null);
  }

  /** Takes over what another tab may have stored since. */
  reload(): Session | null {
    const stored = this.read();
    if (stored?.token !== this.current?.token) this.change(stored);
    return this.current;
  }

  private change(session: Session | null): void {
    this.current = session;
    for (const listener of this.listeners) listener();
  }

  private read(): Session | null {
    try {
      const value: unknown = JSON.parse(this.storage.getItem(KEY) ?? 'null');
      return isSession(value) ? value : null;
    } catch {
      return null;
    }
  }
}

function isSession(value: unknown): value is Session {
  if (typeof value !== 'object' || value === null) return false;
  const session = value as Partial<Session>;
  return (
    typeof session.token === 'string' &&
    typeof session.refreshToken === 'string' &&
    typeof session.expiresAt === 'number' &&
    typeof session.user?.id === 'string'
  );
}
