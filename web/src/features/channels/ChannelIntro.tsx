import type { Channel } from '@/api/types';
import { Avatar } from '@/components/ui/Avatar';

import { nameOf } from './names';

const INTROS: Record<string, { text: string; suggestions: string[] }> = {
  grow: {
    text: 'This is where you and your agent talk. It remembers what matters, and hands work to the others.',
    suggestions: ['Remember that I like short answers', 'What do you know about me?', 'List quests'],
  },
  coding: {
    text: 'Code is written and run here, in a sandbox without network. Everything it does shows in the log below.',
    suggestions: ['Write a hello world program in Python and run it'],
  },
  repo: {
    text: 'Projects, branches and pull requests are made here.',
    suggestions: ['List my repositories'],
  },
  quest: {
    text: 'Quests ask their questions here. Start one from the quests page.',
    suggestions: [],
  },
};

/** What an empty channel is for, with something to begin with. */
export function ChannelIntro({
  channel,
  onSuggest,
}: {
  channel: Channel;
  onSuggest: (text: string) => void;
}) {
  const intro = INTROS[channel.name] ?? { text: 'Nothing has been said here yet.', suggestions: [] };
  return (
    <div className="m-auto max-w-md animate-rise px-6 py-10 text-center">
      <span className="mb-4 inline-flex">
        <Avatar name={channel.name} />
      </span>
      <h2 className="text-lg font-semibold">{nameOf(channel.name)}</h2>
      <p className="mt-1.5 text-ink-soft">{intro.text}</p>
      <div className="mt-5 flex flex-wrap justify-center gap-2">
        {intro.suggestions.map((text) => (
          <button
            key={text}
            type="button"
            onClick={() => onSuggest(text)}
            className="rounded-full border border-line bg-surface px-3.5 py-1.5 text-sm transition-colors hover:border-accent hover:bg-accent-soft"
          >
            {text}
          </button>
        ))}
      </div>
    </div>
  );
}
