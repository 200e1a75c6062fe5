import { beforeEach, describe, expect, it } from 'vitest';

import { Unsent } from './unsent';

describe('what was written but not sent', () => {
  beforeEach(() => sessionStorage.clear());

  it('is there after a reload, until it is sent or the login ends', () => {
    const unsent = new Unsent();
    unsent.set('chn_a', 'Half a thou');
    unsent.set('chn_b', 'Sent soon');
    unsent.set('chn_b', '');
    expect(new Unsent().get('chn_a')).toBe('Half a thou');
    expect(new Unsent().get('chn_b')).toBeUndefined();
    unsent.clear();
    expect(unsent.get('chn_a')).toBeUndefined();
    expect(new Unsent().get('chn_a')).toBeUndefined();
  });

  it('has the messages without an answer, too', () => {
    const waiting = {
      clientId: 'web_1',
      channelId: 'chn_a',
      text: 'Hi',
      author: 'Ada',
      at: '2026-05-01T10:00:00Z',
      afterSeq: 4,
      status: 'sending',
    } as const;
    const unsent = new Unsent();
    unsent.keep([waiting]);
    expect(new Unsent().outbox()).toEqual([waiting]);
    unsent.clear();
    expect(new Unsent().outbox()).toEqual([]);
  });

  it('is nothing where something else was stored', () => {
    for (const other of ['{', '{"a":1}', '[["a"]]', '[1]', '[null]', '[{"clientId":"web_1"}]']) {
      sessionStorage.setItem('growqr.unsent', other);
      sessionStorage.setItem('growqr.outbox', other);
      expect(new Unsent().get('a')).toBeUndefined();
      expect(new Unsent().outbox()).toEqual([]);
    }
  });
});
