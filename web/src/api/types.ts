/** The API's objects under the names that the app uses; generated from its OpenAPI document. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type User = Schemas['UserOut'];
/** A file with everything of a person, to be fetched at its address for some days. */
export type Export = Schemas['ExportOut'];
/** What register, login and refresh answer. */
export type SessionGrant = Schemas['LoginOut'];
export type Actor = Schemas['ActorOut'];
export type Channel = Schemas['ChannelOut'];
/** Fields with a default are optional in the schema; answers always have them. */
export type ChannelMessage = Schemas['ChannelMessage'] & {
  at: string;
  metadata: Record<string, unknown>;
};
export type Role = ChannelMessage['role'];
export type Task = Schemas['Task'] & { created_at: string; updated_at: string };
/** A question as it is sent; `questionIn` reads it. */
export type WireQuestion = Schemas['Question'];
export type TaskStatus = NonNullable<Task['status']>;
/** What the platform itself recorded about a task. */
export type Receipt = Schemas['Receipt'];
export type CommandRun = Schemas['CommandRun'];
export type Quest = Schemas['QuestOut'];
export type QuestRun = Schemas['QuestRunOut'];
export type MemoryFile = Schemas['MemoryFileOut'];
export type MemoryContent = Schemas['MemoryContentOut'];
/** What the history holds of one path. */
export type Remains = Schemas['RemainsOut'];
export type MemoryHit = Schemas['HitOut'];
export type Commit = Schemas['CommitOut'];
export type Workspace = Schemas['WorkspaceOut'];
export type Repo = Schemas['RepoOut'];
export type Branch = Schemas['BranchOut'];
export type CommitStatuses = Schemas['CommitStatusesOut'];
export type PullRequest = Schemas['PullRequestOut'];
export type PullRequestState = Schemas['PullRequestStateOut'];
export type Diff = Schemas['DiffOut'];
export type FileDiff = Schemas['FileDiffOut'];
export type GitToken = Schemas['TokenOut'];
export type Subscription = Schemas['SubscriptionOut'];
export type Plan = Schemas['PlanOut'];
export type Usage = Schemas['UsageOut'];
export type AppConfig = Schemas['ConfigOut'];
export type MessagePosted = Schemas['MessagePosted'];

export interface Page<T> {
  items: T[];
  /** Where the next page starts; null or missing on the last one. */
  next_cursor?: string | null;
}
