import { cleanup, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import {
  delta,
  event,
  json,
  message,
  problem,
  said,
  task,
  type FakeServer,
  type FakeStream,
} from '@/testing/fakeServer';
import { SessionStore } from '@/api/session';
import { platform, renderApp } from '@/testing/renderApp';
import { grant } from '@/testing/session';

const composer = (name = 'grow') => screen.findByRole('textbox', { name: `Message #${name}` });
const log = () => screen.getByRole('log', { name: 'Messages' });
const openStream = (server: FakeServer): Promise<FakeStream> =>
  vi.waitFor(() => {
    const open = server.streams.at(-1);
    if (open === undefined) throw new Error('no stream yet');
    return open;
  });
const articles = () => within(log()).getAllByRole('article').map((one) => one.textContent);

describe('logging in', () => {
  it('asks strangers to log in, and then opens #grow', async () => {
    const server = platform().on('POST /auth/login', () => json(grant()));
    const { user } = renderApp('/', { guest: true });
    await user.type(await screen.findByRole('textbox', { name: 'Email' }), 'ada@example.com');
    await user.type(screen.getByLabelText('Password'), 'correct horse 1');
    await user.click(screen.getByRole('button', { name: 'Log in' }));
    await composer();
    expect(screen.getByRole('main')).toHaveFocus(); // a mouse's user writes at once, see the browser's tests
    expect(server.asked('POST /auth/login')[0]?.body).toEqual({
      email: 'ada@example.com',
      password: 'correct horse 1',
    });
  });

  it('leads to the page that was asked for, also by way of registering', async () => {
    const server = platform()
      .on('POST /auth/register', () => json(grant(), 201))
      .on('GET /memory', () => json({ items: [], next_cursor: null }));
    const { user, router } = renderApp('/app/memory?at=2026-01-31', { guest: true });
    await user.click(await screen.findByRole('link', { name: 'Create an account' }));
    await user.type(await screen.findByRole('textbox', { name: 'Name' }), 'Ada');
    await user.type(screen.getByRole('textbox', { name: 'Email' }), 'ada@example.com');
    await user.type(screen.getByLabelText('Password'), 'correct horse 1');
    await user.click(screen.getByRole('button', { name: 'Create account' }));
    expect(await screen.findByRole('heading', { name: 'Memory', level: 1 })).toBeVisible();
    expect(router.state.location.href).toBe('/app/memory?at=2026-01-31');
    expect(server.asked('POST /auth/register')).toHaveLength(1);
  });

  it.each(['//evil.example', 'https://evil.example/app/', '/app/login'])(
    'does not lead out of the app, or around in circles: %s',
    async (next) => {
      platform().on('POST /auth/login', () => json(grant()));
      const { router } = renderApp(`/app/login?next=${encodeURIComponent(next)}`);
      await composer();
      expect(router.state.location.pathname).toBe('/app/channels/grow');
    },
  );

  it('leaves the focus at the top of a page that was only opened', async () => {
    platform();
    const session = new SessionStore();
    session.set(grant());
    renderApp('/app/channels/grow', { guest: true });
    await composer();
    expect(document.body).toHaveFocus();
  });

  it('tells why a login was refused', async () => {
    platform().on('POST /auth/login', () => problem(401, 'bad_login', 'Email or password is wrong.'));
    const { user } = renderApp('/', { guest: true });
    await user.type(await screen.findByRole('textbox', { name: 'Email' }), 'a@example.com');
    await user.type(screen.getByLabelText('Password'), 'wrong password');
    await user.click(screen.getByRole('button', { name: 'Log in' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('Email or password is wrong.');
  });

  it('does not send a password that is too short', async () => {
    const server = platform().on('POST /auth/register', () => json(grant(), 201));
    const { user } = renderApp('/app/register', { guest: true });
    await user.type(await screen.findByRole('textbox', { name: 'Name' }), 'Ada');
    await user.type(screen.getByRole('textbox', { name: 'Email' }), 'ada@example.com');
    const password = screen.getByLabelText('Password');
    await user.type(password, 'short');
    await user.click(screen.getByRole('button', { name: 'Create account' }));
    expect(password).toBeInvalid();
    expect(password).toHaveAccessibleDescription('Use at least 10 characters.');
    expect(server.asked('POST /auth/register')).toEqual([]);
    await user.type(password, ' no more');
    await user.click(screen.getByRole('button', { name: 'Create account' }));
    await composer();
  });

  it('logs out, and forgets everything here', async () => {
    const server = platform();
    const { user, session, router } = renderApp('/app/channels/coding');
    await user.type(await composer('coding'), 'Half a thou');
    expect(Object.values(sessionStorage).join()).toContain('Half a thou');
    await user.click(screen.getByRole('button', { name: /^Account of Ada/ }));
    await user.click(await screen.findByRole('menuitem', { name: 'Log out' }));
    await screen.findByRole('button', { name: 'Log in' });
    expect(session.get()).toBeNull();
    expect(router.state.location.href).toBe('/app/login');
    expect(Object.values(sessionStorage).join()).not.toContain('Half a thou');
    expect(server.asked('POST /auth/logout')[0]?.body).toEqual({ refresh_token: 'refresh-1' });
  });

  it('goes to the login page when the session has ended on the server', async () => {
    const refused = () => problem(401, 'unauthenticated', 'Expired.');
    platform().on('POST /actors/provision', refused).on('POST /auth/refresh', refused);
    renderApp();
    await screen.findByRole('button', { name: 'Log in' });
  });
});

/** A platform that answers a message only when it is told what. */
function slowPlatform() {
  let resolve: (response: Response) => void = () => undefined;
  const server = platform().on(
    'POST /actors/act_grow/message',
    () => new Promise((resolved) => (resolve = resolved)),
  );
  return { server, answer: (response: Response) => resolve(response) };
}

describe('a channel', () => {
  it('shows a message at once, streams the reply, and shows nothing twice', async () => {
    const { server, answer } = slowPlatform();
    const { user } = renderApp();
    await user.type(await composer(), 'Hi there{Enter}');
    expect(await composer()).toHaveValue('');
    expect(articles()).toHaveLength(2);

    const stream = await openStream(server);
    expect(stream.after).toBe(1); // the welcome was loaded
    stream.send(said(2, 'm2', 'user', 'Hi there'));
    answer(json({ message_id: 'm2', seq: 2 }, 202));
    stream.send(delta('m3', 'Nice to '), delta('m3', '*meet* you'));
    expect(await screen.findByText('meet')).toBeVisible();
    stream.send(said(3, 'm3', 'agent', 'Nice to *meet* you!', 'm2'));
    await waitFor(() => expect(within(log()).getByText(/you!/)).toBeVisible());
    expect(articles()).toHaveLength(3);
    expect(screen.queryByText(/is working on it/)).not.toBeInTheDocument();

    stream.end();
    await waitFor(() => expect(server.streams).toHaveLength(2));
    expect(server.streams[1]?.after).toBe(3);
    server.streams[1]?.send(said(2, 'm2', 'user', 'Hi there'), said(4, 'm4', 'agent', 'Back'));
    await within(log()).findByText('Back');
    expect(articles()).toHaveLength(4);
  });

  it('keeps what was written but not sent, each channel its own', async () => {
    platform();
    const { user } = renderApp();
    await user.type(await composer(), 'Half a thou');
    const nav = screen.getByRole('navigation', { name: 'Channels' });
    await user.click(within(nav).getByRole('link', { name: /^coding/ }));
    expect(await composer('coding')).toHaveValue('');
    await user.click(within(nav).getByRole('link', { name: /^grow/ }));
    expect(await composer()).toHaveValue('Half a thou');
  });

  it('opens a page of its own that a message names where one is', async () => {
    const text = '[Go to billing](/app/settings), or [read](https://example.com)';
    platform().on('GET /channels/chn_grow/messages', () =>
      json({ items: [message(1, 'm1', { text })], next_cursor: null }),
    );
    const { user, router } = renderApp();
    expect(await screen.findByRole('link', { name: 'read' })).toHaveAttribute('target', '_blank');
    await user.click(screen.getByRole('link', { name: 'Go to billing' }));
    expect(await screen.findByRole('heading', { name: 'Settings' })).toBeVisible();
    expect(router.state.location.pathname).toBe('/app/settings');
  });

  it('says when it reconnects', async () => {
    const server = platform();
    renderApp();
    await composer();
    await waitFor(() => expect(server.streams).toHaveLength(1));
    server.streams[0]?.end();
    expect(await screen.findByText('Reconnecting…')).toBeVisible();
    await waitFor(() => expect(screen.queryByText('Reconnecting…')).not.toBeInTheDocument());
  });

  it('reads what could not be read when the server is back', async () => {
    const server = platform()
      .on('GET /quests', () => problem(503, 'unavailable', 'Starting up.'))
      .on('GET /quests/runs', () => json({ items: [], next_cursor: null }));
    renderApp('/app/quests');
    expect(await screen.findByText('Starting up.')).toBeVisible();
    server.on('GET /quests', () => json({ items: [], next_cursor: null }));
    (await openStream(server)).end();
    expect(await screen.findByText('No quests here')).toBeVisible();
    expect(screen.queryByText('Starting up.')).not.toBeInTheDocument();
  });

  it('keeps a message that was refused, to send it again', async () => {
    const server = platform().on('POST /actors/act_grow/message', () =>
      problem(409, 'agent_stopped', 'This agent is stopped.'),
    );
    const { user } = renderApp();
    await user.type(await composer(), 'Hi{Shift>}{Enter}{/Shift}you{Enter}');
    expect(await screen.findByText('Not sent. This agent is stopped.')).toBeVisible();
    server.on('POST /actors/act_grow/message', () => json({ message_id: 'm2', seq: 2 }, 202));
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(screen.queryByText(/Not sent/)).not.toBeInTheDocument());
    const [first, second] = server.asked('POST /actors/act_grow/message');
    expect(first?.body).toEqual({ text: 'Hi\nyou' });
    expect(second?.headers.get('Idempotency-Key')).toBe(first?.headers.get('Idempotency-Key'));
    expect(articles()).toHaveLength(2);
  });

  it('sends a message once that the page was reloaded over, and shows it once', async () => {
    const { server, answer } = slowPlatform();
    const { user } = renderApp();
    await user.type(await composer(), 'Hi there{Enter}');
    const kept = sessionStorage.getItem('growqr.outbox') ?? '';
    cleanup();
    sessionStorage.setItem('growqr.outbox', kept); // a reload ends no login

    // The server has it; only its answer was lost.
    const history = [message(1, 'm1'), message(2, 'm2', { role: 'user', text: 'Hi there' })];
    server.on('GET /channels/chn_grow/messages', () => json({ items: history, next_cursor: null }));
    renderApp();
    expect(await screen.findAllByText('Hi there')).toHaveLength(1);
    await waitFor(() => expect(server.asked('POST /actors/act_grow/message')).toHaveLength(2));
    const [first, second] = server.asked('POST /actors/act_grow/message');
    expect(second?.headers.get('Idempotency-Key')).toBe(first?.headers.get('Idempotency-Key'));
    answer(json({ message_id: 'm2', seq: 2 }, 202));
    await waitFor(() => expect(sessionStorage.getItem('growqr.outbox')).toBe('[]'));
    expect(screen.getAllByText('Hi there')).toHaveLength(1);
  });

  it('counts as read what was read in another window', async () => {
    const server = platform();
    renderApp();
    await composer();
    const nav = screen.getByRole('navigation', { name: 'Channels' });
    const link = await within(nav).findByRole('link', { name: /^coding, idle,\s?2\s?unread$/ });
    const stream = await openStream(server);
    stream.send(event(null, 'channel.read', { channel_id: 'chn_coding' }));
    await waitFor(() => expect(link).toHaveAccessibleName('coding, idle'));
  });

  it('refuses to send what is too long, and nothing but blanks', async () => {
    platform();
    const { user } = renderApp();
    const field = await composer();
    expect(screen.getByRole('button', { name: 'Send' })).toBeDisabled();
    await user.type(field, '   ');
    expect(screen.getByRole('button', { name: 'Send' })).toBeDisabled();
    await user.click(field);
    await user.paste('x'.repeat(100));
    expect(field).toBeInvalid();
    expect(field).toHaveAccessibleDescription('3 characters too many; send it in parts.');
    expect(screen.getByRole('button', { name: 'Send' })).toBeDisabled();
  });

  it('counts what is unread elsewhere and shows an agent’s log', async () => {
    const server = platform();
    const { user } = renderApp();
    await composer();
    const nav = screen.getByRole('navigation', { name: 'Channels' });
    const link = await within(nav).findByRole('link', { name: /^coding, idle,\s?2\s?unread$/ });
    await waitFor(() => expect(server.streams).toHaveLength(1));
    const ids = { actor_id: 'act_coding', channel_id: 'chn_coding' };
    server.streams[0]?.send(
      { ...said(2, 'c1', 'agent', 'Done'), ...ids },
      event(3, 'task.log', { ...ids, data: { stream: 'output', text: 'Hello from the sandbox' } }),
    );
    await waitFor(() => expect(link).toHaveAccessibleName(/^coding, idle,\s?3\s?unread$/));
    expect(document.title).toBe('(3) #grow · GrowQR');
    await user.click(link);
    await composer('coding');
    expect(await screen.findByText('Hello from the sandbox')).toBeVisible();
    expect(link).toHaveAccessibleName('coding, idle');
    expect(document.title).toBe('#coding · GrowQR');
    await waitFor(() => expect(server.asked('POST /channels/chn_coding/read')).not.toEqual([]));
    await user.click(screen.getByRole('button', { name: /^Log/ }));
    expect(screen.queryByText('Hello from the sandbox')).not.toBeInTheDocument();
  });

  it('lets a person start an agent that is stopped', async () => {
    const server = platform().on('POST /actors/act_grow/start', () =>
      problem(402, 'entitlement_required', 'Your trial has ended.'),
    );
    const { user } = renderApp();
    const field = await composer();
    const stream = await openStream(server);
    stream.send(event(2, 'agent.status', { data: { status: 'stopped' } }));
    const start = await screen.findByRole('button', { name: 'Start agent' });
    expect(field).toBeDisabled();
    await user.click(start);
    expect(await screen.findByRole('alert')).toHaveTextContent('Your trial has ended.');
    expect(screen.getByRole('link', { name: 'See your plan' })).toBeVisible();
    server.on('POST /actors/act_grow/start', () => json({ id: 'act_grow' }));
    await user.click(start);
    stream.send(event(3, 'agent.status', { data: { status: 'idle' } }));
    await waitFor(() => expect(field).toBeEnabled());
  });

  it('goes to a channel by the keyboard alone', async () => {
    platform();
    const { user } = renderApp();
    await composer();
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await screen.findByRole('combobox'), 'rep{Enter}');
    await composer('repo');
  });

  it('closes the menu of a small screen with a choice, also of the channel that is open', async () => {
    platform();
    const { user } = renderApp();
    await composer();
    await user.click(screen.getByRole('button', { name: 'Open menu, new messages' }));
    const menu = await screen.findByRole('dialog', { name: 'Menu' });
    await user.click(within(menu).getByRole('link', { name: /^grow/ }));
    await waitFor(() => expect(screen.queryByRole('dialog')).not.toBeInTheDocument());
    expect(await composer()).toBeVisible();
  });

  it('says when there is no such channel', async () => {
    platform();
    renderApp('/app/channels/nope');
    expect(await screen.findByText('There is no #nope')).toBeVisible();
    expect(screen.getByRole('heading', { name: '#nope', level: 1 })).toBeVisible();
    expect(screen.getByRole('link', { name: 'Back to your agent' })).toBeVisible();
  });
});

describe('tasks', () => {
  it('shows running tasks, lets a person pause them, and lists finished ones', async () => {
    const server = platform()
      .on('GET /tasks', () => json({ items: [task()], next_cursor: null }))
      .on('POST /tasks/tsk_1/pause', () => json(task({ status: 'paused', reason: 'You paused it.' })));
    const { user } = renderApp();
    await composer();
    const region = screen.getByRole('region', { name: 'Tasks' });
    expect(within(region).getByRole('progressbar')).toHaveAttribute('aria-valuenow', '50');
    await user.click(within(region).getByRole('button', { name: 'Pause Build it' }));
    expect(await within(region).findByText('You paused it.')).toBeVisible();
    expect(within(region).getByRole('button', { name: 'Resume Build it' })).toBeEnabled();

    const done = task({
      status: 'completed',
      updated_at: '2026-05-01T11:00:00Z',
      result: { summary: 'Built.', commit: 'abcdef0123456789' },
    });
    await waitFor(() => expect(server.streams).toHaveLength(1));
    server.streams[0]?.send(event(2, 'task.completed', { task_id: 'tsk_1', data: done }));
    expect(await within(region).findByText('abcdef0')).toBeVisible();
    expect(within(region).getByText('completed')).toBeVisible();
    expect(within(region).queryByRole('progressbar')).not.toBeInTheDocument();
  });

  it('says why a command failed', async () => {
    platform()
      .on('GET /tasks', () => json({ items: [task()] }))
      .on('POST /tasks/tsk_1/cancel', () => problem(409, 'conflict', 'The task is finished.'));
    const { user } = renderApp();
    await composer();
    await user.click(screen.getByRole('button', { name: 'Cancel Build it' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('The task is finished.');
  });
});

describe('setting up', () => {
  it('shows the plan when it does not allow to run agents', async () => {
    platform().on('POST /actors/provision', () =>
      problem(402, 'entitlement_required', 'Your trial has ended.'),
    ).on('GET /billing/subscription', () =>
      json({ plan: 'Pro', status: 'past_due', provider: 'stripe', entitled: false, reason: '' }),
    );
    renderApp();
    expect(await screen.findByRole('alert')).toHaveTextContent('Your trial has ended.');
    const billing = screen.getByRole('region', { name: 'Billing' });
    expect(await within(billing).findByText('past due')).toBeVisible();
  });

  it('can be tried again', async () => {
    const server = platform().on('GET /channels', () => problem(503, 'unavailable', 'Starting up.'));
    const { user } = renderApp();
    expect(await screen.findByText('Starting up.')).toBeVisible();
    server.on('GET /channels', () => json({ items: [], next_cursor: null }));
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    await screen.findByRole('navigation', { name: 'Channels' });
  });
});
