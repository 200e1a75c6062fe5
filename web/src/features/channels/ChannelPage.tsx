import { useQuery } from '@tanstack/react-query';
import { SearchX } from 'lucide-react';
import type { ReactNode } from 'react';

import { useApi } from '@/api/ApiContext';
import { configQuery } from '@/api/queries';
import type { Channel } from '@/api/types';
import { Badge } from '@/components/ui/Badge';
import { Button } from '@/components/ui/Button';
import { EmptyState } from '@/components/ui/EmptyState';
import { ErrorState } from '@/components/ui/ErrorState';
import { PageHeader } from '@/components/ui/PageHeader';
import { Skeleton } from '@/components/ui/Skeleton';
import { StatusDot } from '@/components/ui/StatusDot';
import { limits } from '@/config/limits';
import { useLive, useLiveState } from '@/lib/live/LiveContext';
import { openQuestions } from '@/lib/live/questions';
import { channelByName } from '@/lib/live/selectors';

import { ChannelIntro } from './ChannelIntro';
import { Composer } from './Composer';
import { LogPanel } from './LogPanel';
import { MessageList } from './MessageList';
import { nameOf } from './names';
import { StoppedNotice } from './StoppedNotice';
import { useHistory } from './useHistory';
import { useOpenChannel } from './useOpenChannel';

const SUBTITLES: Record<string, string> = {
  grow: 'Your Grow Agent: talk about anything',
  coding: 'Writes and runs code in its sandbox',
  repo: 'Looks after projects, branches and pull requests',
  quest: 'Walks you through quests',
};

interface Props {
  name: string;
  /** Stand at the right end of the header. */
  actions?: ReactNode;
  /** Stands below the header, for agents that have something to tell there. */
  status?: (channel: Channel) => ReactNode;
}

export function ChannelPage({ name, actions, status }: Props) {
  const channel = useLiveState((state) => channelByName(state, name));
  if (channel === undefined) {
    return (
      <EmptyState icon={SearchX} title={`There is no #${name}`}>
        Agents bring their channels with them. Pick one from the list.
      </EmptyState>
    );
  }
  return (
    <ChannelView
      key={channel.id}
      channel={channel}
      actions={actions}
      status={status?.(channel)}
    />
  );
}

interface ViewProps {
  channel: Channel;
  actions: ReactNode;
  status: ReactNode;
}

function ChannelView({ channel, actions, status }: ViewProps) {
  const { sender, unsent } = useLive();
  const { data: config } = useQuery(configQuery(useApi()));
  const history = useHistory(channel.id);
  useOpenChannel(channel.id);
  const asked = useLiveState((state) => openQuestions(state, channel.actor_id)[0]);
  const stopped = channel.status === 'stopped' || channel.status === 'suspended';

  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader
        title={`#${channel.name}`}
        subtitle={SUBTITLES[channel.name] ?? `${nameOf(channel.name)} agent`}
      >
        <Badge tone={stopped ? 'warning' : 'neutral'}>
          <StatusDot status={channel.status} className="mr-1.5" />
          {channel.status}
        </Badge>
        {actions}
      </PageHeader>
      {status}
      {history.data === undefined ? (
        <div className="mx-auto w-full max-w-3xl flex-1 p-6">
          {history.error === null ? (
            <Skeleton lines={6} label="Loading messages" />
          ) : (
            <ErrorState error={history.error} retry={() => void history.refetch()} />
          )}
        </div>
      ) : (
        <MessageList
          channel={channel}
          before={
            history.hasNextPage && (
              <div className="flex justify-center pb-4">
                <Button
                  size="small"
                  busy={history.isFetchingNextPage}
                  onClick={() => void history.fetchNextPage()}
                >
                  Show earlier messages
                </Button>
              </div>
            )
          }
          empty={
            <ChannelIntro channel={channel} onSuggest={(text) => void sender.send(channel, text)} />
          }
        />
      )}
      {channel.kind === 'agent' && (
        <LogPanel channel={channel} ready={history.data !== undefined} />
      )}
      <div className={channel.kind === 'agent' ? 'pt-3' : undefined}>
        {stopped && <StoppedNotice actorId={channel.actor_id} />}
        <Composer
          channelName={channel.name}
          maxChars={config?.message_chars ?? limits.messageChars}
          blocked={stopped ? 'This agent is stopped.' : undefined}
          draft={unsent.get(channel.id)}
          onDraft={(text) => unsent.set(channel.id, text)}
          hint={asked === undefined ? undefined : 'Answers the oldest open question.'}
          onSend={(text) => void sender.send(channel, text, { answers: asked })}
        />
      </div>
    </div>
  );
}

