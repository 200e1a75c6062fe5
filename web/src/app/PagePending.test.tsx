import { screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';

import { platform, renderApp } from '@/testing/renderApp';

vi.mock('./pages/quests', () => new Promise(() => undefined));

it('keeps the last page until a slow one says that it is on its way', async () => {
  platform();
  const { user } = renderApp('/app/channels/grow');
  await screen.findByRole('textbox', { name: 'Message #grow' });
  await user.click(screen.getByRole('link', { name: 'Quests' }));
  expect(screen.getByRole('textbox', { name: 'Message #grow' })).toBeVisible();
  expect(await screen.findByRole('status', { name: 'Loading page' })).toBeVisible();
  expect(screen.getByRole('navigation', { name: 'Channels' })).toBeVisible();
});
