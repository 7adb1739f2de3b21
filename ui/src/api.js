// Speaking to the server: keys, errors, and whether it can be reached at all.

import { recall, remember } from "./storage.js";

/** @import { ErrorInside, Job, Result } from "../types.js" */

/** What the server refused, in its own words. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {Partial<ErrorInside>} inside
   * @param {number | null} retryAfter seconds
   * @param {string | null} request
   */
  constructor(status, inside, retryAfter, request) {
    super(inside.message || `The server answered ${status}.`);
    this.status = status;
    this.code = inside.code ?? null;
    this.retryAfter = retryAfter;
    this.request = request;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {
  constructor() {
    super("The server does not answer.");
  }
}

/** Tells with `change` whether the server can be reached. */
class Connection extends EventTarget {
  reachable = true;

  /** @param {boolean} reachable */
  set(reachable) {
    if (reachable === this.reachable) return;
    this.reachable = reachable;
    this.dispatchEvent(new Event("change"));
  }
}

export const connection = new Connection();

/** @type {string} */
let key = sessionKey() || String(recall("key") ?? "");

function sessionKey() {
  try {
    return sessionStorage.getItem("amanuensis.key") ?? "";
  } catch {
    return "";
  }
}

/** @type {(wasRefused: boolean) => Promise<{key: string, remember: boolean} | null>} */
let ask = async () => null;

/** Who asks the person for a key. @param {typeof ask} asker */
export function setKeyAsker(asker) {
  ask = asker;
}

export const hasKey = () => key !== "";

/** @returns {Record<string, string>} */
export const authorization = () => (key === "" ? {} : { Authorization: `Bearer ${key}` });

/** How a WebSocket brings the key, having no headers: among its protocols, or in its address where it cannot stand there. */
export function keyFor() {
  if (key === "") return { protocols: ["amanuensis"] };
  return /^[\w!#$%&'*+.^`|~-]+$/.test(key) ? { protocols: ["amanuensis", `openai-insecure-api-key.${key}`] } : { protocols: ["amanuensis"], token: key };
}

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Asks for a key because the one that was sent is not good. Everybody who needs one waits for the same question.
 * @param {string} [refused] the header that was refused
 * @returns {Promise<boolean>} whether there is another one now
 */
export function renewKey(refused) {
  if (refused !== (authorization().Authorization ?? undefined)) return Promise.resolve(true);
  asking ??= ask(key !== "").then((answer) => {
    asking = null;
    if (!answer) return false;
    key = answer.key;
    remember("key", answer.remember ? key : null);
    try {
      sessionStorage.setItem("amanuensis.key", key);
    } catch {
      // It is remembered as long as the page is open.
    }
    return true;
  });
  return asking;
}

export function forgetKey() {
  key = "";
  remember("key", null);
  try {
    sessionStorage.removeItem("amanuensis.key");
  } catch {
    // There was none then.
  }
}

/**
 * @param {number} status
 * @param {string} body
 * @param {(name: string) => string | null} header
 */
export function errorOf(status, body, header) {
  /** @type {Partial<ErrorInside>} */
  let inside = {};
  try {
    inside = JSON.parse(body).error ?? {};
  } catch {
    // A proxy's page, perhaps; the status says enough.
  }
  const after = Number.parseFloat(header("retry-after") ?? "");
  return new ApiError(status, inside, Number.isFinite(after) ? after : null, header("x-request-id"));
}

/**
 * Asks the server; an answer that is not a success is thrown.
 * @param {string} path without the leading stroke, so that the page may lie in a folder behind a proxy
 * @param {RequestInit} [init]
 */
export async function call(path, init = {}) {
  for (;;) {
    const headers = authorization();
    /** @type {Response} */
    let response;
    try {
      response = await fetch(path, { ...init, headers: { ...headers, .../** @type {Record<string, string>} */ (init.headers) } });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      connection.set(false);
      throw new Unreachable();
    }
    connection.set(true);
    if (response.ok) return response;
    if (response.status === 401 && (await renewKey(headers.Authorization))) continue;
    throw errorOf(response.status, await response.text().catch(() => ""), (name) => response.headers.get(name));
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 */
const json = async (path, init) => (await call(path, init)).json();

/** @param {string} id @param {string} [more] */
export const jobPath = (id, more = "") => `v1/jobs/${encodeURIComponent(id)}${more}`;

/** @param {AbortSignal} [signal] @returns {Promise<string[]>} */
export async function models(signal) {
  const list = await json("v1/models", { signal });
  return list.data.map((/** @type {{id: string}} */ model) => model.id);
}

/** @param {{limit: number, after?: string}} page @param {AbortSignal} [signal] @returns {Promise<{data: Job[], has_more: boolean}>} */
export const listJobs = ({ limit, after }, signal) =>
  json(`v1/jobs?limit=${limit}${after ? `&after=${encodeURIComponent(after)}` : ""}`, { signal });

/** @param {string} id @param {AbortSignal} [signal] @returns {Promise<Job>} */
export const getJob = (id, signal) => json(jobPath(id), { signal });

/** @param {string} id @returns {Promise<Job>} */
export const cancelJob = (id) => json(jobPath(id, "/cancel"), { method: "POST" });

/** @param {string} id */
export const deleteJob = (id) => call(jobPath(id), { method: "DELETE" });

/** @param {string} id @param {AbortSignal} [signal] @returns {Promise<Result>} */
export const getResult = (id, signal) => json(jobPath(id, "/result?format=verbose_json"), { signal });

/** @param {AbortSignal} [signal] @returns {Promise<any>} */
export const getStatus = (signal) => json("v1/status", { signal });

/**
 * A transcript in a format: the server's own, or an edited one as the server writes it.
 * @param {string} id
 * @param {string} format
 * @param {Result | null} edited
 */
export async function written(id, format, edited) {
  // The page knows all of it; the server would only write it again.
  if (edited && format === "verbose_json") return new Blob([JSON.stringify(edited, null, 1)], { type: "application/json" });
  const query = `format=${encodeURIComponent(format)}`;
  const response = edited
    ? await call(`v1/render?${query}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(edited),
      })
    : await call(jobPath(id, `/result?${query}`));
  return response.blob();
}
