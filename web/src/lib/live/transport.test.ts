import { afterEach, beforeEach, describe, expect, it, vi, type Mock } from 'vitest';

import { delta, event, FakeServer, problem, said, type FakeStream } from '@/testing/fakeServer';

import type { WireEvent } from './events';
import { EventStream, jitteredBackoff, type ConnectionState } from './transport';

const PATH = '/actors/act_grow/events';

let server: FakeServer;
let stream: EventStream | undefined;
let events: WireEvent[];
let states: ConnectionState['kind'][];
let backoff: Mock<(attempt: number) => number>;

beforeEach(() => {
  server = new FakeServer().onStream(PATH);
  events = [];
  states = [];
  backoff = vi.fn(() => 0);
});

afterEach(() => stream?.close());

function follow(after = 0, silenceMs = 10_000): void {
  stream = new EventStream({
    path: PATH,
    after,
    open: (path, init) => fetch(path, init),
    onEvent: (got) => events.push(got),
    onState: ({ kind }) => states.push(kind),
    backoff,
    silenceMs,
  });
}

async function connection(number: number): Promise<FakeStream> {
  return vi.waitFor(() => {
    const open = server.streams[number - 1];
    if (open === undefined) throw new Error(`no connection ${number} yet`);
    return open;
  });
}

const seqs = () => events.map(({ seq }) => seq);

describe('EventStream', () => {
  it('hands on events in order and goes on where a connection broke off', async () => {
    follow(4);
    const first = await connection(1);
    expect(first.after).toBe(4);
    first.send(event(5, 'a'), delta('m', 'x'), event(6, 'b'));
    await vi.waitFor(() => expect(seqs()).toEqual([5, null, 6]));
    first.end();

    const second = await connection(2);
    expect(second.after).toBe(6);
    expect(server.requests[1]?.headers.get('Last-Event-ID')).toBe('6');
    second.send(event(6, 'b'), event(7, 'c'));
    await vi.waitFor(() => expect(seqs()).toEqual([5, null, 6, 7]));
    expect(states).toEqual(['connecting', 'live', 'reconnecting', 'live']);
  });

  it('reads again from before a hole in the numbers', async () => {
    follow();
    (await connection(1)).send(event(1, 'a'), event(3, 'c'));
    const second = await connection(2);
    expect(second.after).toBe(1);
    expect(seqs()).toEqual([1]);
    second.send(event(2, 'b'), event(3, 'c'));
    await vi.waitFor(() => expect(seqs()).toEqual([1, 2, 3]));
  });

  it('takes a hole that does not close as it is', async () => {
    follow();
    for (const number of [1, 2, 3, 4]) (await connection(number)).send(event(9, 'far'));
    await vi.waitFor(() => expect(seqs()).toEqual([9]));
    expect(server.streams).toHaveLength(4);
  });

  it('puts together events that arrive in pieces and skips what it can’t read', async () => {
    follow();
    const open = await connection(1);
    const text = `: ping\n\ndata: no json\n\ndata: ${JSON.stringify(said(1, 'm', 'agent', 'Grüße'))}\n\n`;
    open.raw(text.slice(0, 60));
    open.raw(text.slice(60));
    await vi.waitFor(() => expect(seqs()).toEqual([1]));
    expect(events[0]?.data.text).toBe('Grüße');
  });

  it('connects again when nothing, not even a heartbeat, is heard', async () => {
    follow(0, 20);
    await connection(1);
    await connection(2);
    expect(states).toContain('reconnecting');
  });

  it('waits longer after each failure and tells that it is reconnecting', async () => {
    let up = false;
    server.on(`GET ${PATH}`, () => (up ? new Response(': hi\n\n') : problem(503, 'unavailable', 'No.')));
    follow();
    await vi.waitFor(() => expect(backoff).toHaveBeenCalledWith(3));
    expect(backoff.mock.calls.slice(0, 3)).toEqual([[1], [2], [3]]);
    up = true;
    await vi.waitFor(() => expect(states).toContain('live'));
    await vi.waitFor(() => expect(backoff.mock.lastCall).toEqual([1]));
  });

  it('goes on trying while the session can’t be renewed', async () => {
    server.on(`GET ${PATH}`, () => problem(401, 'unauthenticated', 'Expired.'));
    follow();
    await vi.waitFor(() => expect(backoff).toHaveBeenCalledWith(2));
    expect(states).not.toContain('refused');
  });

  it('stops when the server refuses for good', async () => {
    server.on(`GET ${PATH}`, () => problem(404, 'not_found', 'Not here.'));
    follow();
    await vi.waitFor(() => expect(states).toEqual(['connecting', 'refused']));
    expect(server.requests).toHaveLength(1);
  });

  it('drops the connection when the browser goes offline and returns at once when online', async () => {
    backoff.mockReturnValue(1_000_000);
    follow();
    await connection(1);
    window.dispatchEvent(new Event('offline'));
    await vi.waitFor(() => expect(states.at(-1)).toBe('reconnecting'));
    window.dispatchEvent(new Event('online'));
    await connection(2);
    await vi.waitFor(() => expect(states.at(-1)).toBe('live'));
  });

  it('hears nothing more after it is closed', async () => {
    follow();
    const open = await connection(1);
    stream?.close();
    expect(() => open.send(event(1, 'a'))).toThrow();
    expect(events).toEqual([]);
    expect(server.streams).toHaveLength(1);
  });
});

it('spreads clients out and never waits longer than 15 seconds', () => {
  const waits = [1, 2, 3, 10, 50].map((attempt) => jitteredBackoff(attempt));
  expect(waits[0]).toBeGreaterThanOrEqual(250);
  expect(waits[0]).toBeLessThanOrEqual(500);
  for (const wait of waits) expect(wait).toBeLessThanOrEqual(15_000);
});
