import { describe, expect, it } from 'vitest';

import { delta, event, message, said, task } from '@/testing/fakeServer';

import type { WireEvent } from './events';
import { reduce, type LiveAction } from './reducer';
import { awaitsReply, taskLists, timelineOf } from './selectors';
import { EMPTY, type LiveState } from './state';
import { MAX_LOG_LINES } from './tasks';

const CHANNELS = [
  { id: 'chn_grow', name: 'grow', actor_id: 'act_grow', kind: 'grow', status: 'idle', unread: 0 },
  { id: 'chn_code', name: 'coding', actor_id: 'act_code', kind: 'agent', status: 'idle', unread: 2 },
] as const;

function run(steps: (WireEvent | LiveAction)[], from: LiveState = EMPTY): LiveState {
  return steps.reduce(
    (state, step) => reduce(state, 'channel_id' in step ? { type: 'event', event: step } : step),
    from,
  );
}

function texts(state: LiveState, channelId = 'chn_grow'): string[] {
  return timelineOf(state, channelId).map((item) => {
    if (item.kind === 'message') return item.message.text;
    const { text } = item.kind === 'draft' ? item.draft : item.pending;
    return `(${item.kind}) ${text}`;
  });
}

function sending(clientId: string, text: string): LiveAction {
  const at = '2026-05-01T10:00:00Z';
  return { type: 'send.started', pending: { clientId, channelId: 'chn_grow', text, author: 'Ada', at } };
}

describe('messages', () => {
  const asked = said(1, 'm1', 'user', 'Hi');
  const answered = said(2, 'm2', 'agent', 'Hello', 'm1');
  const talk = [asked, answered];

  it('shows an event that comes twice once', () => {
    expect(texts(run([...talk, ...talk]))).toEqual(['Hi', 'Hello']);
  });

  it('puts events that come out of order in their place', () => {
    expect(texts(run([...talk].reverse()))).toEqual(['Hi', 'Hello']);
  });

  it('comes to the same as fetching when history and events overlap', () => {
    const page = [message(1, 'm1', { text: 'Hi', role: 'user' }), message(2, 'm2', { text: 'Hello' })];
    const loaded: LiveAction = { type: 'history.loaded', channelId: 'chn_grow', messages: page };
    expect(texts(run([...talk, loaded]))).toEqual(['Hi', 'Hello']);
    expect(texts(run([loaded, ...talk]))).toEqual(['Hi', 'Hello']);
  });

  it('sorts a sub-agent’s messages by its own numbers, which pages use as well', () => {
    const live = { ...said(90, 'm9', 'agent', 'later'), channel_id: 'chn_code', source_seq: 9 };
    const page: LiveAction = {
      type: 'history.loaded',
      channelId: 'chn_code',
      messages: [message(8, 'm8', { text: 'earlier' }), message(12, 'm12', { text: 'last' })],
    };
    expect(texts(run([live, page]), 'chn_code')).toEqual(['earlier', 'later', 'last']);
  });

  it('replaces a draft by the finished message', () => {
    const drafted = run([asked, delta('m2', 'Hel'), delta('m2', 'lo')]);
    expect(texts(drafted)).toEqual(['Hi', '(draft) Hello']);
    expect(texts(run([answered, delta('m2', 'late piece')], drafted))).toEqual(['Hi', 'Hello']);
  });

  it('shows no draft with holes after a lost connection', () => {
    const state = run([asked, delta('m2', 'Hel'), { type: 'stream.broken' }, delta('m2', 'o')]);
    expect(texts(state)).toEqual(['Hi', '(draft) ']);
    expect(awaitsReply(timelineOf(state, 'chn_grow'))).toBe(true);
  });

  it('drops the draft of an attempt that was lost when the answer comes under another id', () => {
    const state = run([asked, delta('lost', 'Hal'), answered]);
    expect(texts(state)).toEqual(['Hi', 'Hello']);
  });

  it('waits for a reply until one refers to the message, whatever else is said', () => {
    const notice = said(2, 'm5', 'agent', 'A task is finished');
    const waiting = run([asked, notice]);
    expect(awaitsReply(timelineOf(waiting, 'chn_grow'))).toBe(true);
    const later = run([said(3, 'm6', 'agent', 'Hello', 'm1')], waiting);
    expect(awaitsReply(timelineOf(later, 'chn_grow'))).toBe(false);
  });
});

describe('sending', () => {
  const mine = said(1, 'm1', 'user', 'Hi');
  const accepted: LiveAction = { type: 'send.accepted', clientId: 'c1', messageId: 'm1', seq: 1 };

  it('shows a message once, with one key, whichever of event and answer is first', () => {
    for (const order of [
      [mine, accepted],
      [accepted, mine],
    ]) {
      let state = run([sending('c1', 'Hi')]);
      for (const step of order) {
        state = run([step], state);
        const items = timelineOf(state, 'chn_grow');
        expect(items.map(({ key }) => key)).toEqual(['c1']);
      }
      expect(texts(state)).toEqual(['Hi']);
    }
  });

  it('keeps two equal messages apart', () => {
    const state = run([
      sending('c1', 'Hi'),
      sending('c2', 'Hi'),
      mine,
      said(2, 'm2', 'user', 'Hi'),
      accepted,
      { type: 'send.accepted', clientId: 'c2', messageId: 'm2', seq: 2 },
    ]);
    expect(timelineOf(state, 'chn_grow').map(({ key }) => key)).toEqual(['c1', 'c2']);
  });

  it('does not hide what was confirmed while the next one is on its way', () => {
    const state = run([sending('c1', 'Hi'), sending('c2', 'More'), accepted, mine]);
    expect(texts(state)).toEqual(['Hi', '(pending) More']);
  });

  it('keeps a failed message until it is sent again or discarded', () => {
    const failed = run([sending('c1', 'Hi'), { type: 'send.failed', clientId: 'c1', error: 'No.' }]);
    expect(failed.outbox).toMatchObject([{ status: 'failed', error: 'No.' }]);
    expect(texts(run([sending('c1', 'Hi'), accepted], failed))).toEqual(['Hi']);
    expect(texts(run([{ type: 'send.discarded', clientId: 'c1' }], failed))).toEqual([]);
  });
});

describe('channels', () => {
  const loaded = run([{ type: 'channels.loaded', channels: CHANNELS }]);
  const unread = (state: LiveState) => state.channels.map((channel) => channel.unread);
  const news = { ...said(5, 'm5', 'agent', 'News'), channel_id: 'chn_code' };

  it('counts what agents say in channels that are not open, once', () => {
    expect(unread(run([news, news], loaded))).toEqual([0, 3]);
    const open = run([{ type: 'channel.opened', channelId: 'chn_code' }, news], loaded);
    expect(unread(open)).toEqual([0, 0]);
  });

  it('does not count again what the server’s number holds', () => {
    const counted = CHANNELS.map((channel) => ({ ...channel, last_message_at: news.at }));
    const state = run([{ type: 'channels.loaded', channels: counted }, news]);
    expect(unread(state)).toEqual([0, 2]);
  });

  it('follows an agent’s status', () => {
    const working = event(3, 'agent.status', { channel_id: 'chn_code', data: { status: 'working' } });
    expect(run([working], loaded).channels[1]?.status).toBe('working');
  });
});

describe('tasks', () => {
  const changed = (type: string, fields: object) =>
    event(1, type, { task_id: 'tsk_1', data: { ...task(), ...fields } });

  it('takes the task that an event carries, unless it is older', () => {
    const state = run([
      changed('task.completed', { status: 'completed', updated_at: '2026-05-01T10:00:09Z' }),
      changed('task.progress', { progress: 0.9, updated_at: '2026-05-01T10:00:05Z' }),
      { type: 'tasks.loaded', tasks: [task()] },
    ]);
    expect(state.tasks.tsk_1?.status).toBe('completed');
    expect(taskLists(state.tasks)).toMatchObject({ active: [], finished: [{ id: 'tsk_1' }] });
  });

  it('knows the status from the type when the event does not name it', () => {
    const waiting = event(2, 'task.waiting', {
      task_id: 'tsk_1',
      at: '2026-05-01T10:01:00Z',
      data: { reason: 'Which colour?' },
    });
    const state = run([{ type: 'tasks.loaded', tasks: [task()] }, waiting]);
    expect(state.tasks.tsk_1).toMatchObject({ status: 'waiting', reason: 'Which colour?' });
  });

  const line = (seq: number, source: number | null, text: string) =>
    event(seq, 'task.log', {
      actor_id: 'act_code',
      channel_id: 'chn_code',
      source_seq: source,
      data: { stream: 'output', text },
    });

  it('keeps one copy of a log line that comes live and with the agent’s own log', () => {
    const state = run([
      line(40, 4, 'four'),
      {
        type: 'log.loaded',
        channelId: 'chn_code',
        lines: [3, 4].map((seq) => ({
          id: `act_code:${seq}`,
          seq,
          taskId: null,
          stream: 'output',
          text: seq === 3 ? 'three' : 'four',
        })),
      },
    ]);
    expect(state.logs.chn_code?.map(({ text }) => text)).toEqual(['three', 'four']);
  });

  it('drops the oldest lines past its limit', () => {
    const many = Array.from({ length: MAX_LOG_LINES + 5 }, (_, index) => line(index + 1, null, `${index}`));
    const lines = run(many).logs.chn_code ?? [];
    expect(lines).toHaveLength(MAX_LOG_LINES);
    expect(lines[0]?.text).toBe('5');
  });
});

it('ignores events of types it does not know', () => {
  expect(run([event(1, 'something.new')])).toBe(EMPTY);
});
