import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { ChevronsUpDown, LogOut } from 'lucide-react';
import { DropdownMenu } from 'radix-ui';

import { useApi, useSession } from '@/api/ApiContext';
import { Avatar } from '@/components/ui/Avatar';
import { paths } from '@/config/paths';

export function UserMenu() {
  const api = useApi();
  const client = useQueryClient();
  const navigate = useNavigate();
  const session = useSession();
  if (session === null) return null;

  const logOut = (): void => {
    if (session.refreshToken !== '') {
      // Best effort: a token that stays valid for a while must not keep anyone logged in here.
      api.post('/auth/logout', { refresh_token: session.refreshToken }).catch(() => undefined);
    }
    api.session.clear();
    client.clear();
    void navigate({ to: paths.login }); // and not back to this page: the next one may be somebody else
  };

  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger
        className="flex w-full items-center gap-2.5 rounded-xl p-2 text-left transition-colors hover:bg-hover"
      >
        <Avatar name={session.user.name} size="small" />
        <span className="min-w-0 flex-1">
          <span className="block truncate text-sm leading-tight font-medium">
            <span className="sr-only">Account of</span> {session.user.name}
          </span>
          <span className="block truncate text-xs text-ink-faint">{session.user.email}</span>
        </span>
        <ChevronsUpDown aria-hidden size={15} className="text-ink-faint" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          side="top"
          align="start"
          sideOffset={6}
          className="z-50 min-w-52 animate-fade rounded-xl border border-line bg-surface p-1.5 shadow-float"
        >
          <DropdownMenu.Item
            onSelect={logOut}
            className="flex h-9 cursor-pointer items-center gap-2.5 rounded-lg px-2.5 text-sm outline-none data-highlighted:bg-hover"
          >
            <LogOut aria-hidden size={15} /> Log out
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
