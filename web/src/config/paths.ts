/** The only place that spells page addresses. */
export const paths = {
  home: '/app',
  login: '/app/login',
  register: '/app/register',
  goodbye: '/app/goodbye',
  channel: '/app/channels/$name',
  task: '/app/tasks/$id',
  quests: '/app/quests',
  code: '/app/code',
  repo: '/app/code/$repoId',
  pullRequest: '/app/code/$repoId/pull-requests/$number',
  memory: '/app/memory',
  settings: '/app/settings',
} as const;
