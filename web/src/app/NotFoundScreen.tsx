import { Link } from '@tanstack/react-router';
import { Compass } from 'lucide-react';

import { EmptyState } from '@/components/ui/EmptyState';
import { paths } from '@/config/paths';

export function NotFoundScreen() {
  return (
    <main className="flex h-dvh items-center">
      <EmptyState icon={Compass} title="There is no such page">
        <Link to={paths.home} className="font-medium text-accent-strong underline underline-offset-4">
          Back to your agent
        </Link>
      </EmptyState>
    </main>
  );
}
