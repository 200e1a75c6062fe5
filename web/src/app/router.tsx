import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  Outlet,
  redirect,
  useLocation,
  useRouter,
  type RouterHistory,
} from '@tanstack/react-router';

import type { ReactNode } from 'react';

import type { SessionStore } from '@/api/session';
import type { Export } from '@/api/types';
import { paths } from '@/config/paths';
import { GoodbyePage } from '@/features/auth/GoodbyePage';
import type { MemoryPlace } from '@/features/memory/MemoryPage';

import { arrives, CodeMissing } from './arrives';
import { LoginScreen, RegisterScreen } from './AuthScreens';
import { NotFoundScreen } from './NotFoundScreen';
import { PageFailed } from './PageFailed';
import { PagePending } from './PagePending';
import { SettingUp } from './SettingUp';
import { useOnReturn } from './useOnReturn';

export interface Context {
  session: SessionStore;
}

const root = createRootRouteWithContext<Context>()({
  component: Outlet,
  notFoundComponent: NotFoundScreen,
});

/** Pages for people who are not logged in; those who are go on, to where they wanted to. */
const guests = createRoute({
  getParentRoute: () => root,
  id: 'guests',
  component: Outlet,
  // Whoever made the link, it leads nowhere but into the app. Left out, the unchecked one would stay.
  validateSearch: ({ next }): { next?: string | undefined } => ({
    next: typeof next === 'string' && next.startsWith(`${paths.home}/`) ? next : undefined,
  }),
  beforeLoad: ({ context, search: { next } }): void => {
    if (context.session.get() === null) return;
    throw next === undefined ? toHome() : redirect({ href: next });
  },
});

/** Pages behind the login; their code is fetched when one is first opened. */
const members = createRoute({
  getParentRoute: () => root,
  id: 'members',
  pendingComponent: SettingUp,
  beforeLoad: ({ context, location }): void => {
    if (context.session.get() !== null) return;
    throw redirect({
      to: paths.login,
      search: location.pathname === HOME ? {} : { next: location.href },
    });
  },
}).lazy(() => arrives(import('./pages/shell')).then(({ Route }) => Route));

const HOME = paths.channel.replace('$name', 'grow');

function toHome() {
  return redirect({ to: paths.channel, params: { name: 'grow' } });
}

const channel = createRoute({
  getParentRoute: () => members,
  path: paths.channel,
}).lazy(() => arrives(import('./pages/channel')).then(({ Route }) => Route));

const task = createRoute({
  getParentRoute: () => members,
  path: paths.task,
}).lazy(() => arrives(import('./pages/task')).then(({ Route }) => Route));

const code = createRoute({
  getParentRoute: () => members,
  path: paths.code,
}).lazy(() => arrives(import('./pages/code')).then(({ CodeRoute }) => CodeRoute));

const repo = createRoute({
  getParentRoute: () => members,
  path: paths.repo,
}).lazy(() => arrives(import('./pages/code')).then(({ RepoRoute }) => RepoRoute));

const pullRequest = createRoute({
  getParentRoute: () => members,
  path: paths.pullRequest,
}).lazy(() => arrives(import('./pages/code')).then(({ PullRequestRoute }) => PullRequestRoute));

const memory = createRoute({
  getParentRoute: () => members,
  path: paths.memory,
  // What is open is in the address, so a reload or a link finds it.
  validateSearch: ({ path, at }): MemoryPlace => ({
    ...(typeof path === 'string' && { path }),
    ...(typeof at === 'string' && { at }),
  }),
}).lazy(() => arrives(import('./pages/memory')).then(({ Route }) => Route));

const start = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: (): void => {
    throw toHome();
  },
});

const home = createRoute({
  getParentRoute: () => root,
  path: paths.home,
  beforeLoad: (): void => {
    throw toHome();
  },
});

const login = createRoute({
  getParentRoute: () => guests,
  path: paths.login,
  component: LoginScreen,
});

const register = createRoute({
  getParentRoute: () => guests,
  path: paths.register,
  component: RegisterScreen,
});

/** For people who have just left; nobody else is told that an account is gone. */
const goodbye = createRoute({
  getParentRoute: () => root,
  path: paths.goodbye,
  component: GoodbyeRoute,
  beforeLoad: ({ location }): void => {
    if (location.state.left === undefined) throw redirect({ to: paths.login });
  },
});

function GoodbyeRoute(): ReactNode {
  const left = useLocation({ select: ({ state }) => state.left });
  return <GoodbyePage left={left?.export} />;
}

const quests = createRoute({
  getParentRoute: () => members,
  path: paths.quests,
}).lazy(() => arrives(import('./pages/quests')).then(({ Route }) => Route));

const settings = createRoute({
  getParentRoute: () => members,
  path: paths.settings,
}).lazy(() => arrives(import('./pages/settings')).then(({ Route }) => Route));

// Routes made inside this tree would lose their types: each has a name.
const routes = root.addChildren([
  start,
  home,
  goodbye,
  guests.addChildren([login, register]),
  members.addChildren([channel, task, quests, memory, code, repo, pullRequest, settings]),
]);

export function makeRouter(session: SessionStore, history?: RouterHistory) {
  return createRouter({
    routeTree: routes,
    context: { session },
    defaultPreload: 'intent',
    // A page that comes soon takes the place of the last one at once; one that doesn't says so.
    defaultPendingMs: 400,
    defaultPendingMinMs: 300,
    defaultPendingComponent: PagePending,
    defaultErrorComponent: RouteFailed,
    ...(history === undefined ? {} : { history }),
  });
}

function RouteFailed({ error }: { error: unknown }): ReactNode {
  const router = useRouter();
  const retry = (): void => void router.invalidate();
  useOnReturn(() => {
    if (error instanceof CodeMissing) retry();
  });
  return <PageFailed error={error} retry={retry} />;
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
  interface HistoryState {
    /** Somebody has just left, with what they take along; never in the address, which others may see. */
    left?: { export?: Export | undefined };
  }
}
