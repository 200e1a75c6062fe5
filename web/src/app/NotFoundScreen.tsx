import { Compass } from 'lucide-react';

import { EmptyState } from '@/components/ui/EmptyState';
import { HomeLink } from '@/components/ui/HomeLink';
import { usePageTitle } from '@/lib/title';

const TITLE = 'There is no such page';

export function NotFoundScreen() {
  usePageTitle(TITLE);
  return (
    <main className="flex h-dvh items-center">
      <EmptyState icon={Compass} title={TITLE}>
        <HomeLink />
      </EmptyState>
    </main>
  );
}
