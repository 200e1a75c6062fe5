import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { configQuery } from '@/api/queries';
import type { Channel } from '@/api/types';
import { limits } from '@/config/limits';
import { useLive, useLiveState } from '@/lib/live/LiveContext';
import { openQuestions, questionOfMessages } from '@/lib/live/questions';

import { Composer } from './Composer';
import { isStopped } from './names';
import { StoppedNotice } from './StoppedNotice';

const ANSWERS = 'Answers the oldest open question.';
const ANSWERS_NOT = 'Asks for something new. The open question is answered above.';

/** Where one writes to a channel; what is written answers its oldest question that takes it. */
export function ChannelComposer({ channel }: { channel: Channel }) {
  const { sender, unsent } = useLive();
  const { data: config } = useQuery(configQuery(useApi()));
  const asked = useLiveState((state) => questionOfMessages(state, channel.actor_id));
  const waits = useLiveState((state) => openQuestions(state, channel.actor_id).length > 0);
  const stopped = isStopped(channel);
  return (
    <>
      {stopped && <StoppedNotice actorId={channel.actor_id} />}
      <Composer
        channelName={channel.name}
        maxChars={config?.message_chars ?? limits.messageChars}
        blocked={stopped ? 'This agent is stopped.' : undefined}
        draft={unsent.get(channel.id)}
        onDraft={(text) => unsent.set(channel.id, text)}
        hint={waits ? (asked === undefined ? ANSWERS_NOT : ANSWERS) : undefined}
        onSend={(text) => void sender.send(channel, text, { answers: asked })}
      />
    </>
  );
}
