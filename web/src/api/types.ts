/**
 * The API's objects as the web app uses them (see the OpenAPI document at `/docs`).
 * More fields may arrive than are named here.
 */

export interface User {
  id: string;
  email: string;
  name: string;
}

/** What register, login and refresh answer. */
export interface SessionGrant {
  user: User;
  token: string;
  refresh_token: string;
  /** ISO 8601; when `token` stops working. */
  expires_at: string;
}

export interface Page<T> {
  items: T[];
  /** Where the next page starts; null on the last one. */
  next_cursor: string | null;
}

export interface Actor {
  id: string;
  type: string;
  status: string;
  user_id: string;
  parent_id: string | null;
  channel_id: string;
  repo_id: string | null;
  workspace_id: string | null;
}

export interface Channel {
  id: string;
  name: string;
  actor_id: string;
  kind: 'grow' | 'agent';
  status: string;
  unread: number;
  last_message_at?: string | null;
}

export type Role = 'user' | 'agent' | 'system';

export interface ChannelMessage {
  id: string;
  /** Position in the stream of the actor that owns the channel. */
  seq: number;
  role: Role;
  author: string;
  text: string;
  in_reply_to: string | null;
  at: string;
  metadata: Record<string, unknown>;
}

export type TaskStatus =
  | 'queued'
  | 'running'
  | 'paused'
  | 'waiting'
  | 'completed'
  | 'failed'
  | 'cancelled';

export interface TaskResult {
  summary: string;
  repo_id?: string | null;
  branch?: string | null;
  /** Full SHA; null when nothing changed. */
  commit?: string | null;
}

export interface Task {
  id: string;
  actor_id: string;
  agent: string;
  title: string;
  status: TaskStatus;
  /** Why it waits, is paused, failed or was cancelled. */
  reason?: string | null;
  /** Share done, 0 to 1. */
  progress: number;
  result?: TaskResult | null;
  created_at: string;
  updated_at: string;
}

export interface QuestStep {
  title: string;
  status?: string;
}

export interface Quest {
  key: string;
  title: string;
  description: string;
  steps: (QuestStep | string)[];
}

export interface QuestRun {
  id: string;
  quest_key: string;
  status: string;
  step: number;
  steps: QuestStep[];
}

export interface MemoryFile {
  path: string;
  size?: number;
}

export interface Commit {
  sha: string;
  subject: string;
  body?: string;
  at: string;
  author?: string | { name: string };
  paths?: string[];
  trailers?: Record<string, string>;
}

export interface Repo {
  id: string;
  name: string;
  kind: 'primary' | 'project';
  clone_url: string;
  default_branch: string;
  head: string | null;
}

export interface GitToken {
  token: string;
  username: string;
  scope: 'read' | 'write';
  expires_at: string;
}

export interface Subscription {
  plan: string;
  status: string;
  provider: string;
}

export interface AppConfig {
  model: { provider: string; name: string; offline: boolean };
  identity: string;
  billing: string;
  version: string;
}

export interface MemoryHit {
  path: string;
  title?: string;
  snippet?: string;
}
