import { describe, expect, it, vi } from 'vitest';

import { dayOf, endOf } from './days';

describe.each([
  ['Pacific/Auckland', '2026-01-31T10:59:59.999Z', '2026-02-01'],
  ['America/Los_Angeles', '2026-02-01T07:59:59.999Z', '2026-01-31'],
  ['UTC', '2026-01-31T23:59:59.999Z', '2026-01-31'],
])('a day in %s', (zone, end, dayAtNoon) => {
  it('ends when it ends there', () => {
    vi.stubEnv('TZ', zone);
    expect(endOf('2026-01-31')).toBe(end);
    expect(dayOf(new Date(end))).toBe('2026-01-31');
    expect(dayOf(new Date('2026-01-31T12:00:00Z'))).toBe(dayAtNoon);
    vi.unstubAllEnvs();
  });
});
