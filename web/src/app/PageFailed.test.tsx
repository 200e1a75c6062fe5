import { screen, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { platform, renderApp } from '@/testing/renderApp';

vi.mock('./pages/quests', () => {
  throw new TypeError('Failed to fetch dynamically imported module');
});

describe('a page whose code can’t be fetched', () => {
  it('says so inside the frame, offers a reload, and leaves the other pages alone', async () => {
    vi.spyOn(console, 'warn').mockReturnValue(undefined);
    vi.spyOn(console, 'error').mockReturnValue(undefined);
    platform();
    const { user } = renderApp('/app/channels/grow');
    const field = await screen.findByRole('textbox', { name: 'Message #grow' });
    await user.type(field, 'Half a thou');
    await user.click(screen.getByRole('link', { name: 'Quests' }));

    const alert = within(await screen.findByRole('alert'));
    expect(alert.getByText('This page could not be loaded')).toBeVisible();
    expect(alert.getByRole('button', { name: 'Reload' })).toBeEnabled();
    expect(alert.getByRole('button', { name: 'Try again' })).toBeEnabled();

    await user.click(screen.getByRole('link', { name: /^grow/ }));
    expect(await screen.findByRole('textbox', { name: 'Message #grow' })).toHaveValue('Half a thou');
    expect(screen.queryByText('This page could not be loaded')).not.toBeInTheDocument();
  });
});
