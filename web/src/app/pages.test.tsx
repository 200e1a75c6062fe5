import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { endOf } from '@/lib/days';
import { event, json, problem } from '@/testing/fakeServer';
import { platform, renderApp } from '@/testing/renderApp';

const page = (items: unknown[]) => () => json({ items, next_cursor: null });

const QUEST = {
  key: 'weekly-review',
  title: 'Weekly review',
  description: 'Look back.',
  steps: [{ title: 'What went well' }, { title: 'Write it' }],
};

const RUN = {
  id: 'run_1',
  quest_key: 'weekly-review',
  status: 'waiting',
  step: 1,
  steps: [
    { title: 'What went well', status: 'completed' },
    { title: 'Write it', status: 'waiting' },
  ],
};

describe('quests', () => {
  it('starts one and goes to where it asks', async () => {
    const server = platform()
      .on('GET /quests', page([QUEST]))
      .on('GET /quests/runs', page([]))
      .on('POST /quests/weekly-review/start', () => json(RUN, 201));
    const { user } = renderApp('/app/quests');
    const card = await screen.findByRole('article', { name: 'Weekly review' });
    expect(within(card).getByText('2 steps')).toBeVisible();
    await user.click(within(card).getByRole('button', { name: 'Start' }));
    await screen.findByRole('textbox', { name: 'Message #quest' });
    const [asked] = server.asked('POST /quests/weekly-review/start');
    expect(asked?.headers.get('Idempotency-Key')).toMatch(/^web_/);
  });

  it('shows how far a run is, also after an event', async () => {
    const server = platform()
      .on('GET /quests', page([QUEST]))
      .on('GET /quests/runs', page([RUN]));
    renderApp('/app/quests');
    const run = await screen.findByRole('region', {
      name: 'Run of Weekly review',
    });
    expect(within(run).getByText('waits for you')).toBeVisible();
    const quest = await screen.findByRole('article', { name: 'Weekly review' });
    const isBelow = () =>
      quest.compareDocumentPosition(screen.getByRole('region', { name: 'Run of Weekly review' })) ===
      Node.DOCUMENT_POSITION_FOLLOWING;
    expect(isBelow()).toBe(false); // what is under way comes first
    server.on('GET /quests/runs', page([{ ...RUN, status: 'completed' }]));
    await waitFor(() => expect(server.streams).toHaveLength(1));
    server.streams[0]?.send(event(2, 'quest.completed'));
    expect(await screen.findByText('completed')).toBeVisible();
    expect(isBelow()).toBe(true);
    expect(screen.queryByRole('region', { name: 'Under way' })).not.toBeInTheDocument();
  });

  it('says why none could be started', async () => {
    platform()
      .on('GET /quests', page([QUEST]))
      .on('GET /quests/runs', page([]))
      .on('POST /quests/weekly-review/start', () =>
        problem(402, 'entitlement_required', 'No plan.'),
      );
    const { user } = renderApp('/app/quests');
    await user.click(await screen.findByRole('button', { name: 'Start' }));
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('No plan.');
    const way = within(alert).getByRole('link', { name: 'See your plan' });
    expect(way).toHaveAttribute('href', '/app/settings#billing');
  });
});

const FILE = { path: 'memory/tea.md', title: 'Tea', size: 20 };
const COMMIT = {
  sha: 'abcdef0123456789',
  parents: ['0'],
  author: 'grow',
  at: '2026-05-01T10:00:00Z',
  subject: 'remember(memory): tea',
  body: '',
  trailers: {},
  paths: ['memory/tea.md'],
};

describe('memory', () => {
  it('opens a file and undoes a change after asking', async () => {
    const server = platform()
      .on('GET /memory', page([FILE]))
      .on(
        'GET /memory/history',
        page([COMMIT, { ...COMMIT, sha: '1', subject: 'init', parents: [] }]),
      )
      .on('GET /memory/file', () =>
        json({ ...FILE, content: '# Tea\n\nGreen.', reason: 'You said so.' }),
      )
      .on('POST /memory/revert', () => json(COMMIT, 201));
    const { user, router } = renderApp('/app/memory');
    await user.click(await screen.findByRole('button', { name: 'Tea' }));
    const file = await screen.findByRole('article', { name: 'memory/tea.md' });
    expect(await within(file).findByRole('heading', { name: 'Tea' })).toBeVisible();
    expect(within(file).getByText('You said so.')).toBeVisible();
    expect(router.state.location.search).toEqual({ path: 'memory/tea.md' });

    expect(screen.queryByRole('button', { name: 'Undo init' })).not.toBeInTheDocument();
    await user.click(await screen.findByRole('button', { name: 'Undo remember(memory): tea' }));
    expect(server.asked('POST /memory/revert')).toEqual([]);
    await user.click(screen.getByRole('button', { name: 'Undo change' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).not.toBeInTheDocument());
    expect(server.asked('POST /memory/revert')[0]?.body).toEqual({
      sha: COMMIT.sha,
    });
  });

  it('leads to the oldest change, page by page', async () => {
    let away = true;
    platform()
      .on('GET /memory', page([FILE]))
      .on('GET /memory/history', ({ url }) => {
        if (!url.searchParams.has('cursor')) return json({ items: [COMMIT], next_cursor: 'older' });
        if (away) return problem(400, 'bad_cursor', 'Not now.');
        return json({ items: [{ ...COMMIT, sha: '1', subject: 'init' }], next_cursor: null });
      });
    const { user } = renderApp('/app/memory');
    const more = await screen.findByRole('button', { name: 'Show more' });
    await user.click(more);
    expect(await screen.findByRole('alert')).toHaveTextContent('Not now.');
    away = false;
    await user.click(more);
    expect(await screen.findByRole('article', { name: 'init' })).toBeVisible();
    expect(screen.getByRole('article', { name: COMMIT.subject })).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Show more' })).not.toBeInTheDocument();
  });

  it('shows new files when the agent commits', async () => {
    const server = platform().on('GET /memory', page([])).on('GET /memory/history', page([]));
    renderApp('/app/memory');
    expect(await screen.findByText('Nothing remembered yet')).toBeVisible();
    server.on('GET /memory', page([FILE]));
    await waitFor(() => expect(server.streams).toHaveLength(1));
    server.streams[0]?.send(event(2, 'memory.committed', { data: { sha: 'a', paths: [] } }));
    expect(await screen.findByRole('button', { name: 'Tea' })).toBeVisible();
  });

  it('is read and searched as it was on a day', async () => {
    const then = { ...FILE, title: 'Coffee' };
    const look = (now: unknown, past: unknown) => (request: { url: URL }) =>
      json(request.url.searchParams.get('at') === endOf('2026-01-31') ? past : now);
    platform()
      .on('GET /memory', look({ items: [FILE] }, { items: [then] }))
      .on('GET /memory/history', page([COMMIT]))
      .on('GET /memory/file', look({ ...FILE, content: 'Green.' }, { ...then, content: 'Black.' }))
      .on('GET /memory/search', look({ items: [] }, { items: [{ ...then, snippet: 'found' }] }));
    const { user, router } = renderApp('/app/memory');
    await user.click(await screen.findByRole('button', { name: 'Tea' }));
    expect(await screen.findByText('Green.')).toBeVisible();
    fireEvent.change(screen.getByLabelText('As it was on'), { target: { value: '2026-01-31' } });
    expect(await screen.findByText('Black.')).toBeVisible();
    expect(await screen.findByRole('button', { name: 'Coffee' })).toBeVisible();
    expect(router.state.location.search).toEqual({ path: FILE.path, at: '2026-01-31' });
    await user.type(screen.getByRole('searchbox', { name: 'Search files' }), 'cof');
    expect(await screen.findByText('found')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Back to now' }));
    expect(await screen.findByText('Green.')).toBeVisible();
  });

  it('tells what the history keeps of a forgotten file, and reads it', async () => {
    const last = '2026-05-01T10:00:00Z';
    platform()
      .on('GET /memory', page([]))
      .on('GET /memory/history', page([COMMIT]))
      .on('GET /memory/remains', () =>
        json({ path: FILE.path, versions: 2, last: COMMIT.sha, at: last }),
      )
      .on('GET /memory/file', ({ url }) =>
        url.searchParams.get('at') === last
          ? json({ ...FILE, content: 'Was green.' })
          : problem(404, 'not_found', 'Nothing.'),
      );
    const { user } = renderApp('/app/memory?path=memory/tea.md');
    expect(await screen.findByText(/keeps 2 versions/)).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Read the last version' }));
    expect(await screen.findByText('Was green.')).toBeVisible();
  });

  it('unfolds a change into its diff and its files', async () => {
    const server = platform()
      .on('GET /memory', page([FILE]))
      .on('GET /memory/history', page([COMMIT]))
      .on('GET /memory/file', () => json({ ...FILE, content: 'Green.' }))
      .on('GET /git/repos/rep_1/commits', page([COMMIT]))
      .on('GET /git/repos/rep_1/diff', () =>
        json({
          truncated: false,
          files: [
            {
              path: FILE.path,
              old_path: null,
              status: 'added',
              additions: 1,
              deletions: 0,
              patch: '@@ -0,0 +1 @@\n+Green tea\n',
            },
          ],
        }),
      );
    const { user } = renderApp('/app/memory');
    expect(server.asked('GET /git/repos/rep_1/diff')).toEqual([]);
    await user.click(await screen.findByText(COMMIT.subject));
    expect(await screen.findByText('+Green tea')).toBeVisible();
    await user.click(screen.getByRole('button', { name: FILE.path }));
    expect(await screen.findByText('Green.')).toBeVisible();
  });

  it('keeps the dialog open when a change can’t be undone', async () => {
    platform()
      .on('GET /memory', page([FILE]))
      .on('GET /memory/history', page([COMMIT]))
      .on('POST /memory/revert', () => problem(409, 'merge_conflict', 'Changed since then.'));
    const { user } = renderApp('/app/memory');
    await user.click(await screen.findByRole('button', { name: /^Undo/ }));
    await user.click(screen.getByRole('button', { name: 'Undo change' }));
    const dialog = screen.getByRole('dialog', { name: 'Undo this change?' });
    expect(await within(dialog).findByRole('alert')).toHaveTextContent('Changed since then.');
  });

  it('says that nothing was known yet on a day before the first', async () => {
    platform()
      .on('GET /memory', () => problem(404, 'too_early', 'nothing was remembered yet'))
      .on('GET /memory/history', page([COMMIT]));
    renderApp('/app/memory?at=2020-01-01');
    expect(await screen.findByText('Your agent knew nothing yet on that day.')).toBeVisible();
    expect(screen.queryByRole('alert')).not.toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Back to now' })).toBeEnabled();
  });

  it('finds by words', async () => {
    platform()
      .on('GET /memory', page([FILE]))
      .on('GET /memory/history', page([]))
      .on('GET /memory/search', ({ url }) =>
        json({
          items: [
            {
              ...FILE,
              snippet: `about ${url.searchParams.get('q') ?? ''}`,
              score: 1,
            },
          ],
        }),
      );
    const { user } = renderApp('/app/memory');
    await user.type(await screen.findByRole('searchbox', { name: 'Search files' }), 'green');
    expect(await screen.findByText('about green')).toBeVisible();
  });
});

describe('settings', () => {
  it('tells billing and model, and makes a token for git clone', async () => {
    const server = platform()
      .on('GET /billing/subscription', () =>
        json({
          plan: 'self-hosted',
          status: 'active',
          provider: 'none',
          entitled: true,
          reason: '',
        }),
      )
      .on('GET /git/repos/rep_1', () => json({ id: 'rep_1', clone_url: 'http://test/grow.git' }))
      .on('POST /git/repos/rep_1/tokens', () =>
        json({
          token: 'grt_x',
          username: 'grow',
          scope: 'read',
          expires_at: '2026-06-01T00:00:00Z',
        }),
      );
    const { user } = renderApp('/app/settings');
    expect(await screen.findByText('Self-hosted, no billing.')).toBeVisible();
    expect(await screen.findByText('git clone http://test/grow.git')).toBeVisible();
    expect(screen.getAllByText(/offline model/i)).not.toEqual([]);
    await user.click(screen.getByRole('button', { name: 'Create read token' }));
    expect(await screen.findByText('grt_x')).toBeVisible();
    expect(server.asked('POST /git/repos/rep_1/tokens')[0]?.body).toEqual({
      scope: 'read',
    });
  });

  it('sells plans, and shows today’s use against the limit', async () => {
    const plan = {
      description: '',
      trial_days: 0,
      model_tokens_per_day: null,
      agents: null,
    };
    const server = platform()
      .on('GET /billing/subscription', () =>
        json({
          plan: 'none',
          status: 'none',
          provider: 'stripe',
          entitled: false,
          reason: 'Choose a plan.',
        }),
      )
      .on('GET /billing/plans', () =>
        json([
          {
            ...plan,
            key: 'plus',
            name: 'Plus',
            display_price: '€9',
            messages_per_day: 100,
          },
          {
            ...plan,
            key: 'pro',
            name: 'Pro',
            display_price: '€29',
            messages_per_day: null,
          },
        ]),
      )
      .on('GET /billing/usage', () =>
        json({
          days: [
            {
              day: '2026-05-01',
              messages: 40,
              model_tokens: 1200,
              workspace_seconds: 130,
            },
          ],
          messages_per_day: 100,
          model_tokens_per_day: null,
          running_workspaces: 2,
        }),
      )
      .on('POST /billing/checkout', () => problem(503, 'billing.unavailable', 'Stripe is away.'))
      .on('GET /git/repos/rep_1', () => json({ id: 'rep_1', clone_url: 'http://test/grow.git' }));
    const { user } = renderApp('/app/settings');
    expect(await screen.findByText('Choose a plan.')).toBeVisible();
    expect(await screen.findByText('40 of 100 messages today')).toBeVisible();
    expect(screen.getByRole('cell', { name: '1,200' })).toBeVisible();
    expect(screen.getByRole('cell', { name: 'May 1' })).toBeVisible();
    expect(screen.getByRole('cell', { name: '3' })).toBeVisible();
    expect(screen.getByText('2 workspaces may run at once.')).toBeVisible();
    await user.click(await screen.findByRole('button', { name: 'Choose Pro' }));
    expect(await screen.findByText('Stripe is away.')).toBeVisible();
    expect(server.asked('POST /billing/checkout')[0]?.body).toEqual({
      plan: 'pro',
    });
  });

  it('changes the plan of those who have one', async () => {
    let current = 'plus';
    const plan = {
      description: '',
      trial_days: 0,
      messages_per_day: 3,
      model_tokens_per_day: null,
    };
    const server = platform()
      .on('GET /billing/subscription', () =>
        json({
          plan: current,
          status: 'active',
          provider: 'stripe',
          entitled: true,
          reason: 'Active.',
        }),
      )
      .on('GET /billing/plans', () =>
        json(
          ['plus', 'pro'].map((key) => ({
            ...plan,
            key,
            name: key,
            display_price: '',
            agents: ['grow'],
          })),
        ),
      )
      .on('GET /billing/usage', () =>
        json({ days: [], messages_per_day: null, model_tokens_per_day: null, running_workspaces: null }),
      )
      .on('POST /billing/plan', ({ body }) => {
        current = (body as { plan: string }).plan;
        return json({});
      });
    const { user } = renderApp('/app/settings');
    await user.click(await screen.findByRole('button', { name: 'Change to pro' }));
    expect(await screen.findByRole('button', { name: 'Change to plus' })).toBeVisible();
    expect(server.asked('POST /billing/plan')).toHaveLength(1);
  });

  it('shows what could not be loaded without hiding the rest', async () => {
    platform()
      .on('GET /billing/subscription', () => problem(503, 'unavailable', 'Billing is away.'))
      .on('GET /git/repos/rep_1', () => json({ id: 'rep_1', clone_url: 'http://test/grow.git' }));
    renderApp('/app/settings');
    expect(await screen.findByText('Billing is away.')).toBeVisible();
    expect(await screen.findByText('git clone http://test/grow.git')).toBeVisible();
  });
});
