import { Check, CircleHelp, GitMerge, MessageCircleQuestion, ShieldQuestion, TimerOff } from 'lucide-react';

import type { Channel } from '@/api/types';
import { useLive, useLiveState } from '@/lib/live/LiveContext';
import { questionState, type Question, type QuestionState } from '@/lib/live/questions';
import { questionAnchor } from '@/lib/showQuestion';

import { AnswerForm } from './AnswerForm';
import { TimeLeft } from './TimeLeft';

const KINDS = {
  permission: { icon: ShieldQuestion, title: 'Asks for your permission' },
  question: { icon: MessageCircleQuestion, title: 'Waits for your answer' },
  conflict: { icon: GitMerge, title: 'Both sides changed the same: you decide' },
} as const;

/** What a task asks, with the ways to answer while it may be answered. */
export function QuestionCard({ question, channel }: { question: Question; channel: Channel }) {
  const { sender } = useLive();
  const state = useLiveState((live) => live);
  const now = questionState(state, channel.id, question);
  if (now.kind !== 'open' && now.kind !== 'answering') return <Closed state={now} />;

  const { icon: Icon, title } = KINDS[question.kind];
  return (
    <section
      id={questionAnchor(question.id)}
      tabIndex={-1}
      data-first-focus
      aria-label="Question"
      className="mt-2.5 max-w-xl rounded-2xl border border-warning/40 bg-warning-soft p-4"
    >
      <p className="mb-3 flex flex-wrap items-center gap-x-2 text-sm font-medium text-warning">
        <Icon aria-hidden size={16} /> {title}
        {question.expiresAt !== null && (
          <TimeLeft until={question.expiresAt} denies={question.kind === 'permission'} />
        )}
      </p>
      <AnswerForm
        options={question.options}
        busy={now.kind === 'answering'}
        onAnswer={(text) => void sender.send(channel, text, { answers: question.id })}
      />
    </section>
  );
}

const ENDS = {
  answered: Check,
  expired: TimerOff,
  closed: CircleHelp,
} as const;

type Ended = Extract<QuestionState, { kind: keyof typeof ENDS }>;

function Closed({ state }: { state: Ended }) {
  const Icon = ENDS[state.kind];
  return (
    <p role="status" className="mt-1.5 flex items-start gap-1.5 text-[13px] text-ink-faint">
      <Icon aria-hidden size={14} className="mt-[3px] shrink-0" />
      <span className="line-clamp-2">{wordsOf(state)}</span>
    </p>
  );
}

function wordsOf(state: Ended): string {
  switch (state.kind) {
    case 'answered':
      return `Answered: ${state.answer}`;
    case 'expired':
      return 'Nobody answered in time, so the answer was no.';
    case 'closed':
      return 'No longer open.';
  }
}
