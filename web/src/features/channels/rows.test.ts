import { describe, expect, it } from 'vitest';

import type { TimelineItem } from '@/lib/live/selectors';
import { message } from '@/testing/fakeServer';

import { rowsOf } from './rows';

const NOTHING_NEW = { unread: 0, last_message_at: null };

/** Local time, so that days are the reader's. */
const at = (day: number, hour: number, minute = 0): string =>
  new Date(2026, 4, day, hour, minute).toISOString();

function said(seq: number, when: string, more = {}): TimelineItem {
  const id = `m${seq}`;
  return { kind: 'message', key: id, message: message(seq, id, { at: when, ...more }) };
}

/** In short: `day`, `new`, `m1` with a heading, `+m2` without. */
function short(items: TimelineItem[], unread = NOTHING_NEW as Parameters<typeof rowsOf>[2]) {
  return rowsOf(items, 'grow', unread).map((row) => {
    if (row.kind !== 'item') return row.kind;
    return row.continued ? `+${row.key}` : row.key;
  });
}

describe('grouping', () => {
  it('joins what one author says within minutes', () => {
    const items = [said(1, at(1, 10)), said(2, at(1, 10, 4)), said(3, at(1, 10, 9))];
    expect(short(items)).toEqual(['day', 'm1', '+m2', 'm3']);
  });

  it('parts authors, and a person from an agent of the same name', () => {
    const user = { role: 'user' } as const;
    const items = [said(1, at(1, 10)), said(2, at(1, 10), user), said(3, at(1, 10), { author: 'x' })];
    expect(short(items)).toEqual(['day', 'm1', 'm2', 'm3']);
  });

  it('treats a reply like the message it becomes, and leaves out one without text', () => {
    const draft = (text: string): TimelineItem => ({
      kind: 'draft',
      key: 'd',
      draft: { id: 'd', channelId: 'c', text, at: at(1, 10, 1), torn: false },
    });
    expect(short([said(1, at(1, 10)), draft('He')])).toEqual(['day', 'm1', '+d']);
    expect(short([said(1, at(1, 10)), draft('')])).toEqual(['day', 'm1']);
  });
});

describe('days', () => {
  it('begin with a line, and part what is minutes from each other', () => {
    const items = [said(1, at(1, 23, 58)), said(2, at(2, 0, 1)), said(3, at(2, 0, 2))];
    expect(short(items)).toEqual(['day', 'm1', 'day', 'm2', '+m3']);
  });
});

describe('what is new', () => {
  const items = [
    said(1, at(1, 10)),
    said(2, at(1, 10, 1)),
    said(3, at(1, 10, 2), { role: 'user', author: 'Ada' }),
    said(4, at(1, 10, 3)),
    said(5, at(1, 10, 4)),
  ];

  it('begins at the first unread message, not counting my own', () => {
    expect(short(items, { unread: 2, last_message_at: at(1, 10, 4) })).toEqual(
      ['day', 'm1', '+m2', 'm3', 'new', 'm4', '+m5'],
    );
    expect(short(items, { unread: 3, last_message_at: null })).toEqual(
      ['day', 'm1', 'new', 'm2', 'm3', 'm4', '+m5'],
    );
  });

  it('does not move when more comes while one reads', () => {
    expect(short(items, { unread: 1, last_message_at: at(1, 10, 3) })).toContain('new');
    expect(short(items, { unread: 1, last_message_at: at(1, 10, 3) }).indexOf('new')).toBe(4);
  });

  it('begins at the oldest loaded one when more are unread, and nowhere when none is', () => {
    expect(short(items, { unread: 9, last_message_at: null }).slice(0, 3)).toEqual(['day', 'new', 'm1']);
    expect(short([], { unread: 2, last_message_at: null })).toEqual([]);
    expect(short(items)).not.toContain('new');
  });
});
