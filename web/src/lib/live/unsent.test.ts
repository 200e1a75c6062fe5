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

  it('is nothing where something else was stored', () => {
    for (const other of ['{', '{"a":1}', '[["a"]]', '[1]']) {
      sessionStorage.setItem('growqr.unsent', other);
      expect(new Unsent().get('a')).toBeUndefined();
    }
  });
});
