import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { json, problem } from '@/testing/fakeServer';
import { platform, renderApp } from '@/testing/renderApp';

const page = (items: unknown[]) => () => json({ items, next_cursor: null });
const AT = '2026-05-01T10:00:00Z';
const REPO = {
  id: 'rep_2',
  name: 'todo-cli',
  kind: 'project',
  description: 'A list',
  clone_url: 'http://test/todo.git',
  default_branch: 'main',
};
const PROPOSAL = {
  id: 'pr_1',
  number: 1,
  title: 'Add a list',
  body: 'It **adds** one.',
  branch: 'topic',
  base: 'main',
  status: 'open',
  merge_commit: null,
  created_at: AT,
  branch_status: null,
};
const DIFF = {
  files: [
    {
      path: 'list.py',
      old_path: null,
      status: 'added',
      additions: 1,
      deletions: 0,
      patch: '@@ -0,0 +1 @@\n+items = []\n',
    },
  ],
  truncated: false,
};
const ONE = '/git/repos/rep_2/pull-requests/1';

function withRepo(conflicts: string[] = []) {
  return platform()
    .on('GET /git/repos', page([{ ...REPO, id: 'rep_1', name: 'grow', kind: 'primary' }, REPO]))
    .on('GET /git/repos/rep_2', () => json(REPO))
    .on('GET /git/repos/rep_2/pull-requests', page([PROPOSAL]))
    .on('GET /git/repos/rep_2/branches', page([{ name: 'main', head: 'a' }, { name: 'topic', head: 'b' }]))
    .on(
      'GET /git/repos/rep_2/commits',
      page([{ sha: 'abc', parents: [], subject: 'init', author: 'GrowQR', at: AT }]),
    )
    .on('GET /git/repos/rep_2/diff', () => json(DIFF))
    .on(`GET ${ONE}`, () => json({ ...PROPOSAL, conflicts }));
}

describe('repositories', () => {
  it('lead to a proposal, which is merged', async () => {
    const server = withRepo();
    server.on(`POST ${ONE}/merge`, () => {
      const merged = { ...PROPOSAL, status: 'merged', merge_commit: 'abc', conflicts: [] };
      server.on(`GET ${ONE}`, () => json(merged));
      return json(merged);
    });
    const { user } = renderApp('/app/code');
    await user.click(await screen.findByRole('link', { name: /todo-cli/ }));
    expect(await screen.findByText('git clone http://test/todo.git')).toBeVisible();
    await user.click(await screen.findByRole('link', { name: 'Add a list' }));
    expect(await screen.findByText('+items = []')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Merge' }));
    expect(await screen.findByText('merged')).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Merge' })).not.toBeInTheDocument();
  });

  it('tell what keeps a proposal from being merged, and let it be closed', async () => {
    const server = withRepo(['list.py']).on(`POST ${ONE}/close`, () => json(PROPOSAL));
    const { user } = renderApp('/app/code/rep_2/pull-requests/1');
    const conflicts = await screen.findByRole('list', { name: 'Conflicts' });
    expect(within(conflicts).getByText('list.py')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Merge' })).toBeDisabled();
    await user.click(screen.getByRole('button', { name: 'Close without merging' }));
    await waitFor(() => expect(server.asked(`POST ${ONE}/close`)).toHaveLength(1));
  });

  it('tell how the work on a proposal went, in words', async () => {
    const failed = { context: 'growqr/task', state: 'failure', description: 'make: exit code 2' };
    const said = { state: 'failure', statuses: [failed] };
    withRepo().on(`GET ${ONE}`, () => json({ ...PROPOSAL, conflicts: [], branch_status: said }));
    renderApp('/app/code/rep_2/pull-requests/1');
    expect(await screen.findByText('something failed')).toHaveAttribute(
      'title',
      'growqr/task: make: exit code 2',
    );
  });

  it('say why a merge failed', async () => {
    withRepo().on(`POST ${ONE}/merge`, () => problem(409, 'merge_conflict', 'Just changed.'));
    const { user } = renderApp('/app/code/rep_2/pull-requests/1');
    await user.click(await screen.findByRole('button', { name: 'Merge' }));
    expect(await screen.findByText('Just changed.')).toBeVisible();
  });

  it('lead to the plan when it keeps one from merging', async () => {
    withRepo().on(`POST ${ONE}/merge`, () => problem(402, 'entitlement_required', 'No plan.'));
    const { user } = renderApp('/app/code/rep_2/pull-requests/1');
    await user.click(await screen.findByRole('button', { name: 'Merge' }));
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('No plan.');
    expect(within(alert).getByRole('link', { name: 'See your plan' })).toBeVisible();
  });

  it('show what a branch adds when it is unfolded', async () => {
    const server = withRepo();
    const { user } = renderApp('/app/code/rep_2');
    const branches = within(await screen.findByRole('region', { name: 'Branches' }));
    await user.click(await branches.findByText('topic'));
    expect(await branches.findByText('+items = []')).toBeVisible();
    expect(server.asked('GET /git/repos/rep_2/diff')).toHaveLength(1);
  });
});
