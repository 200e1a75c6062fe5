import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { json, problem } from '@/testing/fakeServer';
import { platform, renderApp } from '@/testing/renderApp';
import { grant } from '@/testing/session';

const WRONG = () => problem(401, 'login_failed', 'The password is wrong.');

describe('changing the password', () => {
  it('keeps this login, with the tokens that come back', async () => {
    const server = platform().on('POST /auth/password', () => json(grant({ token: 'token-2' })));
    const { user, session } = renderApp('/app/settings');
    const form = within(await screen.findByRole('region', { name: 'Password' }));
    await user.type(form.getByLabelText('Current password'), 'correct horse 1');
    await user.type(form.getByLabelText('New password'), 'correct horse 2');
    await user.click(form.getByRole('button', { name: 'Change password' }));
    expect(await form.findByRole('status')).toHaveTextContent('Your password is changed.');
    expect(form.getByLabelText('New password')).toHaveValue('');
    expect(session.get()?.token).toBe('token-2');
    expect(server.asked('POST /auth/password')[0]?.body).toEqual({
      current: 'correct horse 1',
      new: 'correct horse 2',
    });
  });

  it('sends no password that is too short', async () => {
    const server = platform();
    const { user } = renderApp('/app/settings');
    const form = within(await screen.findByRole('region', { name: 'Password' }));
    await user.type(form.getByLabelText('Current password'), 'correct horse 1');
    await user.type(form.getByLabelText('New password'), 'short');
    await user.click(form.getByRole('button', { name: 'Change password' }));
    expect(form.getByLabelText('New password')).toBeInvalid();
    expect(server.asked('POST /auth/password')).toEqual([]);
  });

  it('says that the current one is wrong, and stays logged in', async () => {
    platform().on('POST /auth/password', WRONG);
    const { user, session } = renderApp('/app/settings');
    const form = within(await screen.findByRole('region', { name: 'Password' }));
    await user.type(form.getByLabelText('Current password'), 'wrong horse 1');
    await user.type(form.getByLabelText('New password'), 'correct horse 2');
    await user.click(form.getByRole('button', { name: 'Change password' }));
    expect(await form.findByRole('alert')).toHaveTextContent('The password is wrong.');
    expect(session.get()).not.toBeNull();
  });
});

describe('logging out everywhere', () => {
  it('ends all logins, this one too', async () => {
    const server = platform();
    const { user, session } = renderApp('/app/settings');
    await user.click(await screen.findByRole('button', { name: 'Log out everywhere' }));
    await screen.findByRole('button', { name: 'Log in' });
    expect(session.get()).toBeNull();
    expect(server.asked('POST /auth/logout')[0]?.body).toEqual({
      refresh_token: 'refresh-1',
      everywhere: true,
    });
  });

  it('says when the others may still be there', async () => {
    platform().on('POST /auth/logout', () => problem(503, 'unavailable', 'Try again.'));
    const { user, session } = renderApp('/app/settings');
    await user.click(await screen.findByRole('button', { name: 'Log out everywhere' }));
    expect(await screen.findByText('Try again.')).toBeVisible();
    expect(session.get()).not.toBeNull();
  });
});

describe('taking everything along', () => {
  const file = { url: 'http://test/auth/exports/y', bytes: 9, sha256: 'f00', expires_at: '2026-06-01T00:00:00Z' };

  it('asks for the password, and shows the file', async () => {
    const server = platform().on('POST /auth/export', WRONG);
    const { user } = renderApp('/app/settings');
    const form = within(await screen.findByRole('region', { name: 'Your data' }));
    await user.type(form.getByLabelText('Your password'), 'correct horse 1');
    await user.click(form.getByRole('button', { name: 'Make the file' }));
    expect(await form.findByRole('alert')).toHaveTextContent('The password is wrong.');
    server.on('POST /auth/export', () => json(file, 201));
    await user.click(form.getByRole('button', { name: 'Make the file' }));
    const link = await form.findByRole('link', { name: 'Download everything' });
    expect(link).toHaveAttribute('href', file.url);
    expect(form.getByLabelText('Your password')).toHaveValue('');
    expect(server.asked('POST /auth/export')[1]?.body).toEqual({ password: 'correct horse 1' });
  });

  it('is there for accounts at Clerk, without a password', async () => {
    const server = platform().on('POST /auth/export', () => json(file, 201));
    server.on('GET /config', () =>
      json({ model: { provider: 'offline', name: '', offline: true }, identity: 'clerk', version: '1' }),
    );
    const { user } = renderApp('/app/settings');
    const form = within(await screen.findByRole('region', { name: 'Your data' }));
    expect(form.queryByLabelText('Your password')).not.toBeInTheDocument();
    await user.click(form.getByRole('button', { name: 'Make the file' }));
    expect(await form.findByRole('link', { name: 'Download everything' })).toBeVisible();
    expect(server.asked('POST /auth/export')[0]?.body).toEqual({ password: null });
  });
});

describe('leaving', () => {
  it('erases the account once the address and the password are typed', async () => {
    const server = platform().on('POST /auth/delete', () => new Response(null, { status: 204 }));
    const { user, session } = renderApp('/app/settings');
    await user.click(await screen.findByRole('button', { name: 'Delete account…' }));
    const dialog = within(screen.getByRole('dialog', { name: 'Delete your account?' }));
    await user.type(dialog.getByLabelText('Password'), 'correct horse 1');
    const button = dialog.getByRole('button', { name: 'Delete everything' });
    expect(button).toBeDisabled();
    await user.type(dialog.getByLabelText('Type ada@example.com to confirm'), 'Ada@example.com');
    await user.click(dialog.getByRole('radio', { name: 'Erase them without a copy' }));
    await user.click(button);
    expect(await screen.findByText('Everything of yours here is erased.')).toBeVisible();
    await waitFor(() => expect(session.get()).toBeNull());
    expect(server.asked('POST /auth/delete')[0]?.body).toEqual({
      password: 'correct horse 1',
      repositories: 'erase',
    });
  });

  it('gives everything in a file first, at an address that no history keeps', async () => {
    const left = {
      url: 'http://test/auth/exports/x',
      bytes: 9,
      sha256: 'f00',
      expires_at: '2026-06-01T00:00:00Z',
    };
    platform().on('POST /auth/delete', () => json({ export: left }));
    const { user, session, router } = renderApp('/app/settings');
    await user.click(await screen.findByRole('button', { name: 'Delete account…' }));
    const dialog = within(screen.getByRole('dialog', { name: 'Delete your account?' }));
    await user.type(dialog.getByLabelText('Password'), 'correct horse 1');
    await user.type(dialog.getByLabelText('Type ada@example.com to confirm'), 'ada@example.com');
    await user.click(dialog.getByRole('button', { name: 'Delete everything' }));
    const link = await screen.findByRole('link', { name: 'Download everything' });
    expect(link).toHaveAttribute('href', left.url);
    await waitFor(() => expect(session.get()).toBeNull());
    expect(router.state.location.href).toBe('/app/goodbye');
  });

  it('is told to nobody whose account is still there', async () => {
    platform();
    const guest = renderApp('/app/goodbye', { guest: true });
    expect(await screen.findByRole('button', { name: 'Log in' })).toBeVisible();
    guest.unmount();
    const { router } = renderApp('/app/goodbye');
    await waitFor(() => expect(router.state.location.pathname).toBe('/app/channels/grow'));
    expect(screen.queryByText('Your account is deleted')).not.toBeInTheDocument();
  });

  it('keeps everything when the password is wrong, and when one thinks again', async () => {
    platform().on('POST /auth/delete', WRONG);
    const { user, session } = renderApp('/app/settings');
    await user.click(await screen.findByRole('button', { name: 'Delete account…' }));
    const dialog = within(screen.getByRole('dialog', { name: 'Delete your account?' }));
    await user.type(dialog.getByLabelText('Type ada@example.com to confirm'), 'ada@example.com');
    await user.type(dialog.getByLabelText('Password'), 'wrong horse 1');
    await user.click(dialog.getByRole('button', { name: 'Delete everything' }));
    expect(await dialog.findByRole('alert')).toHaveTextContent('The password is wrong.');
    await user.click(dialog.getByRole('button', { name: 'Keep my account' }));
    expect(screen.queryByRole('dialog')).not.toBeInTheDocument();
    expect(session.get()).not.toBeNull();
  });

  it('needs no password for an account at Clerk, but a login that is not old', async () => {
    const old = 'Log out and in again first.';
    const server = platform().on('POST /auth/delete', () => problem(403, 'login_too_old', old));
    server.on('GET /config', () =>
      json({ model: { provider: 'offline', name: '', offline: true }, identity: 'clerk', version: '1' }),
    );
    const { user, session } = renderApp('/app/settings');
    expect(await screen.findByText(/Your account is kept by Clerk/)).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Delete account…' }));
    const dialog = within(screen.getByRole('dialog', { name: 'Delete your account?' }));
    expect(dialog.queryByLabelText('Password')).not.toBeInTheDocument();
    await user.type(dialog.getByLabelText('Type ada@example.com to confirm'), 'ada@example.com');
    await user.click(dialog.getByRole('button', { name: 'Delete everything' }));
    expect(await dialog.findByRole('alert')).toHaveTextContent(old);
    expect(session.get()).not.toBeNull();
    expect(server.asked('POST /auth/delete')[0]?.body).toEqual({
      password: null,
      repositories: 'export',
    });
  });
});
