import { memo } from 'react';

import type { ChannelMessage } from '@/api/types';
import { Badge } from '@/components/ui/Badge';
import { Markdown } from '@/components/ui/Markdown';

import { MessageFrame } from './MessageFrame';
import { nameOf } from './names';

export const MessageArticle = memo(function MessageArticle({
  message,
  continued,
}: {
  message: ChannelMessage;
  continued: boolean;
}) {
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
    </MessageFrame>
  );
});
