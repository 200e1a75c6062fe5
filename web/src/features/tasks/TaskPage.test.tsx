import { screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { json, problem, task } from '@/testing/fakeServer';
import { platform, renderApp } from '@/testing/renderApp';

const page = (items: unknown[]) => () => json({ items, next_cursor: null });
const SHA = 'b'.repeat(40);
const DONE = task({
  status: 'completed',
  prompt: 'Write `greet.py` and run it.',
  result: {
    summary: 'Committed.',
    repo_id: 'rep_1',
    branch: 'task/tsk_1',
    commit: SHA,
    receipt: {
      failed_commands: [{ command: 'make', exit_code: null, denied: false, output: '' }],
      commands: [
        { command: 'python3 greet.py', exit_code: 0, denied: false, output: '' },
        { command: 'rm -r /', exit_code: null, denied: true, output: '' },
        { command: 'make', exit_code: null, denied: false, output: 'Hello' },
      ],
      files: ['agents/coding/greet.py'],
      left_out: { 'big.bin': 'too large' },
      commit: SHA,
      branch: 'task/tsk_1',
      tokens: 1200,
      claim: 'All is well.',
    },
  },
});
const DIFF = {
  base: 'a'.repeat(40),
  head: SHA,
  truncated: false,
  files: [
    {
      path: 'agents/coding/greet.py',
      old_path: null,
      status: 'added',
      additions: 1,
      deletions: 0,
      patch: '--- /dev/null\n+++ b/greet.py\n@@ -0,0 +1 @@\n+print("Hello")\n',
    },
  ],
};

describe('a task', () => {
  it('keeps apart what was recorded and what is claimed, and shows the changes', async () => {
    const server = platform()
      .on('GET /tasks', page([DONE]))
      .on('GET /git/repos/rep_1/commits', page([{ sha: SHA, parents: ['a'.repeat(40)] }]))
      .on('GET /git/repos/rep_1/diff', ({ url }) => {
        expect(url.searchParams.get('base')).toBe('a'.repeat(40));
        return json(DIFF);
      });
    const { user } = renderApp('/app/channels/grow');
    const row = within(await screen.findByRole('article', { name: 'Build it' }));
    expect(row.getByText('a command without exit code 0')).toBeVisible();
    await user.click(row.getByRole('link', { name: 'Build it' }));
    const facts = within(await screen.findByRole('region', { name: 'What the platform recorded' }));
    expect(facts.getByText('python3 greet.py')).toBeVisible();
    expect(facts.getByText('exit code 0')).toBeVisible();
    expect(facts.getByText('denied')).toBeVisible();
    expect(facts.getByText('This command ended without exit code 0:')).toBeVisible();
    expect(facts.getAllByText('did not finish')).toHaveLength(2);
    expect(facts.getByText('1,200 tokens')).toBeVisible();
    expect(facts.queryByText('All is well.')).not.toBeInTheDocument();
    const claim = within(screen.getByRole('region', { name: 'What the agent says' }));
    expect(claim.getByText('All is well.')).toBeVisible();
    const changes = within(screen.getByRole('region', { name: 'Changes' }));
    expect(await changes.findByText('+print("Hello")')).toBeVisible();
    expect(changes.queryByText('+++ b/greet.py')).not.toBeInTheDocument();
    expect(server.asked('GET /tasks/tsk_1')).toEqual([]);
  });

  it('is fetched when it is an old one', async () => {
    const old = task({ id: 'tsk_9', title: 'Long ago', status: 'failed', reason: 'No space.' });
    platform().on('GET /tasks/tsk_9', () => json(old));
    renderApp('/app/tasks/tsk_9');
    expect(await screen.findByRole('heading', { name: 'Long ago' })).toBeVisible();
    expect(screen.getByText('No space.')).toBeVisible();
  });

  it('shows code in its question as code, and the way to pay when the plan refuses', async () => {
    const asking = task({ status: 'waiting', reason: 'May I run this?\n\n```\ntouch x\n```' });
    platform()
      .on('GET /tasks', page([asking]))
      .on('POST /tasks/tsk_1/pause', () => problem(402, 'entitlement_required', 'No plan.'));
    const { user } = renderApp('/app/tasks/tsk_1');
    const card = within(await screen.findByRole('article', { name: 'Build it' }));
    expect(card.getByText('touch x').tagName).toBe('CODE');
    await user.click(card.getByRole('button', { name: 'Pause Build it' }));
    const alert = await card.findByRole('alert');
    expect(alert).toHaveTextContent('No plan.');
    expect(within(alert).getByRole('link', { name: 'See your plan' })).toBeVisible();
  });

  it('says so when there is none', async () => {
    platform().on('GET /tasks/tsk_9', () => problem(404, 'not_found', 'There is no such thing.'));
    renderApp('/app/tasks/tsk_9');
    expect(await screen.findByRole('alert')).toHaveTextContent('There is no such thing.');
  });
});
