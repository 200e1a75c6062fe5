import { screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { json, message } from '@/testing/fakeServer';
import { platform, renderApp } from '@/testing/renderApp';

describe('a channel', () => {
  it('marks where the unread messages begin, until it is opened again', async () => {
    const items = [1, 2, 3].map((seq) => message(seq, `m${seq}`, { author: 'coding' }));
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
