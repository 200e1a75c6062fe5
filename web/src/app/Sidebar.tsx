import { Link } from '@tanstack/react-router';
import { Compass, FolderGit2, NotebookText, Search, Settings } from 'lucide-react';

import { Logo } from '@/components/ui/Logo';
import { paths } from '@/config/paths';
import { ChannelNav } from '@/features/channels/ChannelNav';

import { OfflineModelNote } from './OfflineModelNote';
import { UserMenu } from './UserMenu';

const PLACES = [
  { to: paths.quests, label: 'Quests', icon: Compass },
  { to: paths.memory, label: 'Memory', icon: NotebookText },
  { to: paths.code, label: 'Code', icon: FolderGit2 },
  { to: paths.settings, label: 'Settings', icon: Settings },
] as const;

export function Sidebar({ onSwitch }: { onSwitch: () => void }) {
  return (
    <div className="flex h-full flex-col gap-5 overflow-y-auto bg-rail p-3">
      <div className="px-2 pt-2">
        <Logo />
      </div>
      <button
        type="button"
        onClick={onSwitch}
        className="flex h-9 items-center gap-2 rounded-xl border border-line bg-surface px-3 text-sm text-ink-faint transition-colors hover:border-line-strong"
      >
        <Search aria-hidden size={15} />
        <span className="flex-1 text-left">Go to…</span>
        <kbd className="font-sans text-xs">Ctrl K</kbd>
      </button>
      <ChannelNav />
      <nav aria-label="Places">
        <ul className="space-y-0.5">
          {PLACES.map(({ to, label, icon: Icon }) => (
            <li key={to}>
              <Link
                to={to}
                className="flex h-9 items-center gap-2.5 rounded-lg px-3 text-ink-soft transition-colors hover:bg-hover aria-[current=page]:bg-accent-soft aria-[current=page]:font-medium aria-[current=page]:text-accent-strong"
              >
                <Icon aria-hidden size={16} strokeWidth={1.9} />
                {label}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div className="mt-auto space-y-3">
        <OfflineModelNote />
        <UserMenu />
      </div>
    </div>
  );
}
