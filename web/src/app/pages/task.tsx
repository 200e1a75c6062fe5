import { createLazyRoute } from '@tanstack/react-router';

import { TaskPage } from '@/features/tasks/TaskPage';

export const Route = createLazyRoute('/members/app/tasks/$id')({ component: TaskRoute });

function TaskRoute() {
  const { id } = Route.useParams();
  return <TaskPage key={id} id={id} />;
}
