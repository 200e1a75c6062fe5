import { act, fireEvent, screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';

import { platform, renderApp } from '@/testing/renderApp';

vi.mock('./pages/quests', () => new Promise(() => undefined));

afterEach(() => {
  vi.useRealTimers();
});

it('keeps the last page until a slow one says that it is on its way', async () => {
  platform();
  renderApp('/app/channels/grow');
  await screen.findByRole('textbox', { name: 'Message #grow' });
  vi.useFakeTimers();
  fireEvent.click(screen.getByRole('link', { name: 'Quests' }));
  await act(() => vi.advanceTimersByTimeAsync(399));
  expect(screen.getByRole('textbox', { name: 'Message #grow' })).toBeVisible();
  await act(() => vi.advanceTimersByTimeAsync(1));
  expect(screen.getByRole('status', { name: 'Loading page' })).toBeVisible();
  expect(screen.getByRole('navigation', { name: 'Channels' })).toBeVisible();
});
