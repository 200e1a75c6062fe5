import { Outlet } from '@tanstack/react-router';
import { useEffect, useState } from 'react';

import { useLiveState } from '@/lib/live/LiveContext';
import { LiveProvider } from '@/lib/live/LiveProvider';
import { unreadOf } from '@/lib/live/selectors';
import { useUnreadTitle } from '@/lib/title';

import { ConnectionBanner } from './ConnectionBanner';
import { Drawer } from './Drawer';
import { MenuButton } from './MenuButton';
import { SetupFailed } from './SetupFailed';
import { SettingUp } from './SettingUp';
import { Sidebar } from './Sidebar';
import { Switcher } from './Switcher';
import { useFocusAfterNavigation } from './useFocusAfterNavigation';

/** Everything behind the login: the frame, the live data, and the page inside. */
export function AppShell() {
  return (
    <LiveProvider
      loading={<SettingUp />}
      failed={(error, retry) => <SetupFailed error={error} retry={retry} />}
    >
      <Frame />
    </LiveProvider>
  );
}

function Frame() {
  const [menuOpen, setMenuOpen] = useState(false);
  const [switching, setSwitching] = useState(false);
  useUnreadTitle(useLiveState(unreadOf));
  useFocusAfterNavigation();

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setSwitching((open) => !open);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);

  const openSwitcher = (): void => {
    setMenuOpen(false);
    setSwitching(true);
  };

  return (
    <div className="flex h-dvh flex-col">
      <a
        href="#main"
        className="sr-only z-50 rounded-lg bg-accent px-4 py-2 font-medium text-accent-ink focus:not-sr-only focus:absolute focus:top-2 focus:left-2"
      >
        Skip to content
      </a>
      <ConnectionBanner />
      <div className="relative grid min-h-0 flex-1 md:grid-cols-[16rem_minmax(0,1fr)]">
        <div className="hidden min-h-0 border-r border-line md:block">
          <Sidebar onSwitch={openSwitcher} />
        </div>
        <MenuButton onClick={() => setMenuOpen(true)} />
        <main id="main" tabIndex={-1} className="min-h-0 min-w-0 focus:outline-none">
          <Outlet />
        </main>
      </div>
      <Drawer open={menuOpen} onOpenChange={setMenuOpen} title="Menu" side="left">
        <Sidebar onSwitch={openSwitcher} />
      </Drawer>
      {switching && <Switcher onClose={() => setSwitching(false)} />}
    </div>
  );
}
