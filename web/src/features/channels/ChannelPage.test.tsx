import { screen, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import type { Channel } from '@/api/types';
import { json, message, problem } from '@/testing/fakeServer';
import { platform, renderApp } from '@/testing/renderApp';

/** Called whenever the list of messages is drawn: it makes its rows anew, or at least its lines. */
const drawings = vi.hoisted(() => vi.fn());
vi.mock(import('./Lines'), async (original) => {
  const lines = await original();
  return {
    ...lines,
    DayLine: (props: { at: string }) => {
      drawings();
      return <lines.DayLine {...props} />;
    },
  };
});

const said = (seq: number) => message(seq, `msg_${seq}`, { author: 'coding', text: `m${seq}` });
const channel = (more: Partial<Channel>): Channel => ({
  id: 'chn_coding',
  name: 'coding',
  actor_id: 'act_coding',
  kind: 'agent',
  status: 'idle',
  unread: 0,
  last_message_at: null,
  ...more,
});

describe('a channel', () => {
  it('marks where the unread messages begin, until it is opened again', async () => {
    const items = [1, 2, 3].map(said);
    platform().on('GET /channels/chn_coding/messages', () => json({ items, next_cursor: null }));
    const { user } = renderApp('/app/channels/grow');
    const channels = within(await screen.findByRole('navigation', { name: 'Channels' }));
    await user.click(channels.getByRole('link', { name: /coding/ }));

    const line = await screen.findByRole('separator', { name: 'New messages' });
    const before = Node.DOCUMENT_POSITION_PRECEDING;
    const isAfter = (text: string) => line.compareDocumentPosition(screen.getByText(text)) & before;
    expect(isAfter('m1')).toBe(before);
    expect(isAfter('m2')).toBe(0);

    await user.click(channels.getByRole('link', { name: /grow/ }));
    await user.click(channels.getByRole('link', { name: /coding/ }));
    expect(await screen.findByText('m3')).toBeVisible();
    expect(screen.queryByRole('separator', { name: 'New messages' })).not.toBeInTheDocument();
  });

  it('opens at the first unread message, also where it is some pages back', async () => {
    const scrolledTo = vi.spyOn(Element.prototype, 'scrollIntoView');
    const pages: Record<string, unknown> = {
      '': { items: [said(4), said(5)], next_cursor: 'older' },
      older: { items: [said(2), said(3)], next_cursor: 'oldest' },
      oldest: { items: [said(1)], next_cursor: null },
    };
    const server = platform()
      .on('GET /channels', () => json({ items: [channel({ unread: 3 })], next_cursor: null }))
      .on('GET /channels/chn_coding/messages', ({ url }) =>
        json(pages[url.searchParams.get('cursor') ?? '']),
      );
    renderApp('/app/channels/coding');
    expect(await screen.findByText('m3')).toBeVisible();
    const line = screen.getByRole('separator', { name: 'New messages' });
    expect(scrolledTo.mock.contexts).toEqual([line]);
    expect(scrolledTo).toHaveBeenCalledWith({ block: 'start' });
    expect(server.asked('GET /channels/chn_coding/messages')).toHaveLength(2);
    expect(screen.getByRole('button', { name: 'Show earlier messages' })).toBeEnabled();
  });

  it('opens at its end when nothing is new, and shows earlier messages on demand', async () => {
    const scrolledTo = vi.spyOn(Element.prototype, 'scrollIntoView');
    let away = true;
    platform().on('GET /channels/chn_coding/messages', ({ url }) => {
      if (!url.searchParams.has('cursor')) return json({ items: [said(2)], next_cursor: 'older' });
      return away
        ? problem(400, 'bad_cursor', 'Not now.')
        : json({ items: [said(1)], next_cursor: null });
    }).on('GET /channels', () => json({ items: [channel({ unread: 0 })], next_cursor: null }));
    const { user } = renderApp('/app/channels/coding');
    const button = await screen.findByRole('button', { name: 'Show earlier messages' });
    const log = screen.getByRole('log', { name: 'Messages' });
    await user.click(button);
    expect(await screen.findByRole('alert')).toHaveTextContent('Not now.');
    away = false;
    await user.click(button);
    expect(await screen.findByText('m1')).toBeVisible();
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
    expect(log).toContainElement(screen.getByText('m2')); // never left the screen, so nor its place
    expect(scrolledTo).not.toHaveBeenCalled();
  });

  it('draws the newest of many messages, and earlier ones on demand', async () => {
    const items = Array.from({ length: 130 }, (_, index) => said(index + 1));
    const server = platform()
      .on('GET /channels', () => json({ items: [channel({ unread: 0 })], next_cursor: null }))
      .on('GET /channels/chn_coding/messages', () => json({ items, next_cursor: null }));
    const { user } = renderApp('/app/channels/coding');
    expect(await screen.findByText('m130')).toBeVisible();
    expect(screen.getByText('m31')).toBeVisible();
    expect(screen.queryByText('m30')).not.toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Show earlier messages' }));
    expect(screen.getByText('m1')).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Show earlier messages' })).not.toBeInTheDocument();
    expect(server.asked('GET /channels/chn_coding/messages')).toHaveLength(1);
  });

  it('drops what is far away while earlier messages are shown, and leads back', async () => {
    const items = Array.from({ length: 260 }, (_, index) => said(index + 1));
    platform()
      .on('GET /channels', () => json({ items: [channel({ unread: 0 })], next_cursor: null }))
      .on('GET /channels/chn_coding/messages', () => json({ items, next_cursor: null }));
    const { user } = renderApp('/app/channels/coding');
    const log = await screen.findByRole('log', { name: 'Messages' });
    const more = (name: string) => screen.getByRole('button', { name });
    expect(log).toHaveAttribute('aria-live', 'polite');
    for (let pressed = 0; pressed < 3; pressed += 1) {
      await user.click(more('Show earlier messages'));
    }
    expect(screen.getByText('m11')).toBeVisible();
    expect(screen.queryByText('m260')).not.toBeInTheDocument();
    expect(log).toHaveAttribute('aria-live', 'off');
    await user.click(more('Show later messages'));
    expect(screen.getByText('m260')).toBeVisible();
    expect(screen.queryByText('m11')).not.toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Show later messages' })).not.toBeInTheDocument();
    expect(log.parentElement?.parentElement).toHaveFocus(); // its button is gone

    await user.click(more('Show earlier messages'));
    await user.click(more('Jump to latest'));
    expect(screen.getByText('m260')).toBeVisible();
    expect(screen.getByText('m161')).toBeVisible();
    expect(screen.queryByText('m160')).not.toBeInTheDocument();
  });

  it('draws everything from the first unread message on', async () => {
    const items = Array.from({ length: 130 }, (_, index) => said(index + 1));
    platform()
      .on('GET /channels', () => json({ items: [channel({ unread: 105 })], next_cursor: null }))
      .on('GET /channels/chn_coding/messages', () => json({ items, next_cursor: null }));
    renderApp('/app/channels/coding');
    const line = await screen.findByRole('separator', { name: 'New messages' });
    expect(line.compareDocumentPosition(screen.getByText('m25'))).toBe(
      Node.DOCUMENT_POSITION_PRECEDING,
    );
    expect(screen.queryByText('m5')).not.toBeInTheDocument();
  });

  it('leaves the messages alone while somebody writes', async () => {
    platform();
    const { user } = renderApp('/app/channels/grow');
    const field = await screen.findByRole('textbox', { name: 'Message #grow' });
    await screen.findByRole('separator');
    const before = drawings.mock.calls.length;
    await user.type(field, 'Hello');
    expect(field).toHaveValue('Hello');
    expect(drawings).toHaveBeenCalledTimes(before);
    expect(before).toBeGreaterThan(0);
  });

  it('tells the days', async () => {
    const yesterday = new Date();
    yesterday.setDate(yesterday.getDate() - 1);
    const items = [
      message(1, 'm1', { at: '2021-03-05T12:00:00Z' }),
      message(2, 'm2', { at: yesterday.toISOString() }),
      message(3, 'm3', { at: new Date().toISOString() }),
    ];
    platform().on('GET /channels/chn_grow/messages', () => json({ items, next_cursor: null }));
    renderApp('/app/channels/grow');
    expect(await screen.findByRole('separator', { name: /March 5, 2021/ })).toBeVisible();
    expect(screen.getByRole('separator', { name: 'Yesterday' })).toBeVisible();
    expect(screen.getByRole('separator', { name: 'Today' })).toBeVisible();
  });
});
