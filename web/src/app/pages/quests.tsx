import { createLazyRoute } from '@tanstack/react-router';

import { QuestsPage } from '@/features/quests/QuestsPage';

export const Route = createLazyRoute('/members/app/quests')({ component: QuestsPage });
