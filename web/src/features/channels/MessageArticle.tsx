import { memo, useMemo } from 'react';

import type { Channel, ChannelMessage } from '@/api/types';
import { Badge } from '@/components/ui/Badge';
import { Markdown } from '@/components/ui/Markdown';

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
      {question !== null && <QuestionCard question={question} channel={channel} />}
    </MessageFrame>
  );
});
