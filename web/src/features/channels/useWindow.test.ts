import { act, renderHook } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import type { TimelineItem } from '@/lib/live/selectors';
import { message } from '@/testing/fakeServer';

import type { Opened } from './useOpened';
import { useWindow } from './useWindow';

const NOTHING: Opened = { unread: { unread: 0, last_message_at: null }, question: undefined };

/** Messages with the numbers from `first` to `last`. */
const between = (first: number, last: number): TimelineItem[] =>
  Array.from({ length: last - first + 1 }, (_, index) => {
    const id = `m${first + index}`;
    return { kind: 'message', key: id, message: message(first + index, id) };
  });

function open(items: readonly TimelineItem[], opened = NOTHING) {
  const { result, rerender } = renderHook(({ items: all }) => useWindow(all, opened), {
    initialProps: { items },
  });
  return {
    /** The first and the last that is drawn. */
    ends: () => [result.current.drawn[0]?.key, result.current.drawn.at(-1)?.key],
    press: (button: 'earlier' | 'later' | 'newest') => act(() => result.current[button]()),
    come: (more: readonly TimelineItem[]) => rerender({ items: more }),
    at: () => result.current,
  };
}

describe('the part of a channel that is drawn', () => {
  it('is the newest, also of what comes', () => {
    const { ends, come } = open(between(1, 500));
    expect(ends()).toEqual(['m401', 'm500']);
    come(between(1, 510));
    expect(ends()).toEqual(['m411', 'm510']);
  });

  it('stays small, however often more is asked for', () => {
    const { ends, press, at } = open(between(1, 5000));
    for (let pressed = 0; pressed < 98; pressed += 1) press('earlier');
    expect(ends()).toEqual(['m1', 'm200']);
    expect(at().before).toBe(0);
    for (let pressed = 0; at().behind > 0; pressed += 1) {
      expect(pressed).toBeLessThan(97);
      press('later');
    }
    expect(ends()).toEqual(['m4801', 'm5000']);
  });

  it('leaves no item out on the way back', () => {
    const { ends, press } = open(between(1, 1000));
    for (let pressed = 0; pressed < 6; pressed += 1) press('earlier');
    expect(ends()).toEqual(['m601', 'm800']);
    press('later');
    expect(ends()).toEqual(['m651', 'm850']);
    press('newest');
    expect(ends()).toEqual(['m901', 'm1000']);
  });

  it('waits for earlier items that are still being loaded', () => {
    const { ends, press, come } = open(between(4001, 4100));
    press('earlier');
    expect(ends()).toEqual(['m4001', 'm4100']);
    come(between(3951, 4100));
    expect(ends()).toEqual(['m3951', 'm4100']);
  });

  it('stands still for those who read further up while new ones come', () => {
    const { ends, press, come, at } = open(between(1, 1000));
    for (let pressed = 0; pressed < 4; pressed += 1) press('earlier');
    expect(ends()).toEqual(['m701', 'm900']);
    come(between(1, 1007));
    expect(ends()).toEqual(['m701', 'm900']);
    expect(at().behind).toBe(107);
  });

  it('begins above the first unread one, and reaches the end where that is near', () => {
    const unread = (count: number): Opened => ({
      unread: { unread: count, last_message_at: null },
      question: undefined,
    });
    expect(open(between(1, 500), unread(3)).ends()).toEqual(['m401', 'm500']);
    expect(open(between(1, 500), unread(150)).ends()).toEqual(['m331', 'm500']);
    expect(open(between(1, 900), unread(600)).ends()).toEqual(['m281', 'm480']);
  });

  it('begins at the question that waits', () => {
    const { ends } = open(between(1, 900), { ...NOTHING, question: 'm100' });
    expect(ends()).toEqual(['m80', 'm279']);
    const few = open(between(1, 2), { ...NOTHING, question: 'm1' });
    few.come(between(1, 3)); // its answer
    expect(few.ends()).toEqual(['m1', 'm3']);
  });

  it('ends with the newest when the item is gone that it ended with', () => {
    const all = between(1, 1000);
    const { ends, press, come } = open(all);
    for (let pressed = 0; pressed < 4; pressed += 1) press('earlier');
    come(all.filter(({ key }) => key !== 'm900'));
    expect(ends()[1]).toBe('m1000');
  });
});
