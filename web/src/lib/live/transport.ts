import { createParser } from 'eventsource-parser';

import { ApiError, problemFrom } from '@/api/problem';

import { parseEvent, type WireEvent } from './events';

export type ConnectionState =
  | { kind: 'connecting' }
  | { kind: 'live' }
  | { kind: 'reconnecting' }
  /** The server said no; trying again would not help. */
  | { kind: 'refused'; error: ApiError };

export interface StreamOptions {
  path: string;
  /** Start behind this position. */
  after: number;
  open: (path: string, init: RequestInit) => Promise<Response>;
  onEvent: (event: WireEvent) => void;
  onState: (state: ConnectionState) => void;
  /** Longest silence before the connection counts as dead; the server pings more often. */
  silenceMs?: number;
  /** Pause before the n-th attempt in a row (n from 1), in milliseconds. */
  backoff?: (attempt: number) => number;
}

const SILENCE_MS = 45_000;
/** So often is a hole in the numbering read again before it is taken as it is. */
const GAP_RETRIES = 3;

/** Doubling from half a second to fifteen, with jitter so that clients spread out. */
export function jitteredBackoff(attempt: number): number {
  const ceiling = Math.min(15_000, 500 * 2 ** (attempt - 1));
  return ceiling / 2 + Math.random() * (ceiling / 2);
}

/**
 * Follows one event stream until `close`, resuming where it broke off.
 *
 * Stored events are handed on in order, each once; a hole makes it connect again from before
 * the hole. Coming online or back to the tab ends a pause early.
 */
export class EventStream {
  private cursor: number;
  private closed = false;
  private gaps = 0;
  private connection = new AbortController();
  private wake: () => void = () => undefined;

  constructor(private readonly options: StreamOptions) {
    this.cursor = options.after;
    window.addEventListener('online', this.hurry);
    window.addEventListener('offline', this.drop);
    document.addEventListener('visibilitychange', this.hurry);
    void this.run();
  }

  close(): void {
    this.closed = true;
    window.removeEventListener('online', this.hurry);
    window.removeEventListener('offline', this.drop);
    document.removeEventListener('visibilitychange', this.hurry);
    this.drop();
    this.wake();
  }

  private readonly hurry = (): void => {
    if (document.visibilityState === 'visible') this.wake();
  };

  private readonly drop = (): void => this.connection.abort();

  private async run(): Promise<void> {
    let attempt = 0;
    this.options.onState({ kind: 'connecting' });
    while (!this.closed) {
      this.connection = new AbortController();
      try {
        await this.follow(() => {
          attempt = 0; // a server that accepts and hangs up at once is not a good connection
        });
      } catch (error) {
        // 401: the session could not be renewed now; if it is over, we are closed from outside.
        if (error instanceof ApiError && !error.retryable && error.status !== 401) {
          if (!this.isClosed()) this.options.onState({ kind: 'refused', error });
          return;
        }
      }
      if (this.isClosed()) return;
      this.options.onState({ kind: 'reconnecting' });
      attempt += 1;
      await this.pause((this.options.backoff ?? jitteredBackoff)(attempt));
    }
  }

  /** One connection, from request to end. */
  private async follow(heard: () => void): Promise<void> {
    const { signal } = this.connection;
    const response = await this.options.open(`${this.options.path}?after=${this.cursor}`, {
      headers: { Accept: 'text/event-stream', 'Last-Event-ID': String(this.cursor) },
      cache: 'no-store',
      signal,
    });
    if (!response.ok) throw await problemFrom(response);
    if (response.body === null) return;
    this.options.onState({ kind: 'live' });
    const parser = createParser({ onEvent: ({ data }) => this.take(data) });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const watchdog = new Watchdog(this.options.silenceMs ?? SILENCE_MS, this.drop);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || signal.aborted) return;
        heard();
        watchdog.feed();
        parser.feed(value);
      }
    } finally {
      watchdog.stop();
      reader.cancel().catch(() => undefined); // already broken: nothing left to cancel
    }
  }

  private take(payload: string): void {
    const event = parseEvent(payload);
    if (event === null || this.connection.signal.aborted) return;
    if (event.seq !== null) {
      if (event.seq <= this.cursor) return;
      if (event.seq > this.cursor + 1 && this.gaps < GAP_RETRIES) {
        this.gaps += 1;
        this.drop();
        return;
      }
      this.gaps = 0;
      this.cursor = event.seq;
    }
    this.options.onEvent(event);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Hides from the compiler that `closed` can't change during an await: it can. */
  private isClosed(): boolean {
    return this.closed;
  }
}

/** Calls `bark` once when it was not fed for `ms`. */
class Watchdog {
  private timer: ReturnType<typeof setTimeout>;

  constructor(
    private readonly ms: number,
    private readonly bark: () => void,
  ) {
    this.timer = setTimeout(bark, ms);
  }

  feed(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.bark, this.ms);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
