import { Link } from '@tanstack/react-router';
import { ListChecks } from 'lucide-react';
import { memo, useMemo } from 'react';

import type { Channel, ChannelMessage } from '@/api/types';
import { Badge } from '@/components/ui/Badge';
import { Markdown } from '@/components/ui/Markdown';

import { paths } from '@/config/paths';
import { questionIn } from '@/lib/live/questions';

import { MessageFrame } from './MessageFrame';
import { nameOf } from './names';
import { QuestionCard } from './QuestionCard';

export const MessageArticle = memo(function MessageArticle({
  message,
  channel,
  continued,
}: {
  message: ChannelMessage;
  channel: Channel;
  continued: boolean;
}) {
  const question = useMemo(() => questionIn(message.metadata), [message]);
  const taskId = endedTask(message);
  const offline = message.metadata.offline === true;
  const badge = offline ? (
    <Badge title="Written by rules, without a language model">offline model</Badge>
  ) : message.role === 'system' ? (
    <Badge>system</Badge>
  ) : undefined;
  return (
    <MessageFrame
      author={nameOf(message.author)}
      at={message.at}
      continued={continued}
      badge={badge}
    >
      <Markdown text={message.text} />
      {taskId !== null && (
        <Link
          to={paths.task}
          params={{ id: taskId }}
          className="mt-2 inline-flex items-center gap-1.5 text-[13px] font-medium text-accent-strong underline-offset-2 hover:underline"
        >
          <ListChecks aria-hidden size={14} /> See the task and its changes
        </Link>
      )}
      {question !== null && <QuestionCard question={question} channel={channel} />}
    </MessageFrame>
  );
});

/** The task whose end a message tells, if it does. */
function endedTask({ role, metadata }: ChannelMessage): string | null {
  const { task_id: id, status } = metadata;
  return role === 'agent' && typeof id === 'string' && typeof status === 'string' ? id : null;
}
