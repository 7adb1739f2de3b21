/** What the server says (docs/server.md) and what the page makes of it. */

export interface ErrorInside {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

export type Status = "queued" | "running" | "succeeded" | "failed" | "cancelled";

export interface Job {
  id: string;
  status: Status;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  expires_at: number | null;
  name: string | null;
  model: string;
  options: Record<string, unknown>;
  duration: number | null;
  processed: number | null;
  language: string | null;
  error: ErrorInside | null;
}

export interface TimedWord {
  word: string;
  start: number;
  end: number;
  probability?: number;
}

export interface RawSegment {
  id: number;
  start: number;
  end: number;
  text: string;
  speaker?: string;
  channel?: number;
  words?: TimedWord[];
}

export interface Result {
  language?: string;
  duration?: number;
  text: string;
  segments: RawSegment[];
  words?: TimedWord[];
  warnings?: unknown[];
}

/** A piece of a segment's text with the blanks before it; the tokens of a segment, one behind the other, are its text. */
export interface Token {
  text: string;
  start: number;
  end: number;
  probability?: number;
}

export interface Segment {
  raw: RawSegment;
  start: number;
  end: number;
  text: string;
  speaker: string;
  tokens: Token[];
}

/** One field of one segment that was changed. */
export interface Change {
  at: number;
  field: "text" | "speaker";
  before: string;
  after: string;
}

export interface Settings {
  model: string;
  language: string;
  task: "transcribe" | "translate";
  words: boolean;
  silences: boolean;
  care: boolean;
  prompt: string;
  hotwords: string;
}

export type JobEvent =
  | { type: "job.status"; job: Job }
  | { type: "job.progress"; processed: number; total: number }
  | { type: "job.segment"; segment: RawSegment }
  | { type: "job.done"; job: Job };

export type LiveMessage =
  | { type: "ready"; session: string; model: string; resumed: boolean; received: number; resume_seconds: number; lag: number }
  | { type: "speech_started" | "speech_stopped"; utterance: number; at: number; lag: number }
  | { type: "partial"; utterance: number; text: string; stable: string; start: number | null; end: number | null; lag: number }
  | { type: "final"; id: number; utterance: number; text: string; start: number; end: number; words?: TimedWord[]; lag: number }
  | { type: "error"; error: ErrorInside }
  | { type: "done"; duration: number; lag: number };

/** What there is only beside the sound (pcm-sender.js). */
declare global {
  class AudioWorkletProcessor {
    readonly port: MessagePort;
  }
  const sampleRate: number;
  function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void;
}
