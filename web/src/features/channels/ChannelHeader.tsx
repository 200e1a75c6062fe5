import type { ReactNode } from 'react';

import type { Channel } from '@/api/types';
import { PageHeader } from '@/components/ui/PageHeader';

import { ChannelStatus } from './ChannelStatus';
import { nameOf } from './names';

const SUBTITLES: Record<string, string> = {
  grow: 'Your Grow Agent: talk about anything',
  coding: 'Writes and runs code in its sandbox',
  repo: 'Looks after projects, branches and pull requests',
  quest: 'Walks you through quests',
};

/** Whose channel it is and how its agent stands; `children` stand at the right end. */
export function ChannelHeader({ channel, children }: { channel: Channel; children: ReactNode }) {
  return (
    <PageHeader
      title={`#${channel.name}`}
      subtitle={SUBTITLES[channel.name] ?? `${nameOf(channel.name)} agent`}
    >
      <ChannelStatus channel={channel} />
      {children}
    </PageHeader>
  );
}
