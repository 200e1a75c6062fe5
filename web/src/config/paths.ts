/** The only place that spells page addresses. */
export const paths = {
  home: '/app',
  login: '/app/login',
  register: '/app/register',
  channel: '/app/channels/$name',
  quests: '/app/quests',
  memory: '/app/memory',
  settings: '/app/settings',
} as const;
