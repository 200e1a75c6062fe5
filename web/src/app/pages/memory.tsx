import { createLazyRoute } from '@tanstack/react-router';

import { MemoryPage } from '@/features/memory/MemoryPage';

export const Route = createLazyRoute('/members/app/memory')({ component: MemoryRoute });

function MemoryRoute() {
  const place = Route.useSearch();
  const navigate = Route.useNavigate();
  return <MemoryPage {...place} onGo={(next) => void navigate({ search: next })} />;
}
