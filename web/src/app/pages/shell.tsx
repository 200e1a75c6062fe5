import { createLazyRoute } from '@tanstack/react-router';

import { AppShell } from '../AppShell';

export const Route = createLazyRoute('/members')({ component: AppShell });
