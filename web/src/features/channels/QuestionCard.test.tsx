import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { event, json, message, question, task } from '@/testing/fakeServer';
import { platform, renderApp } from '@/testing/renderApp';

const page = (items: unknown[]) => () => json({ items, next_cursor: null });
const ASKED = question({ options: ['Allow once', 'Deny'] });
const POST = 'POST /actors/act_coding/message';

/** The coding agent asks whether it may run something. */
function asking(fields = ASKED, later: ReturnType<typeof message>[] = []) {
  const asks = message(1, 'msg_q', { author: 'coding', text: 'May I run `rm -r`?', metadata: fields });
  const waits = task({ status: 'waiting', reason: 'May I run `rm -r`?', ...fields });
  return platform()
    .on('GET /tasks', page([waits]))
    .on('GET /channels/chn_coding/messages', page([asks, ...later]))
    .on(POST, () => json({ message_id: 'm2', seq: 2 }, 202));
}

const card = () => screen.findByRole('region', { name: 'Question' });

describe('a question', () => {
  it('is answered by one of its options', async () => {
    const server = asking();
    const { user } = renderApp('/app/channels/coding');
    await user.click(within(await card()).getByRole('button', { name: 'Allow once' }));
    expect(await screen.findByText('Answered: Allow once')).toBeVisible();
    expect(screen.queryByRole('region', { name: 'Question' })).not.toBeInTheDocument();
    expect(server.asked(POST)[0]?.body).toEqual({ text: 'Allow once', answers: 'msg_q' });
  });

  it('is answered in own words, in the card or where messages are written', async () => {
    const server = asking();
    const { user } = renderApp('/app/channels/coding');
    await user.type(within(await card()).getByLabelText('Another answer'), 'Only in /tmp{Enter}');
    expect(await screen.findByText('Answered: Only in /tmp')).toBeVisible();
    const field = screen.getByRole('textbox', { name: 'Message #coding' });
    expect(field).toHaveAccessibleDescription('Answers the oldest open question.');
    await user.type(field, 'Go{Enter}');
    await waitFor(() => expect(server.asked(POST)).toHaveLength(2));
    expect(server.asked(POST)[1]?.body).toEqual({ text: 'Go', answers: 'msg_q' });
  });

  it('about a conflict is answered in its card only, with text of several lines, too', async () => {
    const server = asking(question({ kind: 'conflict', options: ['keep mine'] }));
    const { user } = renderApp('/app/channels/coding');
    const own = within(await card()).getByLabelText('Another answer');
    const field = screen.getByRole('textbox', { name: 'Message #coding' });
    expect(field).toHaveAccessibleDescription(/The open question is answered above/);
    await user.type(field, 'Write a test{Enter}');
    await waitFor(() => expect(server.asked(POST)).toHaveLength(1));
    expect(server.asked(POST)[0]?.body).toEqual({ text: 'Write a test' });
    await user.type(own, '```{Shift>}{Enter}{/Shift}tea{Shift>}{Enter}{/Shift}```{Enter}');
    await waitFor(() => expect(server.asked(POST)).toHaveLength(2));
    expect(server.asked(POST)[1]?.body).toEqual({ text: '```\ntea\n```', answers: 'msg_q' });
  });

  it('takes one answer while it is on its way', async () => {
    asking().on(POST, () => new Promise(() => undefined));
    const { user } = renderApp('/app/channels/coding');
    await user.click(within(await card()).getByRole('button', { name: 'Deny' }));
    const deny = within(await card()).getByRole('button', { name: 'Deny' });
    expect(deny).toHaveAttribute('aria-busy', 'true');
    expect(within(await card()).getByRole('button', { name: 'Allow once' })).toBeDisabled();
  });

  it('tells how long it stays open', async () => {
    vi.spyOn(Date, 'now').mockReturnValue(Date.parse('2026-05-01T10:00:00Z'));
    asking(question({ expires_at: '2026-05-01T10:19:00Z' }));
    renderApp('/app/channels/coding');
    expect(await within(await card()).findByText('Denied in about 20 minutes')).toHaveAttribute(
      'aria-live',
      'polite',
    );
    vi.restoreAllMocks();
  });

  it('says that nobody answered in time', async () => {
    const over = message(2, 'm2', { role: 'system', metadata: { expired: 'msg_q' } });
    asking(ASKED, [over]);
    renderApp('/app/channels/coding');
    expect(await screen.findByText(/Nobody answered in time/)).toBeVisible();
  });

  it('closes when its task goes on without it', async () => {
    const server = asking();
    renderApp('/app/channels/coding');
    await card();
    await waitFor(() => expect(server.streams).toHaveLength(1));
    const running = task({ status: 'cancelled', updated_at: '2026-05-01T10:01:00Z' });
    server.streams[0]?.send(
      event(2, 'task.cancelled', { task_id: 'tsk_1', data: { ...running, question: null } }),
    );
    expect(await screen.findByText('No longer open.')).toBeVisible();
  });

  it('is told in the list of channels and among the tasks, with the way there', async () => {
    const scrolledTo = vi.spyOn(Element.prototype, 'scrollIntoView');
    asking();
    const { user } = renderApp('/app/channels/grow');
    const link = await screen.findByRole('link', { name: /^coding,\s?waits for you/ });
    await user.click(screen.getByRole('link', { name: 'Answer in #coding' }));
    expect(await card()).toHaveFocus();
    expect(scrolledTo.mock.contexts).toEqual([await card()]);

    await user.click(screen.getByRole('textbox', { name: 'Message #coding' }));
    await user.click(link);
    expect(await card()).toHaveFocus();
    await user.click(screen.getByRole('textbox', { name: 'Message #coding' }));
    await user.click(screen.getByRole('button', { name: /waits for you\s?: go to the question/ }));
    expect(await card()).toHaveFocus();
    await user.keyboard('{Tab}');
    expect(screen.getByRole('button', { name: 'Allow once' })).toHaveFocus();
  });

  it('does not take the focus from somebody who writes', async () => {
    let load: (response: Response) => void = () => undefined;
    const server = asking();
    const asks = message(1, 'msg_q', { author: 'coding', text: 'May I?', metadata: ASKED });
    server.on('GET /channels/chn_coding/messages', () => new Promise((resolve) => (load = resolve)));
    const { user } = renderApp('/app/channels/coding');
    const field = await screen.findByRole('textbox', { name: 'Message #coding' });
    await user.type(field, 'Wait');
    load(json({ items: [asks], next_cursor: null }));
    expect(await card()).not.toHaveFocus();
    expect(field).toHaveFocus();
  });

  it('is drawn when it is asked for from far away', async () => {
    const more = Array.from({ length: 300 }, (_, index) =>
      message(index + 2, `m${index + 2}`, { author: 'coding' }),
    );
    asking(ASKED, more);
    const { user } = renderApp('/app/channels/coding');
    await card();
    for (let pressed = 0; pressed < 3; pressed += 1) {
      const later = screen.queryByRole('button', { name: 'Show later messages' });
      if (later !== null) await user.click(later);
    }
    expect(screen.getByText('m301')).toBeVisible();
    expect(screen.queryByRole('region', { name: 'Question' })).not.toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: /go to the question/ }));
    expect(await card()).toHaveFocus();
  });
});
