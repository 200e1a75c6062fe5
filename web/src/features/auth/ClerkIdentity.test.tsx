import { screen, waitFor } from '@testing-library/react';
import type { ReactNode } from 'react';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { json, problem } from '@/testing/fakeServer';
import { platform, renderApp } from '@/testing/renderApp';

// Clerk's own script comes from Clerk's servers: what it tells its React hooks is played here.
const clerk = vi.hoisted(() => ({
  isLoaded: true,
  isSignedIn: false,
  getToken: vi.fn<() => Promise<string | null>>(),
  signOut: vi.fn(() => Promise.resolve()),
}));
vi.mock('@clerk/react', () => ({
  ClerkProvider: ({ children }: { children: ReactNode }) => children,
  useAuth: () => clerk,
  SignIn: () => <p>Clerk’s sign-in</p>,
  SignUp: () => <p>Clerk’s sign-up</p>,
  ClerkLoading: () => null,
  ClerkFailed: () => null,
}));

const ADA = { id: 'usr_1', name: 'Ada', email: 'ada@example.com' };

function token(): string {
  return `x.${btoa(JSON.stringify({ exp: Date.now() / 1000 + 3600 }))}.y`;
}

function atClerk() {
  return platform()
    .on('GET /config', () =>
      json({
        model: { provider: 'offline', name: '', offline: true },
        identity: 'clerk',
        clerk_publishable_key: 'pk_test_x',
        billing: 'none',
        version: '0.1.0',
        message_chars: 100,
      }),
    )
    .on('GET /auth/me', () => json(ADA));
}

describe('accounts at Clerk', () => {
  beforeEach(() => {
    clerk.isSignedIn = false;
    clerk.getToken.mockReset().mockImplementation(() => Promise.resolve(token()));
    clerk.signOut.mockClear();
  });

  it('shows Clerk’s own pages to strangers', async () => {
    atClerk();
    renderApp('/', { guest: true });
    expect(await screen.findByText('Clerk’s sign-in')).toBeVisible();
    expect(screen.queryByLabelText('Password')).not.toBeInTheDocument();
  });

  it('takes Clerk’s session over, and logs out there too', async () => {
    clerk.isSignedIn = true;
    const server = atClerk();
    const { user, session } = renderApp('/', { guest: true });
    await user.click(await screen.findByRole('button', { name: /^Account of Ada/ }));
    expect(session.get()?.token).toMatch(/^x\./);
    expect(server.asked('GET /auth/me')[0]?.headers.get('Authorization')).toMatch(/^Bearer x\./);
    await user.click(await screen.findByRole('menuitem', { name: 'Log out' }));
    await waitFor(() => expect(clerk.signOut).toHaveBeenCalled());
    expect(session.get()).toBeNull();
  });

  it('says why whoever Clerk knows is not let in, and tries again', async () => {
    clerk.isSignedIn = true;
    const server = atClerk().on('GET /auth/me', () => problem(503, 'unavailable', 'Not now.'));
    const { user, session } = renderApp('/', { guest: true });
    expect(await screen.findByText('Not now.')).toBeVisible();
    expect(screen.queryByText('Clerk’s sign-in')).not.toBeInTheDocument();
    server.on('GET /auth/me', () => json(ADA));
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('button', { name: /^Account of Ada/ })).toBeVisible();
    expect(session.get()?.user).toEqual(ADA);
  });

  it('lets whoever is not let in log out at Clerk', async () => {
    clerk.isSignedIn = true;
    clerk.getToken.mockImplementation(() => Promise.reject(new Error('offline')));
    atClerk();
    const { user } = renderApp('/', { guest: true });
    await user.click(await screen.findByRole('button', { name: 'Log out' }));
    expect(clerk.signOut).toHaveBeenCalled();
  });
});
