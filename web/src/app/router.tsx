import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  Outlet,
  redirect,
  useLocation,
  type RouterHistory,
} from '@tanstack/react-router';

import type { ReactNode } from 'react';

import type { SessionStore } from '@/api/session';
import type { Export } from '@/api/types';
import { paths } from '@/config/paths';
import { GoodbyePage } from '@/features/auth/GoodbyePage';
import { CodePage } from '@/features/code/CodePage';
import { PullRequestPage } from '@/features/code/PullRequestPage';
import { RepoPage } from '@/features/code/RepoPage';
import { MemoryPage, type MemoryPlace } from '@/features/memory/MemoryPage';
import { QuestsPage } from '@/features/quests/QuestsPage';
import { SettingsPage } from '@/features/settings/SettingsPage';
import { TaskPage } from '@/features/tasks/TaskPage';

import { AppShell } from './AppShell';
import { LoginScreen, RegisterScreen } from './AuthScreens';
import { ChannelScreen } from './ChannelScreen';
import { NotFoundScreen } from './NotFoundScreen';

export interface Context {
  session: SessionStore;
}

const root = createRootRouteWithContext<Context>()({
  component: Outlet,
  notFoundComponent: NotFoundScreen,
});

/** Pages for people who are not logged in; those who are go on. */
const guests = createRoute({
  getParentRoute: () => root,
  id: 'guests',
  component: Outlet,
  beforeLoad: ({ context }): void => {
    if (context.session.get() !== null) throw toHome();
  },
});

/** Pages behind the login. */
const members = createRoute({
  getParentRoute: () => root,
  id: 'members',
  component: AppShell,
  beforeLoad: ({ context }): void => {
    if (context.session.get() === null) throw redirect({ to: paths.login });
  },
});

function toHome() {
  return redirect({ to: paths.channel, params: { name: 'grow' } });
}

const channel = createRoute({
  getParentRoute: () => members,
  path: paths.channel,
  component: ChannelRoute,
});

function ChannelRoute(): ReactNode {
  const { name } = channel.useParams();
  return <ChannelScreen name={name} />;
}

const task = createRoute({
  getParentRoute: () => members,
  path: paths.task,
  component: TaskRoute,
});

function TaskRoute(): ReactNode {
  const { id } = task.useParams();
  return <TaskPage key={id} id={id} />;
}

const code = createRoute({
  getParentRoute: () => members,
  path: paths.code,
  component: CodePage,
});

const repo = createRoute({
  getParentRoute: () => members,
  path: paths.repo,
  component: RepoRoute,
});

function RepoRoute(): ReactNode {
  const { repoId } = repo.useParams();
  return <RepoPage key={repoId} repoId={repoId} />;
}

const pullRequest = createRoute({
  getParentRoute: () => members,
  path: paths.pullRequest,
  component: PullRequestRoute,
});

function PullRequestRoute(): ReactNode {
  const { repoId, number } = pullRequest.useParams();
  return <PullRequestPage repoId={repoId} number={Number(number)} />;
}

const memory = createRoute({
  getParentRoute: () => members,
  path: paths.memory,
  // What is open is in the address, so a reload or a link finds it.
  validateSearch: ({ path, at }): MemoryPlace => ({
    ...(typeof path === 'string' && { path }),
    ...(typeof at === 'string' && { at }),
  }),
  component: MemoryRoute,
});

function MemoryRoute(): ReactNode {
  const place = memory.useSearch();
  const navigate = memory.useNavigate();
  return (
    <MemoryPage {...place} onGo={(next) => void navigate({ search: next })} />
  );
}

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
  component: QuestsPage,
});

const settings = createRoute({
  getParentRoute: () => members,
  path: paths.settings,
  component: SettingsPage,
});

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
    ...(history === undefined ? {} : { history }),
  });
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
