import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { event, json, problem } from '@/testing/fakeServer';
import { platform, renderApp } from '@/testing/renderApp';

const PATH = '/opencode/workspaces/wsp_1';

function withWorkspace(status: string, reason: string | null = null) {
  const state = (now: string, why: string | null = null) => () =>
    json({ id: 'wsp_1', actor_id: 'act_coding', status: now, reason: why });
  const server = platform()
    .on('GET /actors/act_coding', () => json({ id: 'act_coding', workspace_id: 'wsp_1' }))
    .on(`GET ${PATH}`, state(status, reason));
  return { server, state };
}

const bar = () => screen.findByRole('region', { name: 'Workspace' });

describe('a workspace', () => {
  it('tells its state and why, and follows its events', async () => {
    const { server, state } = withWorkspace('starting', 'waits for a free place');
    renderApp('/app/channels/coding');
    expect(within(await bar()).getByRole('status')).toHaveTextContent(
      'Workspace starting: waits for a free place',
    );
    server.on(`GET ${PATH}`, state('failed', 'it ran out of memory'));
    await waitFor(() => expect(server.streams).toHaveLength(1));
    server.streams[0]?.send(event(2, 'workspace.status', { actor_id: 'act_coding' }));
    expect(await screen.findByText(': it ran out of memory')).toBeVisible();
  });

  it('is stopped and started by hand', async () => {
    const { server, state } = withWorkspace('idle');
    server.on(`POST ${PATH}/stop`, state('stopped', 'stopped by you'));
    server.on(`POST ${PATH}/start`, state('starting'));
    const { user } = renderApp('/app/channels/coding');
    await user.click(within(await bar()).getByRole('button', { name: 'Stop workspace' }));
    await user.click(await screen.findByRole('button', { name: 'Start workspace' }));
    expect(await screen.findByRole('button', { name: 'Stop workspace' })).toBeVisible();
  });

  it('says why it could not be started, with a way to pay', async () => {
    const { server } = withWorkspace('stopped');
    server.on(`POST ${PATH}/start`, () => problem(402, 'plan_limit', 'Your plan has ended.'));
    const { user } = renderApp('/app/channels/coding');
    await user.click(within(await bar()).getByRole('button', { name: 'Start workspace' }));
    const alert = await within(await bar()).findByRole('alert');
    expect(alert).toHaveTextContent('Your plan has ended.');
    expect(within(alert).getByRole('link', { name: 'See your plan' })).toBeVisible();
  });

  it('shows what its server wrote', async () => {
    const { server } = withWorkspace('failed', 'it ended');
    server.on(`GET ${PATH}/logs`, () =>
      json({ items: [{ seq: 1, stream: 'server', text: 'out of memory' }] }),
    );
    const { user } = renderApp('/app/channels/coding');
    await user.click(within(await bar()).getByRole('button', { name: 'Server log' }));
    const dialog = await screen.findByRole('dialog', { name: 'Server log' });
    expect(await within(dialog).findByText('out of memory')).toBeVisible();
  });

  it('is nothing for agents without one', async () => {
    platform().on('GET /actors/act_repo', () => json({ id: 'act_repo', workspace_id: null }));
    renderApp('/app/channels/repo');
    await screen.findByRole('textbox', { name: 'Message #repo' });
    expect(screen.queryByRole('region', { name: 'Workspace' })).not.toBeInTheDocument();
  });
});
