import { vi } from 'vitest';

import type { ChannelMessage, Task, WireQuestion } from '@/api/types';
import type { WireEvent } from '@/lib/live/events';

type Answer = Response | Promise<Response>;
type Handler = (request: { url: URL; init: RequestInit; body: unknown }) => Answer;

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json' },
  });
}

export function problem(status: number, code: string, detail: string): Response {
  return json({ type: 'about:blank', title: 'Problem', status, code, detail }, status);
}

/** One open event stream, driven by the test. */
export class FakeStream {
  readonly after: number;
  private controller!: ReadableStreamDefaultController<Uint8Array>;
  private ended = false;
  readonly response: Response;

  constructor(url: URL, signal: AbortSignal | null | undefined) {
    this.after = Number(url.searchParams.get('after'));
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.controller = controller;
      },
    });
    signal?.addEventListener('abort', () => this.fail());
    this.response = new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  }

  send(...events: WireEvent[]): void {
    this.raw(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));
  }

  raw(text: string): void {
    this.controller.enqueue(new TextEncoder().encode(text));
  }

  end(): void {
    if (!this.ended) this.controller.close();
    this.ended = true;
  }

  fail(): void {
    if (!this.ended) this.controller.error(new DOMException('gone', 'AbortError'));
    this.ended = true;
  }
}

/** Stands in for the network: answers by `METHOD /path`, and keeps what was asked. */
export class FakeServer {
  readonly requests: { method: string; path: string; headers: Headers; body: unknown }[] = [];
  readonly streams: FakeStream[] = [];
  private readonly handlers = new Map<string, Handler>();

  constructor() {
    vi.stubGlobal('fetch', (input: string, init: RequestInit = {}) => this.handle(input, init));
  }

  on(route: string, handler: Handler): this {
    this.handlers.set(route, handler);
    return this;
  }

  /** Lets `path` be an event stream; each connection is in `streams`. */
  onStream(path: string): this {
    return this.on(`GET ${path}`, ({ url, init }) => {
      const stream = new FakeStream(url, init.signal);
      this.streams.push(stream);
      return stream.response;
    });
  }

  asked(route: string): { headers: Headers; body: unknown }[] {
    return this.requests.filter(({ method, path }) => `${method} ${path}` === route);
  }

  private async handle(input: string, init: RequestInit): Promise<Response> {
    const url = new URL(input, 'http://test');
    const method = init.method ?? 'GET';
    const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : undefined;
    this.requests.push({ method, path: url.pathname, headers: new Headers(init.headers), body });
    const handler = this.handlers.get(`${method} ${url.pathname}`);
    if (handler === undefined) return problem(404, 'not_found', `no ${method} ${url.pathname}`);
    return handler({ url, init, body });
  }
}

export function event(seq: number | null, type: string, more: Partial<WireEvent> = {}): WireEvent {
  return {
    seq,
    type,
    at: '2026-05-01T10:00:00Z',
    actor_id: 'act_grow',
    channel_id: 'chn_grow',
    task_id: null,
    data: {},
    ...more,
  };
}

export function said(
  seq: number,
  id: string,
  role: 'user' | 'agent',
  text: string,
  inReplyTo: string | null = null,
): WireEvent {
  return event(seq, role === 'user' ? 'message.created' : 'message.completed', {
    data: {
      message_id: id,
      role,
      author: role === 'user' ? 'Ada' : 'grow',
      text,
      in_reply_to: inReplyTo,
      metadata: {},
    },
  });
}

export function delta(id: string, text: string): WireEvent {
  return event(null, 'message.delta', { data: { message_id: id, text } });
}

export function message(
  seq: number,
  id: string,
  more: Partial<ChannelMessage> = {},
): ChannelMessage {
  return {
    id,
    seq,
    role: 'agent',
    author: 'grow',
    text: id,
    in_reply_to: null,
    at: '2026-05-01T10:00:00Z',
    metadata: {},
    ...more,
  };
}

export function task(more: Partial<Task> = {}): Task {
  return {
    id: 'tsk_1',
    actor_id: 'act_coding',
    agent: 'coding',
    title: 'Build it',
    prompt: 'Build it',
    status: 'running',
    progress: 0.5,
    requested_by: 'act_grow',
    created_at: '2026-05-01T10:00:00Z',
    updated_at: '2026-05-01T10:00:00Z',
    ...more,
  };
}

/** A question of `task()`, in the fields of a message or a task. */
export function question(more: Partial<WireQuestion> = {}): { question: WireQuestion } {
  const asked: WireQuestion = { id: 'msg_q', task_id: 'tsk_1', kind: 'permission', options: [] };
  return { question: { ...asked, ...more } };
}
